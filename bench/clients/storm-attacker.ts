/**
 * The attacker of `bench/storm.ts`, until it is killed: twenty connections that each send 64 KiB of requests for a
 * listing and read nothing, again and again, and five clients of an answer file whose template never ends.
 */
import { get } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

const [server = '', listing = '', hanging = ''] = process.argv.slice(2)
const connections = 20
const burstBytes = 64 * 1024
const hangingClients = 5

const one = `GET ${listing} HTTP/1.1\r\nHost: a\r\n\r\n`
const burst = one.repeat(Math.floor(burstBytes / one.length))

function pipeline(): void {
  const socket = connect({ host: server, port: 80, localAddress: '198.19.0.1' }, () =>
    socket.pause().write(burst),
  )
  socket.on('error', () => undefined)
  socket.on('close', () => setTimeout(pipeline, 100))
  setTimeout(() => socket.resetAndDestroy(), 5000)
}

async function asksForever(): Promise<void> {
  for (;;) {
    await new Promise((resolve) =>
      get({ host: server, path: hanging, localAddress: '198.19.0.2' }, (res) =>
        res.resume().on('close', resolve),
      ).on('error', resolve),
    )
    await pause(50)
  }
}

for (let i = 0; i < connections; i++) pipeline()
for (let i = 0; i < hangingClients; i++) void asksForever()
