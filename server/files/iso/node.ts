import type { FailureKind } from '../../core/failure.ts'
import { imageLimits } from '../../core/limits/images.ts'
import type { Extent, Image } from './image.ts'
import { isInImage } from './image.ts'

/** A file, folder or symlink in an image, under one name. */
export interface IsoNode {
  readonly name: string
  readonly kind: 'file' | 'folder' | 'symlink'
  readonly size: number
  readonly modifiedMs: number
  /**
   * The extents of a file, in order; adjacent ones are joined. A folder has exactly one, which identifies it:
   * its directory (ISO 9660) or its file entry (UDF).
   */
  readonly extents: readonly Extent[]
  /** Only for a folder in UDF: the position of its file entry, in blocks of the volume. */
  readonly icb?: { readonly block: number; readonly partition: number }
  /** The target of a symlink, as written. */
  readonly target?: string
  /** Why the bytes of the file cannot be read. */
  readonly trouble?: { readonly kind: FailureKind; readonly message: string }
}

/** Joins adjacent extents. A file over 4 GiB has several records, but its bytes are usually contiguous. */
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

/** What `fileNode` needs to know about a file. */
export interface FileFacts {
  readonly name: string
  readonly modifiedMs: number
  readonly extents: readonly Extent[]
  readonly isInterleaved?: boolean
  /** The uncompressed size, when the file is compressed with zisofs. */
  readonly zisofsBytes?: number
}

/** Makes the node of a file, and notes trouble when part of it lies outside the image or cannot be read. */
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
  const mostExtents = imageLimits.fileExtents.entries
  if (facts.zisofsBytes !== undefined)
    return {
      kind: 'unsupported',
      message: `${image.name}: ${name} is compressed in the image (zisofs), which treeboot does not read; unpack the image (xorriso -osirrox on)`,
    }
  if (facts.isInterleaved)
    return {
      kind: 'unsupported',
      message: `${image.name}: ${name} is interleaved with other files, which treeboot does not read`,
    }
  if (extents.length > mostExtents)
    return {
      kind: 'invalid-data',
      message: `${image.name}, byte ${extents[0]?.offset}: ${name} begins here and has ${extents.length} pieces, expected at most ${mostExtents}`,
    }
  const outside = extents.find((extent) => !isInImage(image, extent))
  if (!outside) return undefined
  const end = outside.offset + outside.length
  return {
    kind: 'invalid-data',
    message: `${image.name}: ${name} lies at bytes ${outside.offset} to ${end}, but the image ends at byte ${image.size}: it was not copied completely`,
  }
}

/**
 * Whether a path can contain this name. A name that no client can ask for is not listed either. A lone surrogate
 * (`Cs`) cannot be written in UTF-8.
 */
export function isReachable(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\x00-\x1f\x7f]|\p{Cs}/u.test(name)
}
