import type { Entry } from './source.ts'

/**
 * Reads all bytes of a file that the caller knows to be small. Resolves to fewer than `entry.size` when the
 * file is cut while it is being read. Do not change the result: it may be `entry.content` itself.
 *
 * @param maxBytes Where to stop when the file has grown meanwhile.
 */
export async function readWhole(entry: Entry, maxBytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const { content } = entry
  if (content) return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const file = await entry.open()
  try {
    const bytes = Buffer.alloc(Math.min(file.size, maxBytes))
    let filled = 0
    while (filled < bytes.length) {
      const got = await file.read(bytes, filled, bytes.length - filled, filled)
      if (got === 0) break
      filled += got
    }
    return bytes.subarray(0, filled)
  } finally {
    await file.close()
  }
}
