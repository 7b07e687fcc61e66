import { Failure } from '../../core/failure.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { shown } from './tree-path.ts'

/** `import.max-unpacked` sets another size. */
const { bytes: defaultBytes, entries: mostEntries } = imageLimits.unpacked

/**
 * Counts what is unpacked of one archive or image: a few bytes may say that they are terabytes, or millions of
 * files.
 */
export class UnpackBudget {
  readonly #source: string
  readonly #maxBytes: number
  #bytes = 0
  #entries = 0

  constructor(source: string, maxBytes: number = defaultBytes) {
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
    if (this.#entries > mostEntries)
      throw new Failure(
        'too-large',
        `${this.#source} has more than ${mostEntries} entries: the next one is ${shown(path)}`,
      )
    if (this.#bytes > this.#maxBytes)
      throw new Failure(
        'too-large',
        `${this.#source}: with ${shown(path)} its content has ${this.#bytes} bytes, expected at most ${this.#maxBytes}; if it is right, set import.max-unpacked in config.yaml`,
      )
  }
}
