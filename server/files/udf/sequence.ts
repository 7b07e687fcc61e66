import { Failure } from '../../core/failure.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { damaged, type Extent, type Image, isFaultOfImage, readExactly } from '../iso/image.ts'
import type { Bytes } from './space.ts'
import { expectTag, tagBytes, tagId, tagIds, tagTrouble } from './tag.ts'

/**
 * The valid descriptors of a volume with their places in the image, and the size of the sectors that they count
 * in.
 */
export interface VolumeDescriptors {
  readonly sectorBytes: number
  readonly logicalVolume: Bytes
  /** By partition number. */
  readonly partitions: ReadonlyMap<number, Bytes>
}

/**
 * The sector sizes to try. Discs have 2048; a USB stick formatted by Windows or mkudffs has the sectors of
 * the disk.
 */
const sectorSizes = [2048, 512, 1024, 4096]
const mostDescriptors = imageLimits.udfSequence.entries

/** Positions of an `extent_ad` in an anchor (ECMA-167 3/10.2), and in a pointer (3/10.3). */
const mainExtentAt = 16
const reserveExtentAt = 24
const nextExtentAt = 20
/** In a partition descriptor (3/10.5). */
const partitionNumberAt = 22

/**
 * Finds the volume descriptors. An anchor points at the main sequence and at the reserve sequence (ECMA-167
 * 3/8.4.2).
 *
 * @throws Failure that names the byte, when there is no anchor, or neither sequence can be read.
 */
export async function readDescriptors(image: Image): Promise<VolumeDescriptors> {
  for (const sectorBytes of sectorSizes) {
    const anchor = await findAnchor(image, sectorBytes)
    if (!anchor) continue
    const readAt = (at: number) => readSequence(image, sectorBytes, extentAt(anchor, at, sectorBytes))
    const main = await readAt(mainExtentAt).catch(faultOf)
    if (!(main instanceof Failure)) return { sectorBytes, ...main }
    const reserve = await readAt(reserveExtentAt).catch(faultOf)
    if (!(reserve instanceof Failure)) return { sectorBytes, ...reserve }
    throw main
  }
  throw damaged(
    image,
    256 * 2048,
    `expected the anchor of a UDF volume (tag ${tagIds.anchor}) in sector 256, in the last sector or 256 sectors before the last, and found none`,
  )
}

/**
 * Finds the anchor. A disc has it in two of the sectors 256, N - 256 and N, where N is the last one (UDF
 * 2.2.3). A disc that is not closed yet has it in sector 512. An image with padding behind its end has only
 * the anchor in sector 256.
 */
async function findAnchor(image: Image, sectorBytes: number): Promise<Buffer | undefined> {
  const last = Math.floor(image.size / sectorBytes) - 1
  for (const sector of [256, last - 256, last, 512]) {
    const extent = { offset: sector * sectorBytes, length: 512 }
    if (sector < 0 || sector > last) continue
    const bytes = await readExactly(image, extent, 'an anchor')
    if (tagId(bytes) === tagIds.anchor && tagTrouble(bytes, sector) === undefined) return bytes
  }
  return undefined
}

/** `extent_ad` (ECMA-167 3/7.1): a length in bytes and a sector. */
function extentAt(bytes: Buffer, at: number, sectorBytes: number): Extent {
  return { offset: bytes.readUInt32LE(at + 4) * sectorBytes, length: bytes.readUInt32LE(at) }
}

/**
 * Reads one sequence. Of several descriptors of one kind, the highest sequence number wins (ECMA-167
 * 3/8.4.3); of equal ones the last, as in Linux.
 */
async function readSequence(
  image: Image,
  sectorBytes: number,
  extent: Extent,
): Promise<Pick<VolumeDescriptors, 'logicalVolume' | 'partitions'>> {
  // The sequence number follows the tag.
  const newer = (one: Bytes | undefined, other: Bytes): Bytes =>
    one && one.bytes.readUInt32LE(tagBytes) > other.bytes.readUInt32LE(tagBytes) ? one : other
  let logicalVolume: Bytes | undefined
  const partitions = new Map<number, Bytes>()
  for await (const descriptor of descriptorsIn(image, sectorBytes, extent)) {
    const { bytes } = descriptor
    if (tagId(bytes) === tagIds.logicalVolume) logicalVolume = newer(logicalVolume, descriptor)
    if (tagId(bytes) !== tagIds.partition) continue
    const number = bytes.readUInt16LE(partitionNumberAt)
    partitions.set(number, newer(partitions.get(number), descriptor))
  }
  if (!logicalVolume)
    throw damaged(
      image,
      extent.offset,
      `expected a logical volume descriptor (tag ${tagIds.logicalVolume}) in the volume descriptor sequence of ${extent.length} bytes, and found none`,
    )
  return { logicalVolume, partitions }
}

/**
 * Yields all descriptors of a sequence, which may continue elsewhere (volume descriptor pointer, ECMA-167
 * 3/10.3).
 */
async function* descriptorsIn(image: Image, sectorBytes: number, extent: Extent): AsyncGenerator<Bytes> {
  let { offset: at, length } = extent
  for (let count = 0; length >= sectorBytes; count++) {
    if (count >= mostDescriptors)
      throw damaged(image, at, `the volume descriptor sequence has more than ${mostDescriptors} descriptors`)
    const what = 'a volume descriptor (UDF)'
    const bytes = await readExactly(image, { offset: at, length: sectorBytes }, what)
    const id = tagId(bytes)
    // A sector that was never written ends the sequence, as the terminating descriptor does.
    if (id === 0 || id === tagIds.terminating) return
    // Any kind will do, if its tag is valid.
    expectTag(image, { bytes, at }, { ids: [id], what, location: at / sectorBytes })
    if (id === tagIds.volumePointer) ({ offset: at, length } = extentAt(bytes, nextExtentAt, sectorBytes))
    else {
      yield { bytes, at }
      at += sectorBytes
      length -= sectorBytes
    }
  }
}

function faultOf(error: unknown): Failure {
  if (isFaultOfImage(error)) return error
  throw error
}
