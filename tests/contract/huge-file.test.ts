import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { encodePacket } from '../../server/protocols/tftp/wire/packet.ts'
import { testApp } from '../support/app.ts'
import { RawFtp } from '../support/ftp.ts'
import { NfsClient } from '../support/nfs-client.ts'
import { TcpWire } from '../support/nfs-wire.ts'
import { fetchTftp } from '../support/tftp-client.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

/** Sizes and positions beyond 32 bits, through every service. */

const huge = { path: '/trees/huge/disc.img', size: 5 * 2 ** 30 }
/** The positions of its bytes that are not zero: on both sides of 4 GiB, and at its end. */
const marks = [
  { at: 2 ** 32 - 1000, bytes: randomBytes(2000) },
  { at: huge.size - 1000, bytes: randomBytes(1000) },
]

const config = `
server: { bind: 127.0.0.1 }
http: { port: 0 }
tftp: { port: 0 }
ftp: { port: 0 }
nfs: { port: 0 }
`

const home = keptFolder()
let app: App
let ports: Readonly<Record<string, number>>
let nfsWire: TcpWire
let nfs: NfsClient

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', config)
  makeHuge()
  app = testApp(home.path)
  await app.start()
  ports = Object.fromEntries(app.serviceLines().map(({ name, port = 0 }) => [name, port]))
  nfsWire = await TcpWire.open(ports.nfs ?? 0)
  nfs = new NfsClient(nfsWire)
}, 20_000)

afterAll(async () => {
  nfsWire.close()
  // Nobody reads the rest of the file.
  await app.stop(AbortSignal.abort())
  home.remove()
})

function makeHuge(): void {
  writeBelow(home.path, huge.path, '')
  const file = openSync(join(home.path, huge.path), 'r+')
  ftruncateSync(file, huge.size)
  for (const { at, bytes } of marks) writeSync(file, bytes, 0, bytes.length, at)
  closeSync(file)
}

const urlOf = (path: string): string => `http://127.0.0.1:${ports.http}${path}`

describe('a file of 5 GiB', () => {
  /** Zeros around 2 GiB, the marks, and what begins at 4 GiB exactly. */
  const edges = [
    { at: 2 ** 31 - 700, bytes: Buffer.alloc(1400) },
    ...marks,
    { at: 2 ** 32, bytes: marks[0]?.bytes.subarray(1000) ?? Buffer.alloc(0) },
  ]

  test('HTTP gives its length, and ranges on both sides of 2 and 4 GiB and at the end', async () => {
    const head = await fetch(urlOf(huge.path), { method: 'HEAD' })
    expect(head.headers.get('content-length')).toBe(`${huge.size}`)
    for (const { at, bytes } of edges) {
      const range = `bytes=${at}-${at + bytes.length - 1}`
      const part = await fetch(urlOf(huge.path), { headers: { range } })
      expect([part.status, part.headers.get('content-range')]).toEqual([
        206,
        `${range.replace('=', ' ')}/${huge.size}`,
      ])
      expect(Buffer.from(await part.arrayBuffer()).equals(bytes), range).toBe(true)
    }
  })

  test('FTP gives its SIZE, and RETR after REST', async () => {
    const client = await RawFtp.login(ports.ftp ?? 0)
    await client.ask('TYPE I')
    expect((await client.ask(`SIZE ${huge.path}`)).text).toBe(`213 ${huge.size}`)
    for (const { at, bytes } of edges) {
      const data = await client.data()
      expect((await client.ask(`REST ${at}`)).code).toBe(350)
      expect((await client.ask(`RETR ${huge.path}`)).code).toBe(150)
      let got = Buffer.alloc(0)
      for await (const chunk of data as AsyncIterable<Buffer>) {
        got = Buffer.concat([got, chunk])
        if (got.length >= bytes.length) break
      }
      data.destroy()
      const isEnd = at + bytes.length === huge.size
      expect((await client.reply()).code).toBe(isEnd ? 226 : 426)
      expect(got.subarray(0, bytes.length).equals(bytes), `${at}`).toBe(true)
    }
  })

  test('NFS gives its attributes, its bytes and its end', async () => {
    const handle = await nfs.walk(huge.path)
    expect((await nfs.getattr(handle)).size).toBe(huge.size)
    for (const { at, bytes } of edges) {
      const read = await nfs.read(handle, at, bytes.length)
      expect([read.bytes.equals(bytes), read.eof], `${at}`).toEqual([true, at + bytes.length === huge.size])
    }
    expect(await nfs.read(handle, huge.size, 512)).toMatchObject({ eof: true, bytes: Buffer.alloc(0) })
  })

  test('TFTP gives its tsize', async () => {
    let tsize: string | undefined
    await fetchTftp(huge.path, {
      port: ports.tftp ?? 0,
      options: { tsize: 0, blksize: 1468 },
      intercept(packet, peer) {
        tsize = packet.type === 'oack' ? packet.options.get('tsize') : undefined
        peer.send(encodePacket({ type: 'error', code: 0, message: 'that was all' }))
        return 'stop'
      },
    })
    expect(tsize).toBe(`${huge.size}`)
  })
})
