/** The limits of the service, and the counters that enforce the limits on passwords and on commands. */

import NodeCache from 'node-cache'
import { requestLimits } from '../../../core/limits/requests.ts'

export interface FtpLimits {
  /** The most control connections. */
  readonly sessions: number
  /** The most control connections from one address. A lab behind NAT is one address. */
  readonly sessionsPerClient: number
  /** A control connection that sends nothing for this long, while no transfer runs, is closed. */
  readonly idleMs: number
  /** A control connection without a login after this time is closed. */
  readonly loginMs: number
  /** A transfer that moves no byte for this long is aborted. */
  readonly stallMs: number
  /** How long a transfer waits for its data connection. */
  readonly connectMs: number
  /** A session is closed after this many wrong passwords. */
  readonly loginTries: number
  /**
   * After this many wrong passwords from one address within a minute, each further one ends its session.
   */
  readonly loginTriesPerMinute: number
  /** The most bytes of one command line. */
  readonly lineBytes: number
  /** The most commands of one session in a second. Further commands are delayed, not refused. */
  readonly commandsPerSecond: number
  /** The most commands that a client may send ahead. While more commands wait, the connection is not read. */
  readonly queuedCommands: number
  /** The most names of the listings that are being sent to one client. A listing alone may have more. */
  readonly listedNamesPerClient: number
  /** How long `stop` waits for running transfers. */
  readonly stopMs: number
}

export const defaultLimits: FtpLimits = {
  sessions: 2000,
  sessionsPerClient: 256,
  idleMs: 300_000,
  loginMs: 60_000,
  stallMs: 120_000,
  connectMs: 30_000,
  loginTries: 3,
  loginTriesPerMinute: 10,
  lineBytes: requestLimits.ftpLine.bytes,
  commandsPerSecond: 500,
  queuedCommands: 64,
  listedNamesPerClient: requestLimits.ftpListings.entries,
  stopMs: 3_000,
}

const guardWindowSeconds = 60
const maxGuardedAddresses = 10_000

/**
 * Counts wrong passwords by address, so that more connections do not make guessing faster. A count ends a
 * minute after its first wrong password.
 */
export class LoginGuard {
  readonly #perMinute: number
  /**
   * The counts themselves, not copies: the first failure starts the minute, and later ones do not prolong it.
   */
  readonly #failures = new NodeCache({
    stdTTL: guardWindowSeconds,
    checkperiod: guardWindowSeconds,
    maxKeys: maxGuardedAddresses,
    useClones: false,
  })

  constructor(perMinute: number) {
    this.#perMinute = perMinute
  }

  /** Whether this address may go on after a wrong password. */
  allows(address: string): boolean {
    return (this.#failures.get<Failures>(address)?.count ?? 0) < this.#perMinute
  }

  /** Counts a wrong password. */
  failed(address: string): void {
    const failures = this.#failures.get<Failures>(address)
    if (failures) failures.count++
    // More addresses are not counted, so that this memory stays bounded: nobody has so many, and each session
    // ends after a few wrong passwords.
    else if (this.size < maxGuardedAddresses) this.#failures.set(address, { count: 1 })
  }

  /** The number of addresses that have a count. */
  get size(): number {
    return this.#failures.getStats().keys
  }

  /** Ends the timer that removes old counts. */
  close(): void {
    this.#failures.close()
  }
}

interface Failures {
  count: number
}

/**
 * Limits the rate of commands with a token bucket. The bucket holds the tokens of one second and fills as
 * time passes. A command without a token waits.
 */
export class CommandRate {
  readonly #perSecond: number
  #tokens: number
  #countedMs = performance.now()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
  }

  /** Resolves when the next command may run. */
  async turn(): Promise<void> {
    const nowMs = performance.now()
    const filled = this.#tokens + ((nowMs - this.#countedMs) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#perSecond, filled) - 1
    this.#countedMs = nowMs
    if (this.#tokens >= 0) return
    const waitMs = Math.ceil((-this.#tokens / this.#perSecond) * 1000)
    await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
  }
}
