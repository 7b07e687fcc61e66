import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BufferPool, bigBufferBytes } from '../../server/files/buffers.ts'
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

describe('the pool of big buffers', () => {
  test('at most `limit` are lent; a further loan is a small buffer that is not kept', () => {
    const pool = new BufferPool(2)
    const [first, second, third] = [pool.take(), pool.take(), pool.take()]
    expect([first, second, third].map(({ bytes: { length } }) => length)).toEqual([
      bigBufferBytes,
      bigBufferBytes,
      64 * 1024,
    ])
    expect(pool.lent).toBe(2)
    pool.give(third)
    expect(pool.lent).toBe(2)
    pool.give(first)
    pool.give(second)
    expect(pool.lent).toBe(0)
    // The one that was returned last is still in the processor's cache.
    expect(pool.take().bytes).toBe(second.bytes)
    expect(pool.take().bytes).toBe(first.bytes)
  })
})

describe('a client that takes its time', () => {
  /** A socket whose client takes one piece whenever `take` is called. */
  function slowClient() {
    const held: (() => void)[] = []
    const out = new Writable({ write: (_bytes, _encoding, done) => void held.push(done) })
    const idle = () => new Promise((resolve) => setImmediate(resolve))
    const take = async () => {
      held.shift()?.()
      await idle()
    }
    return { out, take, idle }
  }

  /** A file of endless bytes that counts its reads. */
  const countingFile = () => {
    const spans: [from: number, length: number][] = []
    const read = async (_target: Uint8Array, _offset: number, length: number, position: number) => {
      spans.push([position, length])
      return length
    }
    return { spans, file: { size: 1e9, read, close: () => Promise.resolve() } }
  }

  test('the file is read one piece ahead, and bytes count when the system has them', async () => {
    const { out, take, idle } = slowClient()
    const { spans, file } = countingFile()
    const pool = new BufferPool(1)
    const counted: number[] = []
    const context = { pool, onBytes: (count: number) => void counted.push(count) }
    const [big, small] = [bigBufferBytes, 64 * 1024]
    const sending = sendParts([{ from: 7, length: big + small + 10 }], file, out, context)
    await idle()
    expect(spans).toEqual([
      [7, big],
      [7 + big, small],
    ])
    expect([counted, pool.lent]).toEqual([[], 1])
    await take()
    expect(counted).toEqual([big])
    expect(spans[2]).toEqual([7 + big + small, 10])
    await take()
    await take()
    expect(await sending).toBe(true)
    expect([counted, pool.lent]).toEqual([[big, small, 10], 0])
    expect(spans).toHaveLength(3)
    // A connection may send thousands of files: none leaves a listener.
    expect(out.listenerCount('close')).toBe(0)
  })

  test('bytes in memory wait, too, and a client that leaves ends the wait', async () => {
    const { out, take, idle } = slowClient()
    const pool = new BufferPool()
    const counted: number[] = []
    const context = { pool, onBytes: (count: number) => void counted.push(count) }
    let result: boolean | undefined
    const parts = Array.from({ length: 5 }, () => Buffer.from('abc'))
    const sending = sendParts(parts, undefined, out, context).then((complete) => {
      result = complete
    })
    await idle()
    expect(out.writableLength).toBe(3 * 3)
    await take()
    expect([out.writableLength, counted, result]).toEqual([9, [3], undefined])
    out.destroy()
    await sending
    await idle()
    expect([result, counted]).toEqual([false, [3]])
    expect(out.listenerCount('close')).toBe(0)
  })

  test('a client that leaves during a read gets no more, and its buffer is returned', async () => {
    const { out } = slowClient()
    const pool = new BufferPool()
    const read = async () => {
      out.destroy()
      return 100
    }
    const file = { size: 100, read, close: () => Promise.resolve() }
    const context = { pool, onBytes: () => {} }
    expect(await sendParts([{ from: 0, length: 100 }], file, out, context)).toBe(false)
    expect(pool.lent).toBe(0)
  })

  test('nothing is sent of a span without a file, nor to a client that is gone', async () => {
    const context = { pool: new BufferPool(), onBytes: () => {} }
    const span = { from: 0, length: 10 }
    expect(await sendParts([span], undefined, slowClient().out, context)).toBe(false)
    const { out } = slowClient()
    out.destroy()
    const { spans, file } = countingFile()
    expect(await sendParts([span], file, out, context)).toBe(false)
    expect([spans, context.pool.lent]).toEqual([[], 0])
  })

  test('a file that fails or ends early is an error, and its buffer is returned', async () => {
    const pool = new BufferPool()
    const context = { pool, onBytes: () => {} }
    const close = () => Promise.resolve()
    const cut = { size: 100, read: async () => 0, close }
    const span = { from: 40, length: 60 }
    const sent = sendParts([span], cut, slowClient().out, context)
    await expect(sent).rejects.toMatchObject({ kind: 'invalid-data' })
    const broken = { size: 100, read: () => Promise.reject(new Error('EIO')), close }
    await expect(sendParts([span], broken, slowClient().out, context)).rejects.toThrow('EIO')
    expect(pool.lent).toBe(0)
  })
})
