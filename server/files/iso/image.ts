import { Failure } from '../../core/failure.ts'

/**
 * The bytes of a logical sector (ECMA-119 6.1.2). Volume descriptors begin in sector 16, and no directory
 * record crosses the end of a sector.
 */
export const sectorBytes = 2048

/**
 * Reads bytes of an image by position. The parsers do no other I/O. Resolves to fewer bytes only at the end
 * of the file.
 */
export type ReadAt = (position: number, length: number) => Promise<Buffer>

export interface Image {
  /** The file name, for messages: `Fedora.iso`. */
  readonly name: string
  readonly size: number
  readonly readAt: ReadAt
}

/** A run of bytes in an image. */
export interface Extent {
  readonly offset: number
  readonly length: number
}

/**
 * Reads exactly these bytes. When the image does not have them, the message names `what`: a damaged image may
 * hold any offset and length.
 */
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
  return offset >= 0 && length >= 0 && offset + length <= image.size
}

/** Whether the failure is a fault of the image, and not of the disk or of treeboot. */
export function isFaultOfImage(error: unknown): error is Failure {
  return error instanceof Failure && (error.kind === 'invalid-data' || error.kind === 'unsupported')
}

/** Makes the failure that names the position in the image and what was expected there. */
export function damaged(image: Pick<Image, 'name'>, offset: number, what: string): Failure {
  return new Failure('invalid-data', `${image.name}, byte ${offset}: ${what}`)
}
