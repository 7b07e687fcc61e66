/** How long a store may go without a write before it is tried again. */
const probeAfterMs = 30_000
/** After this long without a write nobody knows whether the store can be written. */
const staleMs = 60_000

/**
 * Whether the store can be written. No installation begins that could not be remembered: after a crash its machine
 * would be installed again.
 */
export class StoreHealth {
  readonly #clock: () => number
  #writtenMs = Number.NEGATIVE_INFINITY
  #trouble: string | undefined

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** @returns Whether this is news: the store could not be written until now. */
  written(): boolean {
    const isNews = this.#trouble !== undefined
    this.#writtenMs = this.#clock()
    this.#trouble = undefined
    return isNews
  }

  /** @returns Whether this is news: the store could be written until now. */
  failed(message: string): boolean {
    const isNews = this.#trouble === undefined
    this.#trouble = message
    return isNews
  }

  get isProbeDue(): boolean {
    return this.#trouble !== undefined || this.#age >= probeAfterMs
  }

  /** The machine may have slept, or the event loop was blocked. */
  get isStale(): boolean {
    return this.#trouble === undefined && this.#age >= staleMs
  }

  /** Why the store cannot be written, for people; undefined when it can. */
  whyNot(): string | undefined {
    if (this.#trouble !== undefined) return `the store cannot be written (${this.#trouble})`
    return this.isStale ? 'the store was not written for a minute' : undefined
  }

  /** Absolute, because the clock may have been set back. */
  get #age(): number {
    return Math.abs(this.#clock() - this.#writtenMs)
  }
}
