import { createHash, hash } from 'node:crypto'

export type ShaCryptKind = 'sha256' | 'sha512'

export const defaultRounds = 5000
const leastRounds = 1000
const mostRounds = 999_999_999
const longestSalt = 16

export interface ShaCryptWork {
  /** Limited to 1000 to 999999999, as specified. The result names them only when they are given. */
  readonly rounds?: number | undefined
  /** Is called every few milliseconds, and throws when the work must end. */
  readonly checkTime?: () => void
}

/**
 * Makes the Unix password hashes `$5$` and `$6$`: "Unix crypt using SHA-256 and SHA-512", Ulrich Drepper,
 * version 0.6. `mkpasswd -m sha-512`, `openssl passwd -6` and crypt(3) of glibc make the same. The numbers in
 * the comments are the steps of that specification.
 */
export function shaCrypt(
  kind: ShaCryptKind,
  password: string,
  salt: string,
  { rounds, checkTime }: ShaCryptWork = {},
): string {
  const key = Buffer.from(password)
  const saltBytes = Buffer.from(salt).subarray(0, longestSalt)
  const count = Math.min(mostRounds, Math.max(leastRounds, rounds ?? defaultRounds))
  const digest = manyRounds(kind, key, saltBytes, { rounds: count, checkTime })
  const prefix = kind === 'sha512' ? '$6$' : '$5$'
  const shown = rounds === undefined ? '' : `rounds=${count}$`
  return `${prefix}${shown}${saltBytes.toString()}$${encode(digest, kind)}`
}

function manyRounds(
  kind: ShaCryptKind,
  key: Buffer,
  salt: Buffer,
  { rounds, checkTime }: { rounds: number; checkTime: ShaCryptWork['checkTime'] },
): Buffer {
  const digestOf = (...parts: readonly Uint8Array[]): Buffer => {
    const sum = createHash(kind)
    for (const part of parts) sum.update(part)
    return sum.digest()
  }
  // 4 to 8
  const b = digestOf(key, salt, key)
  // 1 to 3, 9 to 12
  const parts: Uint8Array[] = [key, salt, repeat(b, key.length)]
  for (let bits = key.length; bits > 0; bits >>>= 1) parts.push(bits & 1 ? b : key)
  let a = digestOf(...parts)
  // 13 to 16: hashes the key as many times as it has bytes
  const p = repeat(digestOf(...Array<Buffer>(key.length).fill(key)), key.length)
  // 17 to 20
  const s = repeat(digestOf(...Array<Buffer>(16 + (a[0] ?? 0)).fill(salt)), salt.length)
  // 21. What is hashed repeats after 42 rounds, but for the last digest `a`.
  const messages = Array.from({ length: 42 }, (_, round) => {
    const middle: Uint8Array[] = []
    if (round % 3 !== 0) middle.push(s)
    if (round % 7 !== 0) middle.push(p)
    const message = Buffer.concat(round & 1 ? [p, ...middle, a] : [a, ...middle, p])
    return { message, at: round & 1 ? message.length - a.length : 0 }
  })
  for (let round = 0; round < rounds; round++) {
    const each = messages[round % messages.length]
    if (!each) break
    if (round % 4096 === 4095) checkTime?.()
    a.copy(each.message, each.at)
    a = hash(kind, each.message, 'buffer')
  }
  return a
}

/** Repeats `block` up to `length` bytes. */
function repeat(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, length > 0 ? block : undefined)
}

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Step 22: three bytes make four characters, low bits first. The bytes are a third of the digest apart. */
function encode(digest: Buffer, kind: ShaCryptKind): string {
  const third = kind === 'sha512' ? 21 : 10
  let text = ''
  for (let i = 0; i < third; i++) {
    const indices = [i, i + third, i + 2 * third]
    // The first of the three rotates: forwards for SHA-256, backwards for SHA-512.
    const turn = kind === 'sha512' ? i % 3 : (3 - (i % 3)) % 3
    const [high = 0, middle = 0, low = 0] = [...indices.slice(turn), ...indices.slice(0, turn)]
    text += characters([digest[high] ?? 0, digest[middle] ?? 0, digest[low] ?? 0], 4)
  }
  if (kind === 'sha512') return text + characters([0, 0, digest[63] ?? 0], 2)
  return text + characters([0, digest[31] ?? 0, digest[30] ?? 0], 3)
}

function characters([high, middle, low]: readonly [number, number, number], count: number): string {
  let bits = (high << 16) | (middle << 8) | low
  let text = ''
  for (let i = 0; i < count; i++) {
    text += alphabet[bits & 0x3f]
    bits >>>= 6
  }
  return text
}
