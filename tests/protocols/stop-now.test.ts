import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { FtpListener } from '../../server/protocols/ftp/server.ts'
import { HttpListener } from '../../server/protocols/http/server.ts'
import type { Listener } from '../../server/protocols/listener.ts'
import { RawFtp } from '../support/ftp.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

/** The moment that a stop gives replies to end, and what ends it. */

let folder: ReturnType<typeof keptFolder>
beforeEach(() => {
  folder = keptFolder()
  writeBelow(folder.path, 'big', Buffer.alloc(16 * 2 ** 20))
})
afterEach(() => {
  vi.useRealTimers()
  folder.remove()
})

const options = () => ({
  bind: '127.0.0.1',
  port: 0,
  source: diskSource(folder.path),
  events: () => undefined,
})

/** Makes the listener, and a client that keeps it busy. */
const busy: Readonly<Record<string, () => Promise<Listener>>> = {
  http: async () => {
    const listener = new HttpListener(options())
    await listener.start()
    const socket = connect(listener.address?.port ?? 0, '127.0.0.1').on('error', () => undefined)
    // The answer shows that node:http has the connection, and with it half of the second request.
    socket.write('HEAD /big HTTP/1.1\r\nHost: x\r\n\r\nHEAD /big HTTP/1.1\r\nHost:')
    await once(socket, 'data')
    return listener
  },
  ftp: async () => {
    const listener = new FtpListener(options())
    await listener.start()
    const control = await RawFtp.login(listener.address?.port ?? 0)
    const data = await control.data()
    data.on('error', () => undefined).pause()
    await control.ask('TYPE I')
    expect((await control.ask('RETR big')).code).toBe(150)
    return listener
  },
}

test.each(Object.entries(busy))('of %s is ended by a second call', async (_name, start) => {
  const listener = await start()
  // It is never over by itself. Sockets have timers of their own, which go on.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const stopped = listener.stop()
  expect(listener.stop('now')).toBe(stopped)
  await stopped
})
