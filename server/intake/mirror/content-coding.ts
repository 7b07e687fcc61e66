import type { IncomingMessage } from 'node:http'
import { pipeline, Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import { Failure } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'

/**
 * Servers that compress what they were asked for as it is (`Accept-Encoding: identity`). RFC 9110 section 12.5.3
 * lets them; fwupd's and librepo's users met some. There are three kinds of `Content-Encoding`:
 *
 * - Apache's `AddEncoding x-gzip .gz` tells what kind of file this is. Its bytes are those of the file, and
 *   digests name them. mod_mime_magic says `x-gzip` of an `initrd.img` as well, by its first bytes.
 * - A proxy or mod_deflate says `gzip`, `deflate` or `br` of any file, and means what it did on the way.
 * - A server says `gzip` and has done nothing.
 */

/** Endings of files that are in a coding themselves. */
const ownEndings: ReadonlyMap<string, RegExp> = new Map([
  ['gzip', /\.(?:gz|tgz|svgz)$/i],
  ['compress', /\.z$/i],
  ['x-compress', /\.z$/i],
  ['bzip2', /\.t?bz2$/i],
  ['x-bzip2', /\.t?bz2$/i],
  ['xz', /\.t?xz$/i],
  ['x-xz', /\.t?xz$/i],
  ['zstd', /\.zst$/i],
  ['br', /\.br$/i],
])

/** Makes the decoder for a body with this beginning; undefined when the body is not in that coding. */
type Decoder = (head: Buffer) => Transform | undefined

const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', (head) => (head[0] === 0x1f && head[1] === 0x8b ? createGunzip() : undefined)],
  // RFC 9110 section 8.4.1.2: some send it without the header of zlib, whose two bytes are a multiple of 31.
  ['deflate', (head) => (isZlib(head) ? createInflate() : createInflateRaw())],
  ['br', () => createBrotliDecompress()],
])

function isZlib(head: Buffer): boolean {
  return head.length >= 2 && ((head[0] ?? 0) & 0x0f) === 8 && head.readUInt16BE(0) % 31 === 0
}

/**
 * How the body of a response was coded on its way; undefined when its bytes are those of the file.
 *
 * @param path The file that was asked for.
 */
export function codingOf({ headers }: IncomingMessage, path: string): string | undefined {
  const named = String(headers['content-encoding'] ?? '').toLowerCase()
  const codings = named.split(',').map((each) => each.trim())
  const applied = codings.filter((each) => each !== '' && each !== 'identity')
  const [coding] = applied
  if (coding === undefined || applied.length > 1) return coding && applied.join(', ')
  return coding === 'x-gzip' || ownEndings.get(coding)?.test(path) ? undefined : coding
}

/**
 * The bytes of the file.
 *
 * @throws Failure `unsupported`, which names the coding.
 */
export function decoded(message: IncomingMessage, coding: string, url: string): AsyncIterable<Uint8Array> {
  const decoder = decoders.get(coding)
  if (decoder) return undo(message, decoder, url)
  message.on('error', () => undefined).destroy()
  throw new Failure(
    'unsupported',
    `${url} comes with Content-Encoding: ${coding}, which was not asked for and cannot be undone; let the server send it as it is, or name another mirror`,
  )
}

async function* undo(message: IncomingMessage, decoder: Decoder, url: string): AsyncGenerator<Uint8Array> {
  try {
    const pieces: AsyncIterator<Buffer> = message[Symbol.asyncIterator]()
    const head = await headOf(pieces)
    const whole = Readable.from(joined(head, pieces), { objectMode: false })
    const stream = decoder(head)
    // An error of either ends the other, and is thrown by the loop that reads.
    if (stream) pipeline(whole, stream, () => undefined)
    yield* atMost(upstreamLimits.decodedBody.bytes, stream ?? whole, url)
  } finally {
    if (!message.readableEnded) message.destroy()
  }
}

/** The first two bytes or more; fewer at the end. */
async function headOf(pieces: AsyncIterator<Buffer>): Promise<Buffer> {
  let head = Buffer.alloc(0)
  while (head.length < 2) {
    const next = await pieces.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }
  return head
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

/**
 * The same pieces.
 *
 * @throws Failure `too-large` when they have more bytes.
 */
export async function* atMost(
  maxBytes: number,
  pieces: AsyncIterable<Uint8Array>,
  url: string,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > maxBytes) throw new Failure('too-large', `${url} has more than ${maxBytes} bytes unpacked`)
    yield piece
  }
}
