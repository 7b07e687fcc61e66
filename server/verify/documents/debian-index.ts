import { documentLimits } from '../../core/limits/documents.ts'
import { parseDigest } from '../../core/tree/descriptors/treeinfo-checksums.ts'
import type { Digest } from '../../core/tree/tree.ts'
import { linesOf } from './lines.ts'
import { partsOf } from './parts.ts'

/** A file that one of Debian's indices names. */
export interface IndexedFile {
  readonly path: string
  readonly size?: number
  readonly digest: Digest
}

/** The sections of `Release`, the strongest digests first. */
const sections = ['sha512', 'sha256', 'sha1', 'md5sum']

/**
 * Reads `dists/<suite>/Release`. Paths are relative to its folder. Its lists all name the same files, so only
 * the one with the strongest digests is read.
 *
 * @throws Failure `too-large` beyond the limits.
 */
export function parseRelease(text: string): readonly IndexedFile[] {
  const found = new Map<string, IndexedFile[]>()
  let section: IndexedFile[] | undefined
  for (const line of linesOf(text, "Debian's Release", documentLimits.debianRelease.entries)) {
    if (/^[ \t]/.test(line)) {
      const file = section && listedFile(line)
      if (file) section?.push(file)
      continue
    }
    const name = /^([^:\s]+):/.exec(line)?.[1]?.toLowerCase()
    // A second section of the same name is ignored.
    const isNew = name !== undefined && sections.includes(name) && !found.has(name)
    section = isNew ? [] : undefined
    if (isNew && section) found.set(name, section)
  }
  return sections.map((name) => found.get(name) ?? []).find(({ length }) => length > 0) ?? []
}

/** A line of a section: digest, size and path. */
function listedFile(line: string): IndexedFile | undefined {
  const [hex = '', size = '', path = ''] = line.trim().split(/\s+/, 3)
  const digest = parseDigest(hex)
  return digest && path !== '' && /^\d+$/.test(size) ? { path, size: Number(size), digest } : undefined
}

/**
 * Reads an unpacked `Packages`. Paths are relative to the archive, the folder that holds `dists` and `pool`.
 *
 * @throws Failure `too-large` beyond the limits.
 */
export async function* readPackagesIndex(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<IndexedFile> {
  const { packagesIndex, packagesStanza } = documentLimits
  const stanzas = partsOf(pieces, {
    what: "Debian's Packages",
    separator: '\n\n',
    maxBytes: packagesIndex.bytes,
    maxPartLength: packagesStanza.bytes,
    maxParts: packagesIndex.entries,
  })
  for await (const { text } of stanzas) yield* fileIn(text)
}

function* fileIn(stanza: string): Generator<IndexedFile> {
  const field = (name: keyof typeof fields) => fields[name].exec(stanza)?.[1]
  const path = field('filename')
  if (path === undefined) return
  const digest = parseDigest(field('sha512') ?? field('sha256') ?? field('sha1') ?? field('md5sum') ?? '')
  const size = field('size')
  if (!digest) return
  yield { path, digest, ...(size !== undefined && /^\d+$/.test(size) && { size: Number(size) }) }
}

const fields = {
  filename: /^Filename:[ \t]*(\S+)/im,
  sha512: /^SHA512:[ \t]*(\S+)/im,
  sha256: /^SHA256:[ \t]*(\S+)/im,
  sha1: /^SHA1:[ \t]*(\S+)/im,
  md5sum: /^MD5sum:[ \t]*(\S+)/im,
  size: /^Size:[ \t]*(\S+)/im,
}
