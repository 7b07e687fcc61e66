import NodeCache from 'node-cache'

const windowSeconds = 60
const maxAddresses = 10_000

/** Counts wrong passwords by address, so that guessing does not get quicker with more connections. A minute forgives. */
export class LoginGuard {
  readonly #perMinute: number
  /** The counters themselves, not copies; the first failure starts the minute. */
  readonly #failures = new NodeCache({
    stdTTL: windowSeconds,
    checkperiod: windowSeconds,
    maxKeys: maxAddresses,
    useClones: false,
  })

  constructor(perMinute: number) {
    this.#perMinute = perMinute
  }

  /** Whether this address may try another password. */
  allows(address: string): boolean {
    return (this.#failures.get<Failures>(address)?.count ?? 0) < this.#perMinute
  }

  failed(address: string): void {
    const known = this.#failures.get<Failures>(address)
    if (known) known.count++
    // Ten thousand addresses in one minute: the limit of sessions holds them off, and this memory stays bounded.
    else if (this.#failures.getStats().keys < maxAddresses) this.#failures.set(address, { count: 1 })
  }

  /** Ends the timer that forgets. */
  close(): void {
    this.#failures.close()
  }
}

interface Failures {
  count: number
}
