import { createHash, type Hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Failure } from '../../core/failure.ts'

/** The file that the bytes of a body are written to. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>
  close(outcome: 'complete' | 'partial'): Promise<void>
}

/** The digest that a client sent with a body. */
export interface ExpectedDigest {
  readonly algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512'
  readonly base64: string
}

/**
 * How many bytes are collected for each write. Node hands over pieces of about 64 KiB, and larger writes cost
 * the disk less.
 */
const writeBytes = 1 << 20

/**
 * Writes the body of a request to a sink piece by piece, so that a large upload needs no more memory than a
 * small one. Bytes that arrived before the connection broke are kept. Resolves to the number of bytes
 * received.
 *
 * @param isWhole Whether the file is complete after this many bytes of the body.
 * @throws Failure `bad-request` when the body is cut off, `invalid-data` when its digest is wrong.
 */
export async function receive(
  req: IncomingMessage,
  sink: Sink,
  isWhole: (received: number) => boolean,
  expected?: ExpectedDigest,
): Promise<number> {
  const hash = expected && createHash(expected.algorithm)
  let outcome: 'complete' | 'partial' = 'partial'
  let received = 0
  try {
    received = await writeBody(req, sink, hash)
    const announced = req.headers['content-length']
    if (announced !== undefined && received !== Number(announced))
      throw new Failure('bad-request', `cut off: received ${received} of ${announced} bytes`)
    checkDigest(hash, expected)
    if (isWhole(received)) outcome = 'complete'
  } catch (error) {
    if (error instanceof Failure || !req.destroyed) throw error
    throw new Failure('bad-request', `the connection broke after ${received} bytes`, { cause: error })
  } finally {
    await sink.close(outcome)
  }
  return received
}

async function writeBody(req: IncomingMessage, sink: Sink, hash: Hash | undefined): Promise<number> {
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let received = 0
  const flush = async (): Promise<void> => {
    const bytes = waiting.length === 1 && waiting[0] ? waiting[0] : Buffer.concat(waiting)
    waiting = []
    waitingBytes = 0
    hash?.update(bytes)
    await sink.write(bytes)
  }
  try {
    for await (const piece of req as AsyncIterable<Buffer>) {
      received += piece.length
      waiting.push(piece)
      waitingBytes += piece.length
      if (waitingBytes >= writeBytes) await flush()
    }
  } finally {
    // Also writes the last bytes before the connection broke: a resumed upload continues after them.
    if (waitingBytes > 0) await flush()
  }
  return received
}

function checkDigest(hash: Hash | undefined, expected: ExpectedDigest | undefined): void {
  const found = hash?.digest('base64')
  if (!expected || found === expected.base64) return
  throw new Failure(
    'invalid-data',
    `wrong checksum: found ${expected.algorithm} ${hexOf(found ?? '')}, expected ${hexOf(expected.base64)} as announced`,
  )
}

function hexOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex')
}

const algorithms = ['md5', 'sha1', 'sha256', 'sha512'] as const

/**
 * The digest that a request announces: `Repr-Digest` or `Content-Digest: sha-256=:BASE64:` (RFC 9530),
 * `Digest: sha-256=BASE64` (RFC 3230), `Content-MD5`, or tus's `Upload-Checksum: sha256 BASE64`.
 *
 * @throws Failure `bad-request` for a digest that cannot be parsed or has an unknown algorithm.
 */
export function announcedDigest(req: IncomingMessage): ExpectedDigest | undefined {
  const header = (name: string): string => [req.headers[name] ?? ''].flat().join(',').trim()
  const md5 = header('content-md5')
  if (md5 !== '') return { algorithm: 'md5', base64: md5 }
  for (const name of ['repr-digest', 'content-digest', 'digest', 'upload-checksum']) {
    const value = header(name)
    if (value === '') continue
    for (const part of value.split(',')) {
      const [, written = '', base64 = ''] =
        /^\s*([\w-]+)\s*[=\s]\s*:?([A-Za-z0-9+/]+=*):?\s*$/.exec(part) ?? []
      // `sha-256` is our `sha256`, and RFC 3230 calls SHA-1 `SHA`.
      const algorithm = algorithms.find(
        (each) =>
          each ===
          written
            .toLowerCase()
            .replace(/^sha-(?=\d)/, 'sha')
            .replace(/^sha$/, 'sha1'),
      )
      if (algorithm) return { algorithm, base64 }
    }
    throw new Failure(
      'bad-request',
      `${name}: ${value.slice(0, 100)}: expected md5, sha-256 or sha-512 and a digest in base64`,
    )
  }
  return undefined
}
