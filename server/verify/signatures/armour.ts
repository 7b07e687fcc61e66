/**
 * OpenPGP's text forms, as far as they must be told apart before a library reads them: armour and the clearsigned
 * message (RFC 9580, sections 6 and 7).
 */

/** A text of which one part is signed. */
export interface Clearsigned {
  /** From its first line to the last of its signature; undefined when that is missing: the file is cut off. */
  readonly message: string | undefined
  /** What stands before and behind it, which nobody signed. */
  readonly around: string
}

const messageStart = '-----BEGIN PGP SIGNED MESSAGE-----'
const signatureEnd = '-----END PGP SIGNATURE-----'

/** Undefined when nothing in the text claims to be a signed message. Of several the first counts. */
export function findClearsigned(text: string): Clearsigned | undefined {
  const lines = text.split('\n')
  const isLine = (wanted: string) => (line: string) => line.startsWith(wanted) && bare(line) === wanted
  const start = lines.findIndex(isLine(messageStart))
  if (start < 0) return undefined
  // A line of the signed text that begins with a dash is written `- -----END ...`, so the first one is the end.
  const length = lines.slice(start).findIndex(isLine(signatureEnd))
  const before = lines.slice(0, start)
  if (length < 0) return { message: undefined, around: before.join('\n') }
  const end = start + length + 1
  return {
    message: lines.slice(start, end).join('\n'),
    around: [...before, ...lines.slice(end)].join('\n'),
  }
}

/** Two texts that differ only where a clearsigned message may: line ends, and blanks before them. */
export function isSameSignedText(one: string, other: string): boolean {
  return canonical(one) === canonical(other)
}

function canonical(text: string): string {
  return text.split('\n').map(bare).join('\n').replace(/\n+$/, '')
}

function bare(line: string): string {
  return line.replace(/[ \t\r]+$/, '')
}

/** Whether bytes are text with armour in it; OpenPGP's packets are binary otherwise. */
export function isArmoured(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('-----BEGIN PGP ')
}

/**
 * Every armoured block of a kind in a text. Debian's `Release.gpg` is one block for each signer, files of keys
 * are often put together with cat(1). The last block of a text that is cut off has no end.
 */
export function armourBlocks(text: string, kind: 'SIGNATURE' | 'PUBLIC KEY BLOCK'): string[] {
  const [first, last] = [`-----BEGIN PGP ${kind}-----`, `-----END PGP ${kind}-----`]
  const blocks: string[] = []
  for (let at = text.indexOf(first); at >= 0; ) {
    const end = text.indexOf(last, at)
    blocks.push(end < 0 ? text.slice(at) : `${text.slice(at, end + last.length)}\n`)
    at = end < 0 ? -1 : text.indexOf(first, end)
  }
  return blocks
}
