import { Failure } from '../../core/failure.ts'
import { parseDigest } from '../../core/tree/descriptors/treeinfo-checksums.ts'
import type { Digest } from '../../core/tree/tree.ts'

/** A package that `primary.xml` names. */
export interface PackageFile {
  /** Relative to the repository. */
  readonly href: string
  readonly size?: number
  readonly digest?: Digest
}

/**
 * The longest entry that is read, in characters. Most have a few KiB, and kernels with thousands of provides
 * some hundred KiB.
 */
const maxEntryLength = 4 * 1024 * 1024
const entryEnd = '</package>'
/** A digest and the blanks around it: SHA-512 has 128 digits. */
const maxDigestLength = 300
/** Up to 15 digits: any such number is exact. */
const wholeNumber = /^\d{1,15}$/
/** `<metadata>` must begin within this many characters. */
const headLength = 4096

/**
 * Reads `primary.xml` piece by piece: Fedora's has 150 MB for 60,000 packages and is never in memory as a
 * whole. Entries are cut at `</package>`, which text cannot hold because it writes `<` as `&lt;`. Only three
 * elements of each entry are read.
 *
 * @throws Failure `invalid-data` when it is not a list of packages.
 */
export async function* readPackages(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<PackageFile> {
  const decoder = new TextDecoder()
  let unparsed = ''
  let started = false
  for await (const piece of pieces) {
    unparsed += decoder.decode(piece, { stream: true })
    if (!started && unparsed.length < headLength) continue
    if (!started) checkStart(unparsed)
    started = true
    const parts = unparsed.split(entryEnd)
    unparsed = parts.pop() ?? ''
    for (const entry of parts) yield* packageIn(entry)
    if (unparsed.length > maxEntryLength)
      throw new Failure('invalid-data', `primary.xml has an entry of more than ${maxEntryLength} characters`)
  }
  if (!started) checkStart(unparsed)
  const parts = unparsed.split(entryEnd)
  unparsed = parts.pop() ?? ''
  for (const entry of parts) yield* packageIn(entry)
  if (!/<\/(?:\w+:)?metadata>\s*$/.test(unparsed))
    throw new Failure('invalid-data', 'primary.xml ends before </metadata>: it is cut off')
}

function checkStart(text: string): void {
  // A document type could define entities, which this reader would not know.
  const head = text.slice(0, headLength)
  if (/<!DOCTYPE/i.test(head) || !/<(?:\w+:)?metadata[\s>]/.test(head))
    throw new Failure('invalid-data', 'primary.xml is not a list of packages: it has no <metadata> element')
}

function* packageIn(entry: string): Generator<PackageFile> {
  const plain = entry.includes('<!') ? withoutRemarks(entry) : entry
  const location = tagIn(plain, 'location')?.attributes ?? ''
  const href = attribute(location, 'href')
  if (href === undefined || href === '' || attribute(location, 'xml:base') !== undefined) return
  const checksum = tagIn(plain, 'checksum')
  const digestAt = checksum?.end ?? 0
  const hex = /^\s*([0-9a-f]+)\s*</i.exec(plain.slice(digestAt, digestAt + maxDigestLength))?.[1] ?? ''
  const digest = parseDigest(`${attribute(checksum?.attributes ?? '', 'type') ?? ''}:${hex}`)
  const size = attribute(tagIn(plain, 'size')?.attributes ?? '', 'package') ?? ''
  yield { href, ...(wholeNumber.test(size) && { size: Number(size) }), ...(digest && { digest }) }
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
