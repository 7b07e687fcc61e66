import { addressPrefix } from '../core/net/prefix.ts'
import { lru } from '../host/lru.ts'

/** How wrong passwords make the next try wait. */
interface Pauses {
  /** So many wrong ones cost nothing. */
  readonly free: number
  readonly firstMs: number
  /** Each further one doubles the pause, up to this. */
  readonly mostMs: number
  /** After so long without a try all is forgotten. */
  readonly forgetMs: number
}

/** Of one account from one address. */
const ofPair: Pauses = { free: 3, firstMs: 1_000, mostMs: 15 * 60_000, forgetMs: 60 * 60_000 }
/** Of one address, whatever accounts it names: who tries one password with all names. */
const ofAddress: Pauses = { free: 20, firstMs: 1_000, mostMs: 60_000, forgetMs: 15 * 60_000 }

/** So many of each kind are remembered. */
const mostKept = 10_000

interface Tries {
  wrong: number
  lastMs: number
  untilMs: number
}

/** A try that has begun. It counts as wrong until something else is said. */
export interface Try {
  /** The password was right. */
  right(): void
  /** The password was not looked at. */
  undone(): void
}

/**
 * Makes whoever gives wrong passwords wait, longer each time. Tries are counted by account *and* address: nobody can
 * lock others out of an account from elsewhere. The limit of an address alone does not hold for an account that has signed
 * in from there, so that people behind one address do not hinder each other.
 */
export class SignInThrottle {
  readonly #up: () => number
  readonly #pairs = lru<string, Tries>(mostKept)
  readonly #addresses = lru<string, Tries>(mostKept)
  /** Pairs that have signed in since the start. */
  readonly #known = lru<string, true>(mostKept)

  /** @param up Milliseconds, by a clock that is never set. */
  constructor(up: () => number) {
    this.#up = up
  }

  /** For tests: how much is remembered. */
  get size(): number {
    return this.#pairs.size + this.#addresses.size + this.#known.size
  }

  /** The milliseconds to wait, or a try. */
  begin(account: string, address: string): number | Try {
    const pair = `${addressPrefix(address, 64)} ${account.slice(0, 64)}`
    const wide = addressPrefix(address, 48)
    const isKnown = this.#known.has(pair)
    const waits = [this.#wait(this.#pairs, pair), isKnown ? 0 : this.#wait(this.#addresses, wide)]
    const waitMs = Math.max(...waits)
    // Not counted: a program that goes on asking must not make it worse for the person who owns it.
    if (waitMs > 0) return waitMs
    this.#count(this.#pairs, pair, ofPair)
    if (!isKnown) this.#count(this.#addresses, wide, ofAddress)
    return {
      right: () => {
        this.#pairs.delete(pair)
        this.#known.set(pair, true)
        if (!isKnown) takeBack(this.#addresses.get(wide), ofAddress)
      },
      undone: () => {
        takeBack(this.#pairs.get(pair), ofPair)
        if (!isKnown) takeBack(this.#addresses.get(wide), ofAddress)
      },
    }
  }

  /** The same for a sign-in that names no account yet. */
  beginFrom(address: string): number | Try {
    const wide = addressPrefix(address, 48)
    const waitMs = this.#wait(this.#addresses, wide)
    if (waitMs > 0) return waitMs
    this.#count(this.#addresses, wide, ofAddress)
    const undone = (): void => takeBack(this.#addresses.get(wide), ofAddress)
    return { right: undone, undone }
  }

  #wait(all: ReturnType<typeof lru<string, Tries>>, key: string): number {
    const tries = all.get(key)
    return tries ? Math.max(0, Math.ceil(tries.untilMs - this.#up())) : 0
  }

  #count(all: ReturnType<typeof lru<string, Tries>>, key: string, pauses: Pauses): void {
    const lastMs = this.#up()
    const before = all.get(key)
    const wrong = before && lastMs - before.lastMs < pauses.forgetMs ? before.wrong + 1 : 1
    all.set(key, { wrong, lastMs, untilMs: lastMs + pauseAfter(wrong, pauses) })
  }
}

function takeBack(tries: Tries | undefined, pauses: Pauses): void {
  if (!tries) return
  tries.wrong = Math.max(0, tries.wrong - 1)
  tries.untilMs = tries.lastMs + pauseAfter(tries.wrong, pauses)
}

function pauseAfter(wrong: number, { free, firstMs, mostMs }: Pauses): number {
  return wrong < free ? 0 : Math.min(mostMs, firstMs * 2 ** (wrong - free))
}
