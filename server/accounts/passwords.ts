import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { Failure } from '../core/failure.ts'
import { addressPrefix } from '../core/net/prefix.ts'

/** What one hash costs (RFC 7914 section 2): memory is 128 * r * 2^ln bytes, time grows with it and with p. */
export interface ScryptCost {
  readonly ln: number
  readonly r: number
  readonly p: number
}

/** 128 MiB and about half a second. OWASP's "Password Storage" of 2024 asks for no less. */
export const scryptCost: ScryptCost = { ln: 17, r: 8, p: 1 }

/** A stored hash that asks for more was damaged, and is not computed. */
const mostCost: ScryptCost = { ln: 20, r: 16, p: 4 }

const saltBytes = 16
const hashBytes = 32

/** Each takes a thread of four, and its memory; boots need the others. */
const mostAtOnce = 2
const mostWaiting = 16
/** One address must not fill the line. */
const mostOfAddress = 4
/** How long somebody who found the line full should wait. */
const fullRetryMs = 2_000

/** Not now: the sender is to try again after this time. */
export class TryLater extends Failure {
  override readonly retryAfterMs: number

  constructor(message: string, retryAfterMs: number) {
    super('too-many', message, { forClient: true })
    this.retryAfterMs = retryAfterMs
  }
}

export interface PasswordCheck {
  readonly isRight: boolean
  /** The hash with today's parameters, when the stored one has less. */
  readonly better?: string
}

/** Makes and compares hashes of passwords: `$scrypt$ln=17,r=8,p=1$<salt>$<hash>`, both in base64 without `=`. */
export class Passwords {
  readonly #cost: ScryptCost
  readonly #waiting: (() => void)[] = []
  readonly #ofAddress = new Map<string, number>()
  readonly #nobodysSalt = randomBytes(saltBytes)
  #running = 0

  constructor(cost: ScryptCost = scryptCost) {
    this.#cost = cost
  }

  /** @throws TryLater when too many wait already. */
  hash(password: string, from: string): Promise<string> {
    return this.#inTurn(from, () => this.#newHash(password))
  }

  /**
   * Compares a password with a stored hash. Without one it takes the same time: the caller must not learn from it
   * whether there is such an account.
   *
   * @throws TryLater when too many wait already.
   */
  check(password: string, stored: string | undefined, from: string): Promise<PasswordCheck> {
    return this.#inTurn(from, async () => {
      const known = stored === undefined ? undefined : storedParts(stored)
      const { cost, salt, hash } = known ?? {
        cost: this.#cost,
        salt: this.#nobodysSalt,
        hash: Buffer.alloc(hashBytes),
      }
      const isRight = timingSafeEqual(await derive(password, salt, cost), hash) && known !== undefined
      if (!isRight || !isLess(cost, this.#cost)) return { isRight }
      return { isRight, better: await this.#newHash(password) }
    })
  }

  async #newHash(password: string): Promise<string> {
    const salt = randomBytes(saltBytes)
    const { ln, r, p } = this.#cost
    const hash = await derive(password, salt, this.#cost)
    return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`
  }

  async #inTurn<T>(from: string, work: () => Promise<T>): Promise<T> {
    const prefix = addressPrefix(from, 64)
    const own = this.#ofAddress.get(prefix) ?? 0
    if (own >= mostOfAddress || this.#waiting.length >= mostWaiting)
      throw new TryLater('too many sign in at this moment; try again', fullRetryMs)
    this.#ofAddress.set(prefix, own + 1)
    // Whoever ends gives his place to the first who waits, so nobody comes in between.
    if (this.#running < mostAtOnce) this.#running++
    else await new Promise<void>((begin) => this.#waiting.push(begin))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
      const left = (this.#ofAddress.get(prefix) ?? 1) - 1
      if (left > 0) this.#ofAddress.set(prefix, left)
      else this.#ofAddress.delete(prefix)
    }
  }
}

function derive(password: string, salt: Buffer, { ln, r, p }: ScryptCost): Promise<Buffer> {
  const N = 2 ** ln
  const maxmem = 128 * r * (N + p + 32)
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hashBytes, { N, r, p, maxmem }, (error, hash) =>
      error ? reject(error) : resolve(hash),
    )
  })
}

interface StoredHash {
  readonly cost: ScryptCost
  readonly salt: Buffer
  readonly hash: Buffer
}

/** Undefined for what we did not write: such a password is never right. */
function storedParts(stored: string): StoredHash | undefined {
  const form = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d)\$([\w+/]{16,64})\$([\w+/]{43})$/
  const [, ln, r, p, salt = '', hash = ''] = form.exec(stored) ?? []
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) }
  const isSane = cost.ln >= 1 && cost.r >= 1 && cost.p >= 1 && !isMore(cost, mostCost)
  if (!isSane) return undefined
  return { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}

function isLess(a: ScryptCost, b: ScryptCost): boolean {
  return a.ln < b.ln || a.r < b.r || a.p < b.p
}

function isMore(a: ScryptCost, b: ScryptCost): boolean {
  return isLess(b, a)
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
