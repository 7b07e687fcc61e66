import { imageLimits } from '../../core/limits/images.ts'
import { damaged } from '../iso/image.ts'
import type { FileEntry } from './file-entry.ts'
import { type BlockAddress, type Bytes, placesOf, readAddress, readBlock, type Space } from './space.ts'
import { expectTag, tagIds } from './tag.ts'

/** A piece of a file. A piece without `offset` was allocated and never written: it reads as zeros. */
export interface Run {
  readonly offset?: number
  readonly length: number
  /** The byte of the image where its allocation descriptor begins, for messages. */
  readonly namedAt: number
}

/** How many allocation descriptors may still be read, for one file or for all files of one folder. */
export interface DescriptorBudget {
  left: number
}

export function newDescriptorBudget(): DescriptorBudget {
  return { left: imageLimits.folderAllocationDescriptors.entries }
}

/**
 * The most descriptors of one file, and the most areas in which they continue. A block of 2048 bytes holds 125 long
 * descriptors and the one that leads on, so 525 areas are enough for all descriptors.
 */
const { entries: mostDescriptors, depth: mostContinuations } = imageLimits.allocationDescriptors
/** Bytes of an allocation extent descriptor before the allocation descriptors in it (ECMA-167 4/14.5). */
const extentHead = 24
/** The position, in such a descriptor, of how many bytes of allocation descriptors follow. */
const areaBytesAt = 20

/**
 * The upper two bits of a length (ECMA-167 4/14.14.1.1): 0 means recorded; 1 and 2 mean allocated or
 * reserved, and not recorded; 3 means that the extent holds more descriptors.
 */
const recorded = 0
const continued = 3

/** A short or long allocation descriptor (ECMA-167 4/14.14.1 and 4/14.14.2). */
interface AllocationDescriptor {
  /** The upper two bits of its length, see `recorded`. */
  readonly kind: number
  readonly length: number
  readonly address: BlockAddress
  /** The position of the descriptor in the image. */
  readonly at: number
}

/** The state of reading the descriptors of one file. */
interface Reading {
  readonly space: Space
  readonly entry: FileEntry
  readonly budget: DescriptorBudget
  readonly runs: Run[]
  /** The positions of the continuation areas that were read already. */
  readonly seen: Set<number>
  /** Bytes of the file that no descriptor has named yet. */
  left: number
}

/**
 * Finds the bytes of a file, in order, up to its size. Extents beyond the file size are ignored.
 *
 * @throws Failure `invalid-data` naming the byte: descriptors that end early, or never.
 */
export async function readRuns(space: Space, entry: FileEntry, budget: DescriptorBudget): Promise<Run[]> {
  if (entry.allocation === 'embedded')
    return [{ offset: entry.areaAt, length: entry.size, namedAt: entry.at }]
  const reading: Reading = { space, entry, budget, runs: [], seen: new Set(), left: entry.size }
  let area: Bytes | undefined = { bytes: entry.area, at: entry.areaAt }
  while (area) area = await readArea(reading, area)
  if (reading.left > 0)
    throw damaged(
      space.image,
      entry.at,
      `the file entry gives a size of ${entry.size} bytes, and its allocation descriptors hold ${entry.size - reading.left}`,
    )
  return reading.runs
}

/** Adds the runs of all descriptors in one area. Resolves to the area in which they continue, if they do. */
async function readArea(reading: Reading, { bytes, at }: Bytes): Promise<Bytes | undefined> {
  const { entry } = reading
  const width = entry.allocation === 'short' ? 8 : 16
  for (let next = 0; next + width <= bytes.length && reading.left > 0; next += width) {
    const descriptor = decodeDescriptor(bytes, next, at + next, entry)
    // ECMA-167 4/12: a length of 0 ends the descriptors.
    if (descriptor.length === 0) return undefined
    countDescriptor(reading, descriptor)
    if (descriptor.kind === continued) return readContinuation(reading, descriptor)
    addRuns(reading, descriptor)
  }
  return undefined
}

/** A short descriptor names a block of the partition that its file entry lies in. */
function decodeDescriptor(bytes: Buffer, next: number, at: number, entry: FileEntry): AllocationDescriptor {
  const word = bytes.readUInt32LE(next)
  const address =
    entry.allocation === 'short'
      ? { block: bytes.readUInt32LE(next + 4), partition: entry.address.partition }
      : readAddress(bytes, next + 4)
  return { kind: word >>> 30, length: word & 0x3fffffff, address, at }
}

function countDescriptor({ space, budget, runs }: Reading, { at }: AllocationDescriptor): void {
  if (--budget.left >= 0 && runs.length < mostDescriptors) return
  throw damaged(
    space.image,
    at,
    `a file is in more than ${mostDescriptors} pieces, or all files of its folder are in too many`,
  )
}

function addRuns(reading: Reading, descriptor: AllocationDescriptor): void {
  const { space, runs } = reading
  const length = Math.min(descriptor.length, reading.left)
  const namedAt = descriptor.at
  reading.left -= length
  if (descriptor.kind !== recorded) runs.push({ length, namedAt })
  else
    for (const extent of placesOf(space, descriptor.address, length, namedAt))
      runs.push({ ...extent, namedAt })
}

/** Reads the area in which the descriptors of a file continue (ECMA-167 4/14.5). */
async function readContinuation({ space, seen }: Reading, descriptor: AllocationDescriptor): Promise<Bytes> {
  const { image, blockBytes } = space
  const { address } = descriptor
  const what = 'an allocation extent descriptor'
  const { bytes, at } = await readBlock(space, address, descriptor.at, what)
  if (seen.has(at) || seen.size >= mostContinuations)
    throw damaged(image, descriptor.at, 'the allocation descriptors of a file do not end')
  seen.add(at)
  expectTag(image, { bytes, at }, { ids: [tagIds.allocationExtent], what, location: address.block })
  const room = Math.min(descriptor.length, blockBytes) - extentHead
  const used = bytes.readUInt32LE(areaBytesAt)
  if (used > room)
    throw damaged(image, at + areaBytesAt, `${what} has room for ${room} bytes and claims ${used}`)
  return { bytes: bytes.subarray(extentHead, extentHead + used), at: at + extentHead }
}
