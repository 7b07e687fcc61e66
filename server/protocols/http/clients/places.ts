/**
 * A limited number of places, and a line of those who wait for one: first come, first served. Whoever has a place
 * gives it back.
 */
export class Places {
  readonly #limit: number
  readonly #longestLine: number
  #taken = 0
  readonly #line = new Set<() => void>()

  constructor(limit: number, longestLine: number) {
    this.#limit = limit
    this.#longestLine = longestLine
  }

  get waiting(): number {
    return this.#line.size
  }

  /** Takes a place, if one is free. */
  take(): boolean {
    if (this.#taken >= this.#limit) return false
    this.#taken++
    return true
  }

  /**
   * Waits for a place: `onTurn` is called with the place taken. Returns the function that leaves the line;
   * undefined when the line is full.
   */
  wait(onTurn: () => void): (() => void) | undefined {
    if (this.#line.size >= this.#longestLine) return undefined
    this.#line.add(onTurn)
    return () => this.#line.delete(onTurn)
  }

  /** Gives a place back. The first in the line gets it. */
  give(): void {
    if (this.#line.size === 0) {
      this.#taken--
      return
    }
    const [next] = this.#line
    if (next) this.#line.delete(next)
    next?.()
  }
}
