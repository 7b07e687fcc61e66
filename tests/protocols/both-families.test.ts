import { networkInterfaces } from 'node:os'
import { Writable } from 'node:stream'
import { Client } from 'basic-ftp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { testApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { NfsClient } from '../support/nfs-client.ts'
import { TcpWire } from '../support/nfs-wire.ts'
import { fetchTftp } from '../support/tftp-client.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

/** All services on the address that they have by default, asked by clients of either family. */

const home = keptFolder()
const seen = new Set<string>()
let app: App
let port: (service: string) => number

beforeAll(async () => {
  const services = ['http', 'tftp', 'ftp', 'nfs'].map((name) => `${name}: { port: 0 }\n`).join('')
  writeBelow(home.path, 'config.yaml', services)
  app = testApp(home.path)
  app.events.subscribe((event) => {
    if (event.type === 'served') seen.add(`${event.protocol} ${event.client}`)
  })
  await app.start()
  const ports = new Map(app.serviceLines().map((line) => [line.name, line.port ?? 0]))
  port = (service) => ports.get(service) ?? 0
})

afterAll(async () => {
  await app.stop()
  home.remove()
})

const script = '/boot.ipxe'

async function byFtp(host: string): Promise<string> {
  const client = new Client()
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  try {
    await client.access({ host, port: port('ftp') })
    await client.downloadTo(sink, script)
  } finally {
    client.close()
  }
  return Buffer.concat(chunks).toString()
}

async function byNfs(host: string): Promise<string> {
  const wire = await TcpWire.open(port('nfs'), host)
  const client = new NfsClient(wire)
  try {
    return (await client.readAll(await client.walk(script), 4096)).toString()
  } finally {
    wire.close()
  }
}

const ways = {
  http: async (_host: string, base: string) => (await fetch(`${base}${script}`)).text(),
  tftp: async (host: string) => (await fetchTftp(script, { host, port: port('tftp') })).bytes.toString(),
  ftp: byFtp,
  nfs: byNfs,
} as const

const hasLoopback6 = Object.values(networkInterfaces()).some((infos) =>
  infos?.some(({ address }) => address === '::1'),
)

describe.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '[::1]'],
])('a client of %s', (host, inUrl) => {
  // Some containers have no IPv6 at all.
  const isMissing = host === '::1' && !hasLoopback6
  test.skipIf(isMissing).each(Object.entries(ways))(
    'by %s gets URLs of its family and is known by its plain address',
    async (service, fetchBy) => {
      const base = `http://${inUrl}:${port('http')}`
      expect(await fetchBy(host, base)).toContain(`${base}/`)
      await eventually(() => expect(seen).toContain(`${service} ${host}`))
    },
  )
})

test.skipIf(!hasLoopback6)('the services say that they listen on every address', () => {
  expect(app.serviceLines().flatMap(({ open, host }) => (open ? [host] : []))).toEqual([
    '::',
    '::',
    '::',
    '::',
  ])
})
