import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BufferPool } from '../../server/files/buffers.ts'
import { bytesEntry } from '../../server/files/memory.ts'
import { sendParts } from '../../server/files/send.ts'

/** More than the buffers of two sockets hold, so that a client can disconnect in the middle. */
const bytes = Buffer.alloc(40 * 1024 * 1024, 'x')
const server = createServer()
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => void server.close())

async function pair(): Promise<[Socket, Socket]> {
  const address = server.address()
  const client = connect(address && typeof address === 'object' ? address.port : 0, '127.0.0.1')
  const [ours] = await once(server, 'connection')
  return [ours, client]
}

// 96 is what a pool lends by default.
test.each([0, 1, 96])('with %i big buffers: all are free again after a client disconnects', async (limit) => {
  const pool = new BufferPool(limit)
  const file = await bytesEntry('x', bytes, 0).open()
  const [ours, client] = await pair()
  ours.on('error', () => {})
  let counted = 0
  const sending = sendParts([Buffer.from('head'), { from: 0, length: bytes.length }], file, ours, {
    pool,
    onBytes: (n) => {
      counted += n
    },
  })
  await once(client, 'data')
  client.resetAndDestroy()
  expect(await sending).toBe(false)
  expect(counted).toBeLessThan(bytes.length)
  expect(pool.lent).toBe(0)
})

test.each([0, 1, 96])('with %i big buffers: all bytes arrive in order', async (limit) => {
  const pool = new BufferPool(limit)
  const numbers = Buffer.from(Uint32Array.from({ length: 500_000 }, (_, i) => i).buffer)
  const file = await bytesEntry('x', numbers, 0).open()
  const [ours, client] = await pair()
  // The first span fills three big buffers, and a part of a fourth.
  const parts = [{ from: 4, length: 1_999_990 }, Buffer.from('between'), { from: 0, length: 8 }]
  const sending = sendParts(parts, file, ours, { pool, onBytes: () => {} }).then((complete) => {
    ours.end()
    return complete
  })
  const read: Buffer[] = []
  for await (const chunk of client) read.push(chunk)
  expect(await sending).toBe(true)
  const expected = [numbers.subarray(4, 4 + 1_999_990), Buffer.from('between'), numbers.subarray(0, 8)]
  expect(Buffer.concat(read).equals(Buffer.concat(expected))).toBe(true)
  expect(pool.lent).toBe(0)
})
