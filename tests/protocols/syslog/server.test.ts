import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { SyslogListener, type SyslogListenerOptions } from '../../../server/protocols/syslog/server.ts'
import { eventually } from '../../support/eventually.ts'

/** So that no test waits for a second. */
const limits = { tellMs: 50 }
const open: { stop(): Promise<void> }[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const each of open.splice(0)) await each.stop()
})

async function listening(more: Partial<SyslogListenerOptions> = {}) {
  const events: Event[] = []
  const options = {
    bind: '127.0.0.1',
    port: 0,
    isKnown: () => true,
    events: (event: Event) => events.push(event),
  }
  const listener = new SyslogListener({ ...options, ...more })
  open.push(listener)
  await listener.start()
  const lines = () => events.flatMap((event) => (event.type === 'syslog' ? [event.text] : []))
  const lost = () => events.filter((event) => event.type === 'syslog-lost')
  return { listener, port: listener.address?.port ?? 0, events, lines, lost }
}

async function sendTcp(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.write(text, resolve))
  return socket
}

async function sendUdp(port: number, ...datagrams: readonly (string | Buffer)[]): Promise<void> {
  const socket = createSocket('udp4')
  for (const each of datagrams) await new Promise((resolve) => socket.send(each, port, '127.0.0.1', resolve))
  socket.close()
}

test('takes lines by UDP and TCP on one port, each with its address', async () => {
  const { port, events, lines } = await listening()
  await sendUdp(port, '<13>Dec  1 01:08:33 h p: by udp\n')
  await sendTcp(port, '<11>Dec  1 01:08:33 h p: by tcp\n13 <13>p[1]: two<13>last')
  await eventually(() => expect(lines().sort()).toEqual(['by tcp', 'by udp', 'two']))
  sockets[0]?.end()
  await eventually(() => expect(lines()).toContain('last'))
  expect(events).toContainEqual({
    type: 'syslog',
    client: '127.0.0.1',
    bytes: 31,
    severity: 3,
    program: 'p',
    text: 'by tcp',
  })
})

test('lines of an address that boots nothing here are dropped and counted, and its connections closed', async () => {
  const { listener, port, events, lines, lost } = await listening({ isKnown: () => false, limits })
  const socket = await sendTcp(port, '<13>hello\n')
  await new Promise((resolve) => socket.once('close', resolve))
  await sendUdp(port, ...Array.from({ length: 50 }, (_, n) => `<13>${n}`))
  await eventually(() => expect(lost()).not.toEqual([]))
  await listener.stop()
  const unknown = events.map((event) =>
    event.type === 'syslog-lost' && event.why === 'unknown' ? event.lines : 0,
  )
  expect(unknown.reduce((sum, count) => sum + count, 0)).toBe(51)
  expect(unknown.length).toBeLessThan(5)
  expect(lines()).toEqual([])
})

test('an address has eight connections, and a silent one is closed', async () => {
  const { listener, port, lost } = await listening({ limits: { ...limits, idleMs: 300 } })
  for (let n = 0; n < 12; n++) await sendTcp(port, '<13>hello\n')
  await eventually(() => expect(lost()).toMatchObject([{ why: 'too-many', lines: 4 }]))
  await eventually(() => expect(listener.connections).toBe(0))
})

test('a machine that sends without end costs as many events as its rate allows', async () => {
  const { port, lines, lost } = await listening({ up: () => 0, limits })
  await sendTcp(port, '<13>hello\n'.repeat(100_000))
  await eventually(() => expect(lost()).not.toEqual([]))
  expect(lines()).toHaveLength(4000)
})

test('what is wrong with the port is said with its remedy', async () => {
  const { port } = await listening()
  const second = new SyslogListener({ bind: '127.0.0.1', port, isKnown: () => true, events: () => undefined })
  await expect(second.start()).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringContaining('syslog.port'),
  })
})

test('a port that only UDP has taken is left whole', async () => {
  const taken = createSocket('udp4')
  await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve))
  const { port } = taken.address()
  const listener = new SyslogListener({
    bind: '127.0.0.1',
    port,
    isKnown: () => true,
    events: () => undefined,
  })
  await expect(listener.start()).rejects.toMatchObject({ kind: 'conflict' })
  taken.close()
  // TCP was given back, so the port can be opened now.
  const again = await listening({ port })
  expect(again.port).toBe(port)
})
