import { treeLimits } from '../../limits/trees.ts'
import type { TreeProblem } from '../description.ts'

/**
 * Collects the faults of one file. Junk has thousands of faulty lines, so only the first hundred are kept.
 */
export interface Notes {
  add(message: string, line?: number): void
  list(): TreeProblem[]
}

const maxNotes = treeLimits.descriptorNotes.entries

export function createNotes(file: string): Notes {
  const kept: TreeProblem[] = []
  let more = 0
  return {
    add(message, line) {
      if (kept.length >= maxNotes) more++
      else kept.push(line === undefined ? { file, message } : { file, line, message })
    },
    list() {
      return more === 0 ? kept : [...kept, { file, message: `and ${more} more like these` }]
    },
  }
}

/**
 * Decodes the text of a descriptor, whatever program wrote it. UTF-8 is the rule; a byte order mark is
 * dropped (Python's ConfigParser stumbles over one), UTF-16 with a byte order mark is decoded, and bytes that
 * are not UTF-8 are taken as windows-1252, which cannot fail.
 */
export function decodeText(bytes: Uint8Array, notes: Notes): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    notes.add('begins with a byte order mark; Python clients refuse such a file', 1)
    return decodeUtf8(bytes.subarray(3), notes)
  }
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return decodeUtf16('utf-16le', bytes, notes)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return decodeUtf16('utf-16be', bytes, notes)
  return decodeUtf8(bytes, notes)
}

function decodeUtf8(bytes: Uint8Array, notes: Notes): string {
  try {
    // The mark at the beginning is cut off already; ignoreBOM keeps any other.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    notes.add('is not UTF-8; read as windows-1252')
    return new TextDecoder('windows-1252').decode(bytes)
  }
}

function decodeUtf16(encoding: 'utf-16le' | 'utf-16be', bytes: Uint8Array, notes: Notes): string {
  notes.add(`is ${encoding.toUpperCase()}, not UTF-8; most clients cannot read it`, 1)
  return new TextDecoder(encoding).decode(bytes)
}

/** Lines without their ends; a missing newline at the end of the file makes no difference. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** `"Fedora 7"` -> `Fedora 7`: Fedora 7's `.discinfo` was written with its quotes. */
export function unquote(text: string): string {
  const quote = text[0]
  return text.length > 1 && (quote === '"' || quote === "'") && text.at(-1) === quote
    ? text.slice(1, -1).trim()
    : text
}

/** Text from a file for a message: quoted, short, without control characters. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

const rollingWords =
  'rawhide|development|devel|tumbleweed|factory|testing|unstable|sid|stable|cauldron|eln|[a-z]+-rolling'
const versionNumber =
  '\\d[\\w.]*(?:[ -]?(?:SP|R|U|Update|Beta|Alpha|RC)[ -]?\\d*(?![\\w]))?(?: (?:r\\d+\\w*|LTS|GA|Beta|Alpha|RC\\d*))?'
/** Name and version; up to two more characters may follow, as in Red Star's `3.0판` (edition). */
const releaseLine = new RegExp(
  `^(.*?)[\\s_-]+(?:release |version |v)?(${versionNumber}|${rollingWords})(?:\\D{0,2})$`,
  'i',
)

/** Product lines have some 60 characters. The expression above tries again from each blank and digit. */
const longestRelease = treeLimits.release.bytes

/**
 * Splits a product line into family and version: `Fedora Core 2`, `SUSE Linux Enterprise Server 12 SP5`,
 * `Fedora-Server 21_Alpha`, `Fedora development`, `Debian GNU/Linux 4.0 r1`. CentOS 7 writes the bare version
 * into `.discinfo`; a name without a number has no version.
 */
export function splitRelease(text: string): { family: string; version: string } {
  const line = unquote(text.slice(0, longestRelease).replace(/\s+/g, ' ').trim())
  if (/^\d[\w.]*$/.test(line)) return { family: '', version: line }
  const match = releaseLine.exec(line)
  return match ? { family: match[1] ?? '', version: (match[2] ?? '').trim() } : { family: line, version: '' }
}
