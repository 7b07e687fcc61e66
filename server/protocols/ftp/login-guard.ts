const windowMs = 60_000
const maxAddresses = 10_000

/** Counts wrong passwords by address, so that guessing does not get quicker with more connections. */
export class LoginGuard {
  readonly #perMinute: number
  readonly #now: () => number
  readonly #failures = new Map<string, { count: number; readonly sinceMs: number }>()

  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute
    this.#now = now
  }

  /** Whether this address may try another password. */
  allows(address: string): boolean {
    const known = this.#recent(address)
    return !known || known.count < this.#perMinute
  }

  failed(address: string): void {
    const known = this.#recent(address)
    if (known) known.count++
    else {
      this.#forgetOld()
      this.#failures.set(address, { count: 1, sinceMs: this.#now() })
    }
  }

  #recent(address: string): { count: number } | undefined {
    const known = this.#failures.get(address)
    if (known && this.#now() - known.sinceMs < windowMs) return known
    this.#failures.delete(address)
    return undefined
  }

  /** In the order of insertion the oldest come first. */
  #forgetOld(): void {
    for (const [address, { sinceMs }] of this.#failures) {
      if (this.#failures.size < maxAddresses && this.#now() - sinceMs < windowMs) return
      this.#failures.delete(address)
    }
  }
}
