import { Failure } from '../../core/failure.ts'
import type { Digest } from '../../core/tree/tree.ts'
import { parseDigest } from '../../core/tree/treeinfo-checksums.ts'

/** A package as `primary.xml` names it. */
export interface PackageFile {
  /** Relative to the repository. */
  readonly href: string
  readonly size?: number
  readonly digest?: Digest
}

/** A package's entry has a few KiB; kernels with thousands of provides reach some hundred. */
const maxEntryLength = 16 * 1024 * 1024
const entryEnd = '</package>'

/**
 * Reads `primary.xml` piece by piece: Fedora's has 150 MB for 60,000 packages and need never be in memory. Entries
 * are cut at `</package>`, which cannot stand in text, where `<` is written `&lt;`; of each only three elements matter.
 *
 * @throws Failure `invalid-data` when it is no list of packages.
 */
export async function* readPackages(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<PackageFile> {
  const decoder = new TextDecoder()
  let rest = ''
  let started = false
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true })
    if (!started && rest.length >= 4096) started = checkStart(rest)
    const parts = rest.split(entryEnd)
    rest = parts.pop() ?? ''
    for (const entry of parts) yield* packageIn(entry)
    if (rest.length > maxEntryLength)
      throw new Failure('invalid-data', `primary.xml has an entry of more than ${maxEntryLength} characters`)
  }
  if (!started) checkStart(rest)
  if (!/<\/(?:\w+:)?metadata>\s*$/.test(rest))
    throw new Failure('invalid-data', 'primary.xml ends before </metadata>: it is cut off')
}

function checkStart(text: string): true {
  if (/<!DOCTYPE/i.test(text) || !/<(?:\w+:)?metadata[\s>]|<package[\s>]|<\/(?:\w+:)?metadata>/.test(text))
    throw new Failure('invalid-data', 'primary.xml is no list of packages: it has no <metadata> element')
  return true
}

function* packageIn(entry: string): Generator<PackageFile> {
  const plain = entry.includes('<!') ? entry.replace(/<!--.*?-->|<!\[CDATA\[.*?\]\]>/gs, '') : entry
  const location = /<location\s([^>]*)>/.exec(plain)?.[1] ?? ''
  const href = attribute(location, 'href')
  if (href === undefined || href === '' || attribute(location, 'xml:base') !== undefined) return
  const checksum = /<checksum\s([^>]*)>\s*([0-9a-fA-F]+)\s*</.exec(plain)
  const digest = parseDigest(`${attribute(checksum?.[1] ?? '', 'type') ?? ''}:${checksum?.[2] ?? ''}`)
  const size = Number(attribute(/<size\s([^>]*)>/.exec(plain)?.[1] ?? '', 'package') ?? Number.NaN)
  yield { href, ...(Number.isSafeInteger(size) && size >= 0 && { size }), ...(digest && { digest }) }
}

function attribute(text: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(text)
  const value = match?.[1] ?? match?.[2]
  return value === undefined ? undefined : unescapeXml(value)
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : undefined
    if (code !== undefined) return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    return entities[name] ?? whole
  })
}
