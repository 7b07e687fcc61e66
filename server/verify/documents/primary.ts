import { Failure } from '../../core/failure.ts'
import { documentLimits } from '../../core/limits/documents.ts'
import { parseDigest } from '../../core/tree/descriptors/treeinfo-checksums.ts'
import type { Digest } from '../../core/tree/tree.ts'
import { type Location, locationOf } from './location.ts'
import { partsOf } from './parts.ts'

/** A package that `primary.xml` names. */
export interface PackageFile extends Location {
  readonly size?: number
  readonly digest?: Digest
}

const entryEnd = '</package>'
/** A digest and the blanks around it: SHA-512 has 128 digits. */
const maxDigestLength = 300
/** Up to 15 digits: any such number is exact. */
const wholeNumber = /^\d{1,15}$/
/** `<metadata>` must begin within this many bytes. */
const headBytes = 4096

/**
 * Reads `primary.xml` piece by piece: Fedora's has 150 MB for 60,000 packages and is never in memory as a
 * whole. Entries are cut at `</package>`, which text cannot hold because it writes `<` as `&lt;`. Only three
 * elements of each entry are read.
 *
 * @throws Failure `invalid-data` when it is not a list of packages; `too-large` beyond the limits.
 */
export async function* readPackages(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<PackageFile> {
  const what = 'primary.xml'
  const { primary, primaryEntry } = documentLimits
  const parts = partsOf(checkedHead(pieces), {
    what,
    separator: entryEnd,
    maxBytes: primary.bytes,
    maxPartLength: primaryEntry.bytes,
    maxParts: primary.entries,
  })
  for await (const { text, isLast } of parts) {
    if (!isLast) yield* packageIn(text)
    else if (!/<\/(?:\w+:)?metadata>$/.test(text.trimEnd().slice(-headBytes)))
      throw new Failure('invalid-data', `${what} ends before </metadata>: it is cut off`)
  }
}

/** The same pieces, after their first bytes were found to be those of a list of packages. */
async function* checkedHead(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array[] | undefined = []
  for await (const piece of pieces) {
    head?.push(piece)
    if (!head) yield piece
    else if (byteCount(head) >= headBytes) {
      checkStart(head)
      yield* head
      head = undefined
    }
  }
  if (!head) return
  checkStart(head)
  yield* head
}

function byteCount(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

function checkStart(pieces: readonly Uint8Array[]): void {
  const head = new TextDecoder().decode(Buffer.concat(pieces).subarray(0, headBytes))
  // A document type could define entities, which this reader would not know.
  if (/<!DOCTYPE/i.test(head) || !/<(?:\w+:)?metadata[\s>]/.test(head))
    throw new Failure('invalid-data', 'primary.xml is not a list of packages: it has no <metadata> element')
}

function* packageIn(entry: string): Generator<PackageFile> {
  const plain = entry.includes('<!') ? withoutRemarks(entry) : entry
  const location = tagIn(plain, 'location')?.attributes ?? ''
  const href = attribute(location, 'href')
  if (href === undefined || href === '') return
  const place = locationOf(href, attribute(location, 'xml:base'))
  if (!place) return
  const checksum = tagIn(plain, 'checksum')
  const digestAt = checksum?.end ?? 0
  const hex = /^\s*([0-9a-f]+)\s*</i.exec(plain.slice(digestAt, digestAt + maxDigestLength))?.[1] ?? ''
  const digest = parseDigest(`${attribute(checksum?.attributes ?? '', 'type') ?? ''}:${hex}`)
  const size = attribute(tagIn(plain, 'size')?.attributes ?? '', 'package') ?? ''
  yield { ...place, ...(wholeNumber.test(size) && { size: Number(size) }), ...(digest && { digest }) }
}

/**
 * Finds the first tag of a name. A regular expression would search for the end again from each beginning,
 * which takes hours with hostile text.
 */
function tagIn(text: string, name: string): { attributes: string; end: number } | undefined {
  for (let from = 0; ; ) {
    const at = text.indexOf(`<${name}`, from)
    const end = at < 0 ? -1 : text.indexOf('>', at)
    if (end < 0) return undefined
    from = at + name.length + 1
    if (/\s/.test(text[from] ?? '')) return { attributes: text.slice(from, end), end: end + 1 }
  }
}

/** The text without comments and CDATA sections, which may hold anything. */
function withoutRemarks(text: string): string {
  const kept: string[] = []
  let from = 0
  for (let at = text.indexOf('<!'); at >= 0; at = text.indexOf('<!', Math.max(from, at + 2))) {
    const remark = remarks.find(({ start }) => text.startsWith(start, at))
    if (!remark) continue
    kept.push(text.slice(from, at))
    const end = text.indexOf(remark.end, at)
    if (end < 0) return kept.join('')
    from = end + remark.end.length
  }
  return [...kept, text.slice(from)].join('')
}

const remarks = [
  { start: '<!--', end: '-->' },
  { start: '<![CDATA[', end: ']]>' },
]

function attribute(text: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(text)
  const value = match?.[1] ?? match?.[2]
  return value === undefined ? undefined : unescapeXml(value)
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities[name] ?? whole
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
