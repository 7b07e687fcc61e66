/**
 * OpenPGP's text forms, as far as we must tell them apart before a library reads them: armour (RFC 9580,
 * section 6) and the clearsigned message (section 7).
 */

/** A text file that holds a clearsigned message. */
export interface Clearsigned {
  /** The message, to the last line of its signature; undefined when the file ends before that line. */
  readonly message: string | undefined
  /** The text before and after the message, which the signature does not cover. */
  readonly around: string
}

const messageStart = '-----BEGIN PGP SIGNED MESSAGE-----'
const signatureEnd = '-----END PGP SIGNATURE-----'

/** Finds the first clearsigned message in a text; undefined when there is none. */
export function findClearsigned(text: string): Clearsigned | undefined {
  const lines = text.split('\n')
  const isLine = (wanted: string) => (line: string) => line.startsWith(wanted) && bare(line) === wanted
  const start = lines.findIndex(isLine(messageStart))
  if (start < 0) return undefined
  // Signed text escapes a line that begins with a dash as `- -----END ...`, so the first line that is not
  // escaped is the end of the message.
  const length = lines.slice(start).findIndex(isLine(signatureEnd))
  const before = lines.slice(0, start)
  if (length < 0) return { message: undefined, around: before.join('\n') }
  const end = start + length + 1
  return {
    message: lines.slice(start, end).join('\n'),
    around: [...before, ...lines.slice(end)].join('\n'),
  }
}

/**
 * Whether two texts differ only where a clearsigned message may differ: in line ends and the blanks before
 * them.
 */
export function isSameSignedText(one: string, other: string): boolean {
  return canonical(one) === canonical(other)
}

function canonical(text: string): string {
  return withoutEnd(text.split('\n').map(bare).join('\n'), '\n')
}

function bare(line: string): string {
  return withoutEnd(line, ' \t\r')
}

/**
 * The text without any of these characters at its end. A regular expression would try again from each of them,
 * which takes hours for a line of very many blanks.
 */
function withoutEnd(text: string, characters: string): string {
  let end = text.length
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

/** Whether the bytes are text with OpenPGP armour. If not, they are binary packets. */
export function isArmoured(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('-----BEGIN PGP ')
}

/**
 * Every armoured block of a kind in a text. Debian's `Release.gpg` has one block for each signer, and people
 * join files of keys with cat(1). In a text that is cut off, the last block has no end.
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
