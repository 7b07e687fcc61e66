import type { Entry } from './source.ts'

/** All bytes of a small file. The caller knows that it is small. */
export async function readWhole(entry: Entry): Promise<Buffer> {
  if (entry.content) return Buffer.from(entry.content)
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
