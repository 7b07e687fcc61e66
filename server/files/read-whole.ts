import type { Entry } from './source.ts'

/** All bytes of a small file; the caller knows that it is small. Fewer than `entry.size` when it is cut while being read. */
export async function readWhole(entry: Entry): Promise<Buffer> {
  const { content } = entry
  if (content) return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const file = await entry.open()
  try {
    const bytes = Buffer.alloc(file.size)
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
