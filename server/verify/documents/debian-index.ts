import { parseDigest } from '../../core/tree/descriptors/treeinfo-checksums.ts'
import type { Digest } from '../../core/tree/tree.ts'

/** A file that one of Debian's indices names. */
export interface IndexedFile {
  readonly path: string
  readonly size?: number
  readonly digest: Digest
}

/**
 * Reads `dists/<suite>/Release`. Paths are relative to its folder. Its lists all name the same files, so only
 * the one with the strongest digests is read.
 */
export function parseRelease(text: string): readonly IndexedFile[] {
  for (const section of ['SHA512', 'SHA256', 'SHA1', 'MD5Sum']) {
    const [, body = ''] =
      new RegExp(`^${section}:[^\\n]*\\n((?:[ \\t]+\\S[^\\n]*\\n?)+)`, 'mi').exec(text) ?? []
    const files = body.split('\n').flatMap((line) => {
      const [hex = '', size = '', path = ''] = line.trim().split(/\s+/)
      const digest = parseDigest(hex)
      return digest && path !== '' && /^\d+$/.test(size) ? [{ path, size: Number(size), digest }] : []
    })
    if (files.length > 0) return files
  }
  return []
}

/**
 * Reads an unpacked `Packages`. Paths are relative to the archive, the folder that holds `dists` and `pool`.
 */
export async function* readPackagesIndex(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<IndexedFile> {
  const decoder = new TextDecoder()
  let unparsed = ''
  for await (const piece of pieces) {
    unparsed += decoder.decode(piece, { stream: true })
    const stanzas = unparsed.split('\n\n')
    unparsed = stanzas.pop() ?? ''
    for (const stanza of stanzas) yield* fileIn(stanza)
  }
  yield* fileIn(unparsed)
}

function* fileIn(stanza: string): Generator<IndexedFile> {
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(\\S+)`, 'mi').exec(stanza)?.[1]
  const path = field('Filename')
  const digest = parseDigest(field('SHA512') ?? field('SHA256') ?? field('SHA1') ?? field('MD5sum') ?? '')
  const size = field('Size')
  if (path === undefined || !digest) return
  yield { path, digest, ...(size !== undefined && /^\d+$/.test(size) && { size: Number(size) }) }
}
