import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Random secrets of 256 bits, of which only SHA-256 is stored: nobody guesses one, so nothing slower is needed. */

/** By this a token is known wherever it turns up, also by programs that search repositories for secrets. */
export const tokenPrefix = 'treeboot_'

/** Longer text is no secret of ours, and is not hashed. */
const longest = 256

export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** SHA-256 as hex. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret.slice(0, longest)).digest('hex')
}

export function isSameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** Whoever has the id of the session can make it; another site cannot, and the store need not know it. */
export function csrfOf(sessionId: string): string {
  return createHmac('sha256', sessionId).update('csrf').digest('base64url')
}

/** Names a session without being worth anything. */
export function referenceOf(hash: string): string {
  return hash.slice(0, 16)
}
