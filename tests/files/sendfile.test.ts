import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BufferPool } from '../../server/files/buffers.ts'
import { diskSource } from '../../server/files/disk.ts'
import { sendSpan } from '../../server/files/sendfile.ts'
import type { OpenFile } from '../../server/files/source.ts'
import { stat } from '../support/sources.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const bytes = randomBytes(12_345_678)
const server = createServer()
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => void server.close())

async function pair(): Promise<[ours: Socket, client: Socket]> {
  const address = server.address()
  const client = connect(address && typeof address === 'object' ? address.port : 0, '127.0.0.1')
  const [ours] = await once(server, 'connection')
  ours.on('error', () => {})
  client.on('error', () => {})
  return [ours, client]
}

async function openBig(): Promise<{ path: string; file: OpenFile }> {
  const folder = temporaryFolder()
  const path = join(folder, 'big')
  writeFileSync(path, bytes)
  const entry = await stat(diskSource(folder), '/big')
  if (!entry) throw new Error('big is not there')
  return { path, file: await entry.open() }
}

const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

/**
 * Reads everything from a socket, with a pause of one turn of the event loop after every `pauseEvery` chunks.
 */
async function received(socket: Socket, pauseEvery: number): Promise<string> {
  const hash = createHash('sha256')
  let chunks = 0
  for await (const chunk of socket as AsyncIterable<Uint8Array>) {
    hash.update(chunk)
    if (++chunks % pauseEvery === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return hash.digest('hex')
}

test.each([
  ['by sendfile', true, 0, bytes.length],
  ['by sendfile, from the middle, to a slow reader', true, 1_000_001, 9_000_003],
  ['through buffers, for a file without a descriptor', false, 77, 5_000_000],
  ['a short span', true, 5, 100],
  ['an empty span', true, bytes.length, 0],
])('%s: the bytes arrive unchanged, and all are counted', async (_, withDescriptor, from, length) => {
  const { file } = await openBig()
  const { descriptor, ...plain } = file
  expect(descriptor).toBeDefined()
  const [ours, client] = await pair()
  // Spans that do not begin at 0 go to a slow reader.
  const pauseEvery = from > 0 ? 1 : 1000
  const arrived = received(client, pauseEvery)
  let counted = 0
  const sent = await sendSpan({ from, length }, withDescriptor ? file : plain, ours, {
    pool: new BufferPool(),
    onBytes: (count) => {
      counted += count
    },
  })
  ours.end()
  expect(sent).toBe(true)
  expect(counted).toBe(length)
  expect(await arrived).toBe(digest(bytes.subarray(from, from + length)))
  await file.close()
})

test('a client that disconnects ends the transfer, and no descriptor stays open', async () => {
  const { file } = await openBig()
  const before = readdirSync('/proc/self/fd').length
  for (const leave of ['destroy', 'resetAndDestroy'] as const) {
    const [ours, client] = await pair()
    const sent = sendSpan({ from: 0, length: bytes.length }, file, ours, {
      pool: new BufferPool(),
      onBytes: () => {},
    })
    client.once('data', () => client[leave]())
    expect(await sent).toBe(false)
    if (!ours.closed) await once(ours, 'close')
  }
  expect(readdirSync('/proc/self/fd').length).toBe(before)
  await file.close()
})

test('a file that is cut during the transfer is an error, not a short success', async () => {
  const { path, file } = await openBig()
  truncateSync(path, 3_000_000)
  const [ours, client] = await pair()
  client.resume()
  const sent = sendSpan({ from: 0, length: bytes.length }, file, ours, {
    pool: new BufferPool(),
    onBytes: () => {},
  })
  await expect(sent).rejects.toMatchObject({ kind: 'invalid-data' })
  ours.destroy()
  await file.close()
})
