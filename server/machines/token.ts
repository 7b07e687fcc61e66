import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * The token of one installation of a guest: a report that carries it comes from a reader of that
 * installation's answer file. It is computed and not stored, so reading an answer file writes nothing, and a
 * new installation makes the old token invalid. 128 bits, as text for a URL's path.
 */
export function reportToken(secret: Uint8Array, guest: string, installNumber: number): string {
  return createHmac('sha256', secret)
    .update(`${guest}\n${installNumber}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url')
}

/** Whether two tokens are equal, compared in constant time. */
export function sameToken(expected: string, found: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(found)]
  return a.length === b.length && timingSafeEqual(a, b)
}
