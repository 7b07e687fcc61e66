import { damaged } from '../iso/image.ts'
import type { FileEntry } from './file-entry.ts'
import { type BlockAddress, placesOf, readAddress, readBlock, type Space } from './space.ts'
import { expectTag, tagIds } from './tag.ts'

/** A piece of a file. Without `offset` nothing was recorded for it: it reads as zeros. */
export interface Run {
  readonly offset?: number
  readonly length: number
  /** Where the image tells of it. */
  readonly toldAt: number
}

/** What a folder's files may cost to read together, in allocation descriptors. */
export interface Budget {
  left: number
}

export function newBudget(): Budget {
  return { left: 1_000_000 }
}

/** Descriptors of one file: 64 TiB where it lies together, since a descriptor has 30 bits of length. */
const mostDescriptors = 65_536
const mostContinuations = 1024
/** An allocation extent descriptor in front of its descriptors (ECMA-167 4/14.5). */
const extentHead = 24

/** The upper two bits of a length (ECMA-167 4/14.14.1.1). 1 and 2 are reserved, not written; 3 leads to more descriptors. */
const recorded = 0
const continued = 3

/**
 * Where the bytes of a file are, in order, as far as its size goes. What is allocated behind that is nobody's.
 *
 * @throws Failure `invalid-data` naming the byte: descriptors that end early, or never.
 */
export async function readRuns(space: Space, entry: FileEntry, budget: Budget): Promise<Run[]> {
  const { image } = space
  if (entry.allocation === 'embedded')
    return entry.size === 0 ? [] : [{ offset: entry.areaAt, length: entry.size, toldAt: entry.at }]
  const width = entry.allocation === 'short' ? 8 : 16
  const runs: Run[] = []
  const seen = new Set<number>()
  let left = entry.size
  let area: { readonly bytes: Buffer; readonly at: number } | undefined = {
    bytes: entry.area,
    at: entry.areaAt,
  }
  while (area && left > 0) {
    const { bytes, at }: { readonly bytes: Buffer; readonly at: number } = area
    area = undefined
    for (let next = 0; next + width <= bytes.length && left > 0; next += width) {
      const toldAt = at + next
      const kind = bytes.readUInt32LE(next) >>> 30
      const said = bytes.readUInt32LE(next) & 0x3fffffff
      // ECMA-167 4/12: a length of 0 ends the descriptors.
      if (said === 0) break
      if (--budget.left < 0 || runs.length >= mostDescriptors)
        throw damaged(
          image,
          toldAt,
          `a file is in more than ${mostDescriptors} pieces, or its folder's files are`,
        )
      const address =
        width === 8
          ? { block: bytes.readUInt32LE(next + 4), partition: entry.address.partition }
          : readAddress(bytes, next + 4)
      if (kind === continued) {
        area = await readMore(space, address, said, toldAt, seen)
        break
      }
      const length = Math.min(said, left)
      left -= length
      if (kind !== recorded) runs.push({ length, toldAt })
      else for (const extent of placesOf(space, address, length, toldAt)) runs.push({ ...extent, toldAt })
    }
  }
  if (left > 0)
    throw damaged(
      image,
      entry.at,
      `the file entry tells of ${entry.size} bytes, and its allocation descriptors of ${entry.size - left}`,
    )
  return runs
}

/** Allocation descriptors that had no room where the others are. */
async function readMore(
  space: Space,
  address: BlockAddress,
  length: number,
  from: number,
  seen: Set<number>,
): Promise<{ readonly bytes: Buffer; readonly at: number }> {
  const { image, blockBytes } = space
  const what = 'an allocation extent descriptor'
  const { bytes, at } = await readBlock(space, address, from, what)
  if (seen.has(at) || seen.size >= mostContinuations)
    throw damaged(image, from, 'the allocation descriptors of a file lead on without end')
  seen.add(at)
  expectTag(image, bytes, at, [tagIds.allocationExtent], what, address.block)
  const room = Math.min(length, blockBytes) - extentHead
  const used = bytes.readUInt32LE(20)
  if (used > room) throw damaged(image, at + 20, `${what} has room for ${room} bytes and tells of ${used}`)
  return { bytes: bytes.subarray(extentHead, extentHead + used), at: at + extentHead }
}
