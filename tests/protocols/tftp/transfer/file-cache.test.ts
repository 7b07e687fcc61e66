import { randomBytes } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { cleanPath } from '../../../../server/files/path.ts'
import type { Entry } from '../../../../server/files/source.ts'
import type { FileBuffer } from '../../../../server/protocols/tftp/transfer/file-buffer.ts'
import { FileCache } from '../../../../server/protocols/tftp/transfer/file-cache.ts'

const path = cleanPath('/file')
const limits = { cacheBytes: 10_000_000, fileBytes: 5_000_000 }

/** An entry that is read from memory, but must be opened like a file on disk. Counts openings and octets. */
function diskEntry(bytes: Uint8Array, etag = 'one') {
  const counts = { opened: 0, octetsRead: 0 }
  const entry: Entry = {
    name: 'file',
    kind: 'file',
    size: bytes.length,
    modifiedMs: 0,
    etag,
    open: async () => {
      counts.opened++
      return {
        size: bytes.length,
        read: async (target, offset, length, position) => {
          const part = bytes.subarray(position, position + length)
          target.set(part, offset)
          counts.octetsRead += part.length
          return part.length
        },
        close: async () => undefined,
      }
    },
  }
  return { entry, counts }
}

/** Resolves when the octets before `end` are there. */
function readTo(buffer: FileBuffer, end: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiter = {
      moreRead: (): void => {
        if (buffer.ready(end, waiter)) resolve()
      },
      readFailed: reject,
    }
    waiter.moreRead()
  })
}

function copied(buffer: FileBuffer, position: number, length: number): Buffer {
  const out = Buffer.alloc(length)
  buffer.copy(position, length, out, 0)
  return out
}

describe('files that are kept whole', () => {
  test('transfers of the same file share its buffer; a changed file has another', async () => {
    const cache = new FileCache(limits)
    const { entry, counts } = diskEntry(randomBytes(3_000_000))
    const first = await cache.get(path, entry, 'octet')
    first.acquire()
    await readTo(first, entry.size)
    first.release()
    expect((await cache.get(path, entry, 'octet')) === first).toBe(true)
    expect(counts.opened).toBe(1)
    expect((await cache.get(path, { ...entry, etag: 'two' }, 'octet')) === first).toBe(false)
  })

  test('reading stops when its last transfer ends, and the file is forgotten', async () => {
    const cache = new FileCache(limits)
    const { entry, counts } = diskEntry(randomBytes(4_000_000))
    const buffer = await cache.get(path, entry, 'octet')
    buffer.acquire()
    await readTo(buffer, 1)
    buffer.release()
    expect((await cache.get(path, entry, 'octet')) === buffer).toBe(false)
    expect(counts.octetsRead).toBeLessThan(entry.size)
  })

  test('a transfer that only asks for the size reads nothing', async () => {
    const { entry, counts } = diskEntry(randomBytes(1000))
    const buffer = await new FileCache(limits).get(path, entry, 'octet')
    buffer.acquire()
    buffer.release()
    expect([buffer.size, counts.opened]).toEqual([1000, 0])
  })

  test('a file that was cut while being read fails its transfers, and is read again for the next', async () => {
    const cache = new FileCache(limits)
    const { entry } = diskEntry(randomBytes(1000))
    const longer = { ...entry, size: 2000 }
    const buffer = await cache.get(path, longer, 'octet')
    buffer.acquire()
    await expect(readTo(buffer, 2000)).rejects.toMatchObject({ kind: 'invalid-data' })
    expect((await cache.get(path, longer, 'octet')) === buffer).toBe(false)
  })
})

describe('files that are too large to keep', () => {
  test('each transfer has a ring, which waits for octets to be discarded', async () => {
    const bytes = randomBytes(5_500_000)
    const { entry } = diskEntry(bytes)
    const cache = new FileCache(limits)
    const buffer = await cache.get(path, entry, 'octet')
    expect((await cache.get(path, entry, 'octet')) === buffer).toBe(false)
    buffer.acquire()
    const step = 100_000
    for (let position = 0; position < entry.size; position += step) {
      const length = Math.min(step, entry.size - position)
      await readTo(buffer, position + length)
      expect(buffer.filled - position).toBeLessThanOrEqual(buffer.bytes.length)
      expect(copied(buffer, position, length).equals(bytes.subarray(position, position + length))).toBe(true)
      buffer.discardBefore(position + length)
    }
    buffer.release()
  })
})

describe('claims', () => {
  test('are made before the first octet is read, not when the size is asked', async () => {
    const claim = vi.fn(async () => undefined)
    const { entry, counts } = diskEntry(randomBytes(100))
    const buffer = await new FileCache(limits).get(path, { ...entry, claim }, 'octet')
    buffer.acquire()
    expect(claim).not.toHaveBeenCalled()
    await readTo(buffer, 100)
    expect([claim.mock.calls.length, counts.opened]).toEqual([1, 1])
  })

  test('that fail let no octet out', async () => {
    const claim = () => Promise.reject(new Error('no disk'))
    const { entry, counts } = diskEntry(randomBytes(100))
    const buffer = await new FileCache(limits).get(path, { ...entry, claim }, 'octet')
    buffer.acquire()
    await expect(readTo(buffer, 1)).rejects.toThrow('no disk')
    expect(counts.opened).toBe(0)
  })
})

test('netascii: a text is converted as a whole; a file too large for a text is refused', async () => {
  const cache = new FileCache(limits)
  const { entry } = diskEntry(Buffer.from('a\nb'))
  const buffer = await cache.get(path, entry, 'netascii')
  expect(copied(buffer, 0, buffer.size).toString()).toBe('a\r\nb')
  const huge = { ...entry, size: 65 * 1024 * 1024 }
  await expect(cache.get(path, huge, 'netascii')).rejects.toMatchObject({ kind: 'too-large' })
})
