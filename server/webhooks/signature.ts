import { createHmac } from 'node:crypto'

/**
 * The headers by which a receiver knows that a delivery is ours and new: the HMAC-SHA256 (RFC 2104) of the time, a dot and
 * the body, as hex. The time is inside so that nobody can send an old delivery again for ever.
 *
 * @param seconds Since 1970.
 */
export function signatureHeaders(secret: string, seconds: number, body: string): Record<string, string> {
  const hex = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return { 'X-Treeboot-Timestamp': String(seconds), 'X-Treeboot-Signature': `sha256=${hex}` }
}
