import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * The word by which a report is known to come from the answer file of one installation. It is computed and not
 * stored: looking at an answer file writes nothing, and a new installation makes the old word worthless. 128 bits,
 * as text for a URL's path.
 */
export function reportToken(secret: Uint8Array, guest: string, install: number): string {
  return createHmac('sha256', secret)
    .update(`${guest}\n${install}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url')
}

export function sameToken(expected: string, found: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(found)]
  return a.length === b.length && timingSafeEqual(a, b)
}
