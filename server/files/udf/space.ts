import { damaged, type Extent, type Image, readExactly } from '../iso/image.ts'

/**
 * Where a block is (`lb_addr`, ECMA-167 4/7.1): `partition` is the index of its map in the logical volume
 * descriptor.
 */
export interface BlockAddress {
  readonly block: number
  readonly partition: number
}

/**
 * Finds bytes of a partition, counted from one of its blocks, in the image. Undefined when the partition does
 * not have these blocks.
 */
export type Partition = (block: number, length: number) => readonly Extent[] | undefined

/** The blocks of a volume. */
export interface Space {
  readonly image: Image
  /** Bytes of a logical block. UDF requires one sector: 2048 bytes on discs, 512 or 4096 on disks. */
  readonly blockBytes: number
  readonly partitions: readonly Partition[]
}

/** Bytes of an image, and the position of the first one in it. */
export interface Bytes {
  readonly bytes: Buffer
  readonly at: number
}

/**
 * Finds the extents of the image that hold bytes of a partition.
 *
 * @param namedAt The byte of the image that names the address, for messages.
 */
export function placesOf(
  { image, partitions }: Space,
  { block, partition }: BlockAddress,
  length: number,
  namedAt: number,
): readonly Extent[] {
  const places = partitions[partition]
  if (!places)
    throw damaged(image, namedAt, `names the partition ${partition}, but the volume has ${partitions.length}`)
  const extents = places(block, length)
  if (!extents)
    throw damaged(image, namedAt, `names the block ${block}, which partition ${partition} does not have`)
  return extents
}

/**
 * Reads one whole block.
 *
 * @param namedAt As in `placesOf`.
 */
export async function readBlock(
  space: Space,
  address: BlockAddress,
  namedAt: number,
  what: string,
): Promise<Bytes> {
  const { image, blockBytes } = space
  const [place, more] = placesOf(space, address, blockBytes, namedAt)
  if (!place || more) throw damaged(image, namedAt, `names the block ${address.block}, which is in pieces`)
  return { bytes: await readExactly(image, place, what), at: place.offset }
}

/** Decodes `lb_addr`, which follows the length in a long allocation descriptor and in an ICB. */
export function readAddress(bytes: Buffer, at: number): BlockAddress {
  return { block: bytes.readUInt32LE(at), partition: bytes.readUInt16LE(at + 4) }
}
