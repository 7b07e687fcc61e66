import { imageLimits } from '../../core/limits/images.ts'
import { damaged, type Extent, type Image, isFaultOfImage } from '../iso/image.ts'
import { newDescriptorBudget, type Run, readRuns } from './allocation.ts'
import { fileTypes, readFileEntry, typeAt, unsupported } from './file-entry.ts'
import { readDescriptors, type VolumeDescriptors } from './sequence.ts'
import { type BlockAddress, type Bytes, type Partition, readAddress, type Space } from './space.ts'

/** A logical volume of UDF. */
export interface UdfVolume extends Space {
  /** The address of the file set descriptor, which names the root folder. */
  readonly fileSet: BlockAddress
  /** The byte of the image that names this address, for messages. */
  readonly fileSetNamedAt: number
  /** The size that the volume states: up to the end of the last partition. */
  readonly bytes: number
}

/** A partition map (ECMA-167 3/10.7, UDF 2.2.8 to 2.2.10). */
interface PartitionMap {
  readonly at: number
  readonly number: number
  /**
   * Only for a metadata partition (type 2): the blocks of the file entries of the metadata file and of its
   * mirror, in the partition of the same number.
   */
  readonly metadata?: readonly [number, number]
}

/**
 * The most runs of the metadata file: each block of a folder or file entry is searched for in all of them.
 */
const mostMetadataRuns = imageLimits.udfMetadata.entries

/** Fields of the logical volume descriptor (ECMA-167 3/10.6). */
const volumeFields = { blockBytes: 212, fileSet: 248, mapBytes: 264, mapCount: 268, maps: 440 }
/** Fields of the partition descriptor, in sectors (ECMA-167 3/10.5). */
const partitionFields = { start: 188, length: 192 }

/**
 * Opens the UDF volume of an image. UDF 1.02 to 2.01 has plain partitions; UDF 2.50 and later adds the
 * metadata partition, which is a file with blocks of its own. Virtual and sparable partitions are refused
 * (UDF 1.50, recordable and rewritable discs that are written in steps), because no installation medium has
 * them.
 *
 * @throws Failure `invalid-data` naming the byte, `unsupported`.
 */
export async function openVolume(image: Image): Promise<UdfVolume> {
  const descriptors = await readDescriptors(image)
  const { bytes, at } = descriptors.logicalVolume
  const blockBytes = bytes.readUInt32LE(volumeFields.blockBytes)
  if (blockBytes !== descriptors.sectorBytes)
    throw damaged(
      image,
      at + volumeFields.blockBytes,
      `expected logical blocks of ${descriptors.sectorBytes} bytes, as the sectors are, found ${blockBytes}`,
    )
  const maps = [...partitionMaps(image, descriptors.logicalVolume)]
  const plain = maps.map((map) => plainPartition(image, descriptors, map))
  const space = { image, blockBytes, partitions: plain.map(({ places }) => places) }
  const partitions: Partition[] = []
  for (const [i, map] of maps.entries())
    partitions.push(
      map.metadata
        ? await metadataPartition(
            { ...space, partitions: [space.partitions[i] ?? nowhere] },
            map.metadata,
            map.at,
          )
        : (space.partitions[i] ?? nowhere),
    )
  return {
    ...space,
    partitions,
    fileSet: readAddress(bytes, volumeFields.fileSet + 4),
    fileSetNamedAt: at + volumeFields.fileSet,
    bytes: plain.reduce((most, { end }) => Math.max(most, end), 0),
  }
}

const nowhere: Partition = () => undefined

