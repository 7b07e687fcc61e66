import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { Failure, failureMessage } from '../core/failure.ts'
import { requestLimits } from '../core/limits/requests.ts'

export interface BodyOptions {
  /** The most bytes. Default: `requestLimits.jsonBody`. */
  readonly most?: number
  /** The media types that are read. Default: JSON. */
  readonly types?: readonly string[]
  /** What says that it is of another type counts as none, and so does a text that is too long. Neither is refused. */
  readonly lenient?: boolean
}

const jsonType = /^application\/(?:[\w.-]+\+)?json$/

/**
 * The body of a request: the value of JSON, and the text of any other type; undefined when it has none. A body that is
 * too long is not read to its end, as `express.json` would do before it refuses it.
 *
 * @throws Failure `too-large`, `wrong-type`, or `bad-request` when it is not JSON or UTF-8, or is cut off.
 */
export async function readBody(req: IncomingMessage, options: BodyOptions = {}): Promise<unknown> {
  const { most = requestLimits.jsonBody.bytes, types, lenient = false } = options
  const [head = ''] = (req.headers['content-type'] ?? '').toLowerCase().split(';')
  const type = head.trim()
  const isJson = jsonType.test(type)
  const isKnown = types ? types.includes(type) : isJson
  if (!isKnown && (lenient || !hasBody(req))) return undefined
  if (!isKnown) {
    const expected = (types ?? ['application/json']).join(' or ')
    throw new Failure('wrong-type', `Content-Type: ${type || 'none'}: expected ${expected}`)
  }
  if (!lenient) requirePlain(req)
  const bytes = await firstBytes(req, most)
  // `curl --data-binary @install.log` says that it is a form.
  if (!bytes && lenient && !isJson) return undefined
  if (!bytes) throw new Failure('too-large', `the body has more than ${most} bytes`)
  return bodyIn(textOf(bytes, lenient), isJson)
}

function bodyIn(text: string, isJson: boolean): unknown {
  if (text.trim() === '') return undefined
  if (!isJson) return text
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Failure('bad-request', `the body is not JSON: ${failureMessage(error)}`)
  }
}

/** RFC 9110, 15.5.16. What is small when it is packed may be anything when it is not. */
function requirePlain({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? ''
  if (encoding === '' || encoding === 'identity') return
  throw new Failure('wrong-type', `Content-Encoding: ${encoding}: expected none`)
}

/** Bytes that are no UTF-8 would become other ones in a file: U+FFFD in the place of each. */
function textOf(bytes: Buffer, lenient: boolean): string {
  if (lenient || isUtf8(bytes)) return bytes.toString('utf8')
  throw new Failure('bad-request', 'the body is not UTF-8')
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Undefined for a body that is longer. It is not read to its end. */
function firstBytes(req: IncomingMessage, most: number): Promise<Buffer | undefined> {
  if (Number(req.headers['content-length'] ?? 0) > most) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let bytes = 0
    req.on('data', (piece: Buffer) => {
      bytes += piece.length
      pieces.push(piece)
      if (bytes <= most) return
      // Not destroyed: the response still goes out by the same socket.
      req.pause().removeAllListeners('data')
      resolve(undefined)
    })
    req.once('end', () => resolve(Buffer.concat(pieces)))
    req.once('close', () => reject(new Failure('bad-request', 'the body is cut off')))
    req.once('error', reject)
  })
}
