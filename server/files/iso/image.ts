import { Failure } from '../../core/failure.ts'

/** ECMA-119 6.1.2: a logical sector. Volume descriptors begin in sector 16, and no directory record crosses one. */
export const sectorBytes = 2048

/** Bytes of an image by position: everything that parsing needs of the outside world. Resolves to fewer bytes only at the end of the file. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>

/** An image that is looked into. */
export interface Image {
  /** For people: `Fedora.iso`. */
  readonly name: string
  readonly size: number
  readonly readAt: ReadAt
}

/** A run of bytes in an image. */
export interface Extent {
  readonly offset: number
  readonly length: number
}

/** Reads exactly these bytes. `what` stands in the message when they are not there: numbers in an image may say anything. */
export async function readExactly(image: Image, { offset, length }: Extent, what: string): Promise<Buffer> {
  if (!isInImage(image, { offset, length }))
    throw damaged(
      image,
      offset,
      `expected ${what} of ${length} bytes, but the image ends at byte ${image.size}`,
    )
  const bytes = await image.readAt(offset, length)
  if (bytes.length < length)
    throw damaged(image, offset, `expected ${what} of ${length} bytes, found only ${bytes.length}`)
  return bytes
}

export function isInImage(image: Pick<Image, 'size'>, { offset, length }: Extent): boolean {
  return offset >= 0 && length >= 0 && Number.isSafeInteger(offset + length) && offset + length <= image.size
}

/** A failure that says where in the image it is, and what was expected there. */
export function damaged(image: Pick<Image, 'name'>, offset: number, what: string): Failure {
  return new Failure('invalid-data', `${image.name}, byte ${offset}: ${what}`)
}
