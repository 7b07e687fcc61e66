import { Failure } from '../../core/failure.ts'
import { shown } from './tree-path.ts'

/**
 * What one archive or image is unpacked to at most. The largest disc (BD-XL) has 119 GiB; `import.max-unpacked`
 * sets another size. A distribution's largest disc has 60,000 files.
 */
export const unpackLimits = { bytes: 128 * 2 ** 30, entries: 250_000 } as const

/**
 * Counts what is unpacked of one archive or image: a few bytes may say that they are terabytes, or millions of
 * files.
 */
export class UnpackBudget {
  readonly #source: string
  readonly #maxBytes: number
  #bytes = 0
  #entries = 0

  constructor(source: string, maxBytes: number = unpackLimits.bytes) {
    this.#source = source
    this.#maxBytes = maxBytes
  }

  /**
   * Counts an entry before anything of it is written.
   *
   * @throws Failure `too-large` beyond the limits.
   */
  add(path: string, bytes: number): void {
    this.#entries++
    this.#bytes += bytes
    if (this.#entries > unpackLimits.entries)
      throw new Failure(
        'too-large',
        `${this.#source} has more than ${unpackLimits.entries} entries: the next one is ${shown(path)}`,
      )
    if (this.#bytes > this.#maxBytes)
      throw new Failure(
        'too-large',
        `${this.#source}: with ${shown(path)} its content has ${this.#bytes} bytes, expected at most ${this.#maxBytes}; if it is right, set import.max-unpacked in config.yaml`,
      )
  }
}