function* partitionMaps(image: Image, { bytes, at }: Bytes): Generator<PartitionMap> {
  const end = volumeFields.maps + bytes.readUInt32LE(volumeFields.mapBytes)
  const count = bytes.readUInt32LE(volumeFields.mapCount)
  if (end > bytes.length)
    throw damaged(
      image,
      at + volumeFields.mapBytes,
      `expected partition maps of at most ${bytes.length - volumeFields.maps} bytes, found ${end - volumeFields.maps}`,
    )
  let next = volumeFields.maps
  for (let i = 0; i < count; i++) {
    const [type = 0, length = 0] = bytes.subarray(next, end)
    if (next + length > end || !((type === 1 && length === 6) || (type === 2 && length === 64)))
      throw damaged(
        image,
        at + next,
        `expected partition map ${i + 1} of ${count}, of type 1 and 6 bytes or type 2 and 64 bytes; found type ${type} and ${length} bytes`,
      )
    yield readMap(image, bytes.subarray(next, next + length), at + next)
    next += length
  }
}

/**
 * Decodes a map. Type 1 has 6 bytes, with the partition number at 4. Type 2 has 64: text that says its kind from 5
 * on, the partition number at 38, and in a metadata partition the two blocks from 40 on.
 */
function readMap(image: Image, map: Buffer, at: number): PartitionMap {
  if (map.length === 6) return { at, number: map.readUInt16LE(4) }
  const kind = map.toString('latin1', 5, 28).replace(/\0.*/s, '')
  if (kind !== '*UDF Metadata Partition')
    throw unsupported(image, at, `the volume has a partition of the kind ${JSON.stringify(kind)}`)
  return { at, number: map.readUInt16LE(38), metadata: [map.readUInt32LE(40), map.readUInt32LE(44)] }
}

/** A plain partition is one run of sectors, which its partition descriptor names (ECMA-167 3/10.5). */
function plainPartition(
  image: Image,
  { partitions, sectorBytes }: VolumeDescriptors,
  map: PartitionMap,
): { readonly places: Partition; readonly end: number } {
  const descriptor = partitions.get(map.number)
  if (!descriptor)
    throw damaged(
      image,
      map.at,
      `the volume has a partition ${map.number}, which no partition descriptor describes`,
    )
  const start = descriptor.bytes.readUInt32LE(partitionFields.start) * sectorBytes
  const length = descriptor.bytes.readUInt32LE(partitionFields.length) * sectorBytes
  return {
    // Not compared with the length: whatever is read is compared with the end of the image.
    places: (block, bytes) => [{ offset: start + block * sectorBytes, length: bytes }],
    end: start + length,
  }
}

/**
 * A metadata partition (UDF 2.50 2.2.10): file entries and folders are stored in the blocks of a
 * file, the metadata file, in a plain partition. A second file there is its mirror.
 *
 * @param beneath A space whose only partition is that plain one.
 */
async function metadataPartition(
  beneath: Space,
  [main, mirror]: readonly [number, number],
  namedAt: number,
): Promise<Partition> {
  const read = async (entryBlock: number): Promise<Partition> => {
    const entry = await readFileEntry(beneath, { block: entryBlock, partition: 0 }, namedAt)
    if (entry.type !== fileTypes.metadata && entry.type !== fileTypes.metadataMirror)
      throw damaged(
        beneath.image,
        entry.at + typeAt,
        `expected the metadata file (type 250), found type ${entry.type}`,
      )
    const runs = await readRuns(beneath, entry, newDescriptorBudget())
    if (runs.length > mostMetadataRuns)
      throw damaged(beneath.image, entry.at, `the metadata file is in ${runs.length} pieces`)
    return (block, length) => placesIn(runs, block * beneath.blockBytes, length)
  }
  return read(main).catch((error) =>
    // A mirror that the disk cannot read may be intact: the image is not called damaged.
    read(mirror).catch((other) => Promise.reject(isFaultOfImage(other) ? error : other)),
  )
}

/**
 * Cuts a span of bytes out of runs. Undefined when a part of the span was never written or lies behind the
 * end.
 */
function placesIn(runs: readonly Run[], from: number, length: number): readonly Extent[] | undefined {
  const places: Extent[] = []
  let at = 0
  for (const run of runs) {
    const begin = Math.max(from, at)
    const end = Math.min(from + length, at + run.length)
    if (begin < end) {
      if (run.offset === undefined) return undefined
      places.push({ offset: run.offset + begin - at, length: end - begin })
    }
    at += run.length
  }
  return from + length <= at ? places : undefined
}
