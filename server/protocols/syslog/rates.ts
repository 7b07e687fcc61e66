import { requestLimits } from '../../core/limits/requests.ts'
import { lru } from '../../host/lru.ts'

const { syslogLines, syslogAllLines } = requestLimits
/** One machine may send so many seconds' lines at once, all together those of two seconds. */
const burst = 20
const burstOfAll = 2
/** The addresses that are remembered. Beyond that, the one that sent longest ago is forgotten. */
const mostAddresses = 4096

/** So many units in a second, and so many at once. */
class Bucket {
  readonly #perSecond: number
  readonly #most: number
  #left: number
  #filledMs: number

  constructor(perSecond: number, most: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#most = most
    this.#left = most
    this.#filledMs = nowMs
  }

  has(units: number, nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#filledMs) * this.#perSecond) / 1000
    this.#left = Math.min(this.#most, this.#left + earned)
    this.#filledMs = nowMs
    return this.#left >= units
  }

  take(units: number): void {
    this.#left -= units
  }
}

/** Bounds lines and bytes of each address, and the lines of all together. Its memory is bounded. */
export class LineRates {
  readonly #addresses = lru<string, { readonly lines: Bucket; readonly bytes: Bucket }>(mostAddresses)
  readonly #all: Bucket

  /** @param nowMs Milliseconds, by a clock that is never set. */
  constructor(nowMs: number) {
    const { entries } = syslogAllLines
    this.#all = new Bucket(entries, burstOfAll * entries, nowMs)
  }

  /** How many addresses are remembered, for tests of the bound. */
  get addresses(): number {
    return this.#addresses.size
  }

  /** Whether a line may pass. Counts it only then. */
  admit(address: string, bytes: number, nowMs: number): boolean {
    const own = this.#of(address, nowMs)
    const mayPass = own.lines.has(1, nowMs) && own.bytes.has(bytes, nowMs) && this.#all.has(1, nowMs)
    if (!mayPass) return false
    own.lines.take(1)
    own.bytes.take(bytes)
    this.#all.take(1)
    return true
  }

  #of(address: string, nowMs: number): { readonly lines: Bucket; readonly bytes: Bucket } {
    const known = this.#addresses.get(address)
    if (known) return known
    const { entries, bytes } = syslogLines
    const made = {
      lines: new Bucket(entries, burst * entries, nowMs),
      bytes: new Bucket(bytes, burst * bytes, nowMs),
    }
    this.#addresses.set(address, made)
    return made
  }
}
