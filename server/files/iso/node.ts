import type { FailureKind } from '../../core/failure.ts'
import type { Extent, Image } from './image.ts'
import { isInImage } from './image.ts'

/** One thing in an image, under one name. */
export interface IsoNode {
  readonly name: string
  readonly kind: 'file' | 'folder' | 'symlink'
  readonly size: number
  readonly modifiedMs: number
  /**
   * Where its bytes are, in order, runs that follow each other joined. For a folder one, by which it is known from all
   * others: its directory, in UDF its file entry.
   */
  readonly extents: readonly Extent[]
  /** Of a folder in UDF: where its file entry is in the blocks of the volume. */
  readonly icb?: { readonly block: number; readonly partition: number }
  /** Where a symlink points, as written. */
  readonly target?: string
  /** Why its bytes cannot be had. */
  readonly trouble?: { readonly kind: FailureKind; readonly message: string }
}

/** A Blu-ray of one file has 25 extents of 4 GiB. */
const mostExtents = 4096

/** Joins runs of bytes that follow each other: a file over 4 GiB has several records, and is one run all the same. */
export function joinExtents(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = []
  for (const extent of extents) {
    const last = joined.at(-1)
    if (extent.length === 0) continue
    if (last && last.offset + last.length === extent.offset)
      joined[joined.length - 1] = { offset: last.offset, length: last.length + extent.length }
    else joined.push(extent)
  }
  return joined
}

export interface FileFacts {
  readonly name: string
  readonly modifiedMs: number
  readonly extents: readonly Extent[]
  readonly isInterleaved?: boolean
  readonly zisofsBytes?: number
}

/** A file, and whether all of it lies inside the image. */
export function fileNode(image: Image, facts: FileFacts): IsoNode {
  const extents = joinExtents(facts.extents)
  const size = extents.reduce((sum, { length }) => sum + length, 0)
  const trouble = troubleOf(image, facts, extents)
  return {
    name: facts.name,
    kind: 'file',
    size: facts.zisofsBytes ?? size,
    modifiedMs: facts.modifiedMs,
    extents,
    ...(trouble && { trouble }),
  }
}

function troubleOf(image: Image, facts: FileFacts, extents: readonly Extent[]): IsoNode['trouble'] {
  const { name } = facts
  if (facts.zisofsBytes !== undefined)
    return {
      kind: 'unsupported',
      message: `${image.name}: ${name} is compressed in the image (zisofs), which is not read; unpack the image (xorriso -osirrox on)`,
    }
  if (facts.isInterleaved)
    return {
      kind: 'unsupported',
      message: `${image.name}: ${name} is interleaved with other files, which is not read`,
    }
  if (extents.length > mostExtents)
    return {
      kind: 'invalid-data',
      message: `${image.name}, byte ${extents[0]?.offset}: ${name} begins here and is in ${extents.length} pieces; at most ${mostExtents} are read`,
    }
  const outside = extents.find((extent) => !isInImage(image, extent))
  if (!outside) return undefined
  const end = outside.offset + outside.length
  return {
    kind: 'invalid-data',
    message: `${image.name}: ${name} lies at bytes ${outside.offset} to ${end}, but the image ends at byte ${image.size}: it was not copied to its end`,
  }
}

/** No client can ask for other names, and a listing must not tell them. */
export function isReachable(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\x00-\x1f\x7f]|\p{Cs}/u.test(name)
}
