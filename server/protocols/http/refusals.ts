import { STATUS_CODES } from 'node:http'
import type { RefusedRequest } from '../../core/http-status.ts'
import { requestLimits } from '../../core/limits/requests.ts'
import { emptyResponse } from './files/response.ts'

/** A refusal in the words of the application. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Says a refusal in the words of the application; undefined when a file was meant. */
export type Refuse = (refused: RefusedRequest) => Refusal | undefined

export type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer }

/** The first byte of a TLS handshake: its content type (RFC 8446 section 5.1). */
const tlsHandshake = 0x16

/** A request line with a method that no standard has (RFC 9110 section 9.1: any token). */
const requestLine = /^[\w!#$%&'*+.^`|~-]{1,64} \S+ HTTP\/1\.[01]\r?$/m

/** What node's parser refuses: a TLS handshake, binary junk, a head that never ends, a method that it does not know. */
export function refusedByParser(error: ParserError): RefusedRequest {
  const { code = '', rawPacket } = error
  if (rawPacket?.[0] === tlsHandshake)
    return { status: 400, message: 'a TLS handshake on the plain HTTP port; use http:// here' }
  const known = refusals[code]
  if (known) return known
  // RFC 9110 section 15.6.2: 501 for a method that no resource of a server has.
  const method =
    code === 'HPE_INVALID_METHOD' && requestLine.exec(rawPacket?.toString('latin1', 0, 8192) ?? '')
  if (method && method.index === 0) return { status: 501, message: 'a method that this server does not know' }
  return { status: 400, message: error.message }
}

const { bytes: headBytes, ms: headMs } = requestLimits.httpHead

const refusals: Readonly<Record<string, RefusedRequest>> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: `the head of the request is longer than ${headBytes} bytes` },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, message: 'chunk extensions are longer than 16 KiB' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    message: `the head of the request did not come to its end within ${headMs / 1000} s`,
  },
}

/** RFC 9110 section 10.1.1: the only expectation is `100-continue`, which node:http meets by itself. */
export function unmetExpectation(target: string, expectation: string): RefusedRequest {
  const message = `Expect: ${expectation.slice(0, 100)} is not met here, but 100-continue alone`
  return { status: 417, target, message }
}

/** The whole response on a socket that node:http makes no more responses for, as it closes the connection. */
export function refusalText({ status }: RefusedRequest, refusal: Refusal | undefined): string {
  const headers = refusal
    ? [...Object.entries(refusal.headers).flat(), 'Content-Length', String(Buffer.byteLength(refusal.body))]
    : emptyResponse(status).headers
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `${head}Connection: close\r\n\r\n${refusal?.body ?? ''}`
}
