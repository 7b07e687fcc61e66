import type { IncomingMessage } from 'node:http'
import { Failure, failureMessage } from '../core/failure.ts'
import { requestLimits } from '../core/limits/requests.ts'

const maxBytes = requestLimits.jsonBody.bytes

/**
 * The body of a request as JSON; undefined when it says that it is something else. A body that is too long is not
 * read to its end, as `express.json` would do before it refuses it.
 *
 * @throws Failure `too-large`, or `bad-request` when it is not JSON or is cut off.
 */
export async function jsonBody(req: IncomingMessage): Promise<unknown> {
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(req.headers['content-type'] ?? '')) return undefined
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLong()
  const text = (await firstBytes(req)).toString('utf8')
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Failure('bad-request', `the body is not JSON: ${failureMessage(error)}`)
  }
}

function firstBytes(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let bytes = 0
    req.on('data', (piece: Buffer) => {
      bytes += piece.length
      pieces.push(piece)
      if (bytes <= maxBytes) return
      // Not destroyed: the response still goes out by the same socket.
      req.pause().removeAllListeners('data')
      reject(tooLong())
    })
    req.once('end', () => resolve(Buffer.concat(pieces)))
    req.once('close', () => reject(new Failure('bad-request', 'the body is cut off')))
    req.once('error', reject)
  })
}

function tooLong(): Failure {
  return new Failure('too-large', `the body has more than ${maxBytes} bytes`)
}
