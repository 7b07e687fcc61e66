import { ftruncateSync, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { testApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { RawFtp } from '../support/ftp.ts'
import { NfsClient } from '../support/nfs-client.ts'
import { TcpWire } from '../support/nfs-wire.ts'
import { fetchTftp } from '../support/tftp-client.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

/** More than the buffers of both ends of a connection take. */
const bigBytes = 16 * 2 ** 20
const smallBytes = 60_000

let home: ReturnType<typeof keptFolder>
let app: App
let ports: Readonly<Record<string, number>>
let told: string[]

beforeEach(() => {
  home = keptFolder()
  writeBelow(home.path, 'tftpboot/small', Buffer.alloc(smallBytes, 'x'))
  writeBelow(home.path, 'tftpboot/big', '')
  ftruncateSync(openSync(join(home.path, 'tftpboot/big'), 'r+'), bigBytes)
  told = []
})
afterEach(async () => {
  await app.stop(AbortSignal.abort())
  home.remove()
})

async function start(settings = ''): Promise<void> {
  const open = ['http', 'tftp', 'ftp', 'nfs'].map((name) => `${name}: { port: 0 }\n`).join('')
  writeBelow(home.path, 'config.yaml', `server: { bind: 127.0.0.1${settings} }\n${open}`)
  app = testApp(home.path)
  app.events.subscribe((event) => {
    if (event.type === 'stop') told.push(event.message)
  })
  await app.start()
  ports = Object.fromEntries(app.serviceLines().map(({ name, port = 0 }) => [name, port]))
}

/** A download that has begun. `finish` lets it go on, and resolves to the bytes that came. */
interface Download {
  finish(): Promise<number>
}

/** Reads on to the end; a connection that was cut has ended, too. */
async function rest(socket: Socket): Promise<number> {
  let length = 0
  socket.on('data', (chunk) => {
    length += chunk.length
  })
  socket.resume()
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return length
}

async function byHttp(path = '/big'): Promise<Download> {
  const socket = connect(ports.http ?? 0, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  let head = Buffer.alloc(0)
  await new Promise<void>((resolve) =>
    socket.once('data', (chunk) => {
      head = chunk
      socket.pause()
      resolve()
    }),
  )
  const body = head.length - head.indexOf('\r\n\r\n') - 4
  return { finish: async () => body + (await rest(socket)) }
}

async function byFtp(): Promise<Download> {
  const control = await RawFtp.login(ports.ftp ?? 0)
  const socket: Socket = await control.data()
  await control.ask('TYPE I')
  expect((await control.ask('RETR big')).code).toBe(150)
  socket.pause()
  return {
    finish: async () => {
      const length = await rest(socket)
      expect((await control.reply()).code).toBe(226)
      return length
    },
  }
}

async function byTftp(): Promise<Download> {
  let held = true
  let packets = 0
  const fetched = fetchTftp('small', {
    port: ports.tftp ?? 0,
    retryMs: 20,
    retries: 1000,
    intercept: () => (++packets > 3 && held ? 'ignore' : 'continue'),
  })
  await eventually(() => expect(packets).toBeGreaterThan(3))
  return {
    finish: async () => {
      held = false
      return (await fetched).bytes.length
    },
  }
}

async function byNfs(): Promise<Download> {
  const wire = await TcpWire.open(ports.nfs ?? 0)
  const nfs = new NfsClient(wire)
  const handle = await nfs.walk('/small')
  await nfs.read(handle, 0, 1000)
  return {
    finish: async () => {
      const { length } = await nfs.readAll(handle)
      wire.close()
      return length
    },
  }
}

const refused = (service: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(ports[service] ?? 0, '127.0.0.1', () => resolve('connected'))
    socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''))
  })

describe('a stop', () => {
  test('lets the transfers of all services end, and begins no others', async () => {
    await start()
    const downloads = [await byHttp(), await byFtp(), await byTftp(), await byNfs()]
    const stopped = app.stop()
    expect(told).toEqual(['stopping: waiting for 4 transfers, at most 60 s; a second signal ends it'])
    for (const service of ['http', 'ftp', 'nfs']) expect(await refused(service)).toBe('ECONNREFUSED')
    const late = fetchTftp('small', { port: ports.tftp ?? 0, retryMs: 10, retries: 2 })
    await expect(late).rejects.toThrow()
    const sizes = await Promise.all(downloads.map((download) => download.finish()))
    expect(sizes).toEqual([bigBytes, bigBytes, smallBytes, smallBytes])
    await stopped
  })

  test('ends at once by a second signal, whatever runs', async () => {
    await start()
    const downloads = [await byHttp(), await byNfs()]
    const cut = new AbortController()
    const stopped = app.stop(cut.signal)
    expect(told).toEqual(['stopping: waiting for 2 transfers, at most 60 s; a second signal ends it'])
    cut.abort()
    await stopped
    expect(await downloads[0]?.finish()).toBeLessThan(bigBytes)
  })

  test('waits for nothing with stop-grace: 0s', async () => {
    await start(', stop-grace: 0s')
    const download = await byHttp()
    await app.stop()
    expect(told).toEqual([])
    expect(await download.finish()).toBeLessThan(bigBytes)
  })

  test('ends a connection with the response that it was getting', async () => {
    await start()
    const idle = await byHttp('/small')
    const download = await byHttp()
    const stopped = app.stop()
    // Both connections were to be kept; neither waits for another request.
    expect(await idle.finish()).toBe(smallBytes)
    expect(await download.finish()).toBe(bigBytes)
    await stopped
    expect(told).toHaveLength(1)
  })
})
