import { Failure } from '../../failure.ts'
import type { Description } from '../tree.ts'
import { readDiscinfo } from './discinfo.ts'
import { readDiskInfo, readVersionInfo } from './disk-info.ts'
import { readMageiaVersion } from './mageia.ts'
import { manifestPaths, readManifest } from './manifest.ts'
import { readSuseContent, readSuseMedia, readSuseProducts } from './suse.ts'
import { createNotes, decodeText } from './text.ts'
import { readTreeinfo } from './treeinfo.ts'

/** Reads one kind of descriptor. `file` is its path relative to the tree. Undefined when the text is of another kind. Never throws. */
export type DescriptorReader = (file: string, text: string) => Description | undefined

export interface DescriptorKind {
  /** Where such a file lies in a tree, in the order that clients ask for it. */
  readonly paths: readonly string[]
  readonly read: DescriptorReader
  readonly maxBytes: number
}

const mebibyte = 1024 * 1024

/** Every kind of descriptor, best first: what an earlier one says wins, and later ones fill its gaps. */
export const descriptorKinds: readonly DescriptorKind[] = [
  { paths: ['.treeinfo', 'treeinfo'], read: readTreeinfo, maxBytes: mebibyte },
  { paths: ['.disk/info'], read: readDiskInfo, maxBytes: mebibyte },
  { paths: ['content'], read: readSuseContent, maxBytes: 4 * mebibyte },
  { paths: ['media.1/products'], read: readSuseProducts, maxBytes: mebibyte },
  { paths: ['media.1/media'], read: readSuseMedia, maxBytes: mebibyte },
  { paths: ['VERSION'], read: readMageiaVersion, maxBytes: mebibyte },
  { paths: manifestPaths, read: readManifest, maxBytes: 4 * mebibyte },
  { paths: ['version.info'], read: readVersionInfo, maxBytes: mebibyte },
  { paths: ['.discinfo'], read: readDiscinfo, maxBytes: mebibyte },
]

/** What one descriptor says, whatever kind it is. Undefined when it is none that we know. */
export function tryReadDescriptor(
  file: string,
  bytes: Uint8Array,
  readers: readonly DescriptorReader[],
): Description | undefined {
  const notes = createNotes(file)
  const text = decodeText(bytes, notes)
  for (const read of readers) {
    const description = read(file, text)
    if (description) return { ...description, problems: [...notes.list(), ...description.problems] }
  }
  return undefined
}

/**
 * What one descriptor file says, without its tree. Its content decides what it is; its name only which kind is
 * tried first, because people keep such files as `rhel7.treeinfo` or `content.bak`.
 *
 * @throws Failure `invalid-data` when it is no descriptor.
 */
export function readDescriptor(fileName: string, bytes: Uint8Array): Description {
  const byName = (kind: DescriptorKind) =>
    kind.paths.some((path) => fileName.endsWith(path) || fileName.endsWith(path.replaceAll('/', '_')))
  const kinds = [...descriptorKinds].sort((a, b) => Number(byName(b)) - Number(byName(a)))
  const found = tryReadDescriptor(
    fileName,
    bytes,
    kinds.map((kind) => kind.read),
  )
  if (found) return found
  throw new Failure(
    'invalid-data',
    `${fileName} is no tree descriptor: it is neither a .treeinfo, .discinfo, .disk/info, content, media.1/media, ` +
      `media.1/products, MANIFEST, VERSION (Mageia) nor version.info`,
  )
}
