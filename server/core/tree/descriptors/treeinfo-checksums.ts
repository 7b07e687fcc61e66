import type { Digest, DigestAlgorithm } from '../description.ts'
import type { Ini } from './ini.ts'
import { treePath } from './paths.ts'
import { excerpt, type Notes } from './text.ts'

const hexLength: Readonly<Record<DigestAlgorithm, number>> = {
  md5: 32,
  sha1: 40,
  sha224: 56,
  sha256: 64,
  sha384: 96,
  sha512: 128,
}

/**
 * Parses a digest as descriptors write it: `sha256:1f2e...`; `sha-256` means the same, and `sha` means sha1.
 * Without a name, the length tells the algorithm. Undefined for any other text.
 */
export function parseDigest(text: string): Digest | undefined {
  const match = /^\s*(?:([a-z0-9-]+)\s*:)?\s*([0-9a-f]+)\s*$/i.exec(text)
  const hex = match?.[2]?.toLowerCase()
  if (hex === undefined) return undefined
  const name = match?.[1]?.toLowerCase().replace('-', '').replace(/^sha$/, 'sha1')
  for (const algorithm of Object.keys(hexLength) as DigestAlgorithm[])
    if (hexLength[algorithm] === hex.length && (name === undefined || name === algorithm))
      return { algorithm, hex }
  return undefined
}

/**
 * `[checksums]`: path = algorithm:hex. A line without a digest is noted and left out, so that it does not
 * make the tree unusable.
 */
export function readChecksums(ini: Ini, notes: Notes): Record<string, Digest> {
  const digests = new Map<string, Digest>()
  for (const entry of ini.sections.get('checksums')?.entries.values() ?? []) {
    const path = treePath(entry.key, 'a path in [checksums]', notes, entry.line)
    const digest = parseDigest(entry.value)
    if (path === undefined) continue
    if (digest) digests.set(path, digest)
    else
      notes.add(
        `digest of ${excerpt(path)} is ${excerpt(entry.value)}; expected md5, sha1 or sha2 as algorithm:hex`,
        entry.line,
      )
  }
  return Object.fromEntries(digests)
}
