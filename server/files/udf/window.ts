import { LRUCache } from 'lru-cache'
import type { Image } from '../iso/image.ts'

const windowBytes = 64 * 1024
const keptWindows = 16

/**
 * The same image, read through windows that are kept a while. UDF tells of each file in a block of its own, and writers
 * put those side by side: a listing of three thousand files is a hundred readings and not three thousand.
 */
export function windowed(image: Image): Image {
  const windows = new LRUCache<number, Promise<Buffer>>({ max: keptWindows })
  const windowAt = (start: number): Promise<Buffer> => {
    const known = windows.get(start)
    if (known) return known
    const reading = image.readAt(start, Math.min(windowBytes, image.size - start))
    windows.set(start, reading)
    reading.catch(() => windows.delete(start))
    return reading
  }
  return {
    name: image.name,
    size: image.size,
    async readAt(position, length) {
      const start = position - (position % windowBytes)
      if (position + length > Math.min(start + windowBytes, image.size)) return image.readAt(position, length)
      return (await windowAt(start)).subarray(position - start, position - start + length)
    },
  }
}
