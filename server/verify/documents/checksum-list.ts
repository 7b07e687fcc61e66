import { documentLimits } from '../../core/limits/documents.ts'
import { parseDigest } from '../../core/tree/descriptors/treeinfo-checksums.ts'
import type { Digest } from '../../core/tree/tree.ts'
import { linesOf } from './lines.ts'

const listName =
  /^(?:(?:sha(?:1|224|256|384|512)|md5)sums?|checksums?)(?:\.txt)?$|[-.]checksum$|^.+\.sha(?:1|256|512)(?:sum)?$/i

/**
 * Whether a file of this name is a list of checksums: `SHA256SUMS`, `md5sum.txt`, `CHECKSUMS`,
 * `Fedora-40-x86_64-CHECKSUM`, `x.iso.CHECKSUM`, `x.iso.sha256`.
 */
export function isChecksumList(name: string): boolean {
  return listName.test(name)
}

/**
 * A blank line or a comment, but not a checksum whose first digit became a `#` by damage: the shortest, MD5,
 * has 31 digits left then.
 */
const remark = /^\s*(?:#(?![0-9a-f]{31})|$)/i

export interface ListedDigest {
  /** As written, relative to the folder of the list. */
  readonly path: string
  readonly digest: Digest
}

/**
 * Reads lists as coreutils write them (`hex name`, `hex *name`, and with `--tag` or from BSD `SHA256 (name) =
 * hex`). Comments and OpenPGP armour are ignored. Every other line without a checksum is ignored and counted
 * in `unreadableLines`.
 *
 * @throws Failure `too-large` beyond the limit of lines.
 */
export function parseChecksumList(text: string): {
  entries: readonly ListedDigest[]
  unreadableLines: number
} {
  const entries: ListedDigest[] = []
  let unreadableLines = 0
  let inSignature = false
  for (const line of linesOf(text, 'the list', documentLimits.checksumList.entries)) {
    if (line.startsWith('-----BEGIN PGP SIGNATURE')) inSignature = true
    if (line.startsWith('-----END PGP')) inSignature = false
    if (inSignature || line.startsWith('-----') || remark.test(line) || /^Hash:/.test(line)) continue
    const entry = gnuLine(line) ?? bsdLine(line)
    if (entry) entries.push(entry)
    else unreadableLines++
  }
  return { entries, unreadableLines }
}

function gnuLine(line: string): ListedDigest | undefined {
  // coreutils put a backslash before the line when the name has escapes.
  const [, hex = '', path = ''] = /^\\?([0-9a-f]{32,128})[ \t]+\*?(\S.*)$/i.exec(line) ?? []
  const digest = parseDigest(hex)
  return digest && { path, digest }
}

function bsdLine(line: string): ListedDigest | undefined {
  const [, name = '', path = '', hex = ''] = /^(MD5|SHA\d+) \((.+)\) = ([0-9a-f]+)$/i.exec(line) ?? []
  const digest = parseDigest(`${name}:${hex}`)
  return digest && { path, digest }
}
