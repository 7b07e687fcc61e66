/** The limits of the service, and the two counters that enforce those on passwords and on commands. */

import NodeCache from 'node-cache'

export interface FtpLimits {
  /** Control connections in all. */
  readonly sessions: number
  /** Control connections from one address. A lab behind NAT is one address. */
  readonly sessionsPerClient: number
  /** A control connection that sends nothing for so long, while no transfer runs, is closed. */
  readonly idleMs: number
  /** A control connection without a login after this time is closed. */
  readonly loginMs: number
  /** A transfer that moves no byte for so long is aborted. */
  readonly stallMs: number
  /** How long a transfer waits for its data connection. */
  readonly connectMs: number
  /** A session is closed after this many wrong passwords. */
  readonly loginTries: number
  /**
   * After this many wrong passwords from one address within a minute, its passwords are refused unchecked.
   */
  readonly loginTriesPerMinute: number
  /** Bytes of one command line. */
  readonly lineBytes: number
  /** Commands of one session. Further commands are delayed, not refused. */
  readonly commandsPerSecond: number
  /** Commands that a client may send ahead. While more of them wait, the connection is not read. */
  readonly queuedCommands: number
  /** How long `stop` lets running transfers go on. */
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
  lineBytes: 8192,
  commandsPerSecond: 500,
  queuedCommands: 64,
  stopMs: 3_000,
}

const guardWindowSeconds = 60
const maxGuardedAddresses = 10_000

/**
 * Counts wrong passwords by address, so that more connections do not make guessing faster. A minute later the
 * count is 0.
 */
export class LoginGuard {
  readonly #perMinute: number
  /** The counts themselves, not copies: the first failure starts the minute, and later ones do not prolong it. */
  readonly #failures = new NodeCache({
    stdTTL: guardWindowSeconds,
    checkperiod: guardWindowSeconds,
    maxKeys: maxGuardedAddresses,
    useClones: false,
  })

  constructor(perMinute: number) {
    this.#perMinute = perMinute
  }

  /** Whether a password from this address may be checked. */
  allows(address: string): boolean {
    return (this.#failures.get<Failures>(address)?.count ?? 0) < this.#perMinute
  }

  failed(address: string): void {
    const failures = this.#failures.get<Failures>(address)
    if (failures) failures.count++
    // Ten thousand addresses in one minute: the limit of sessions holds them off, and this memory stays bounded.
    else if (this.size < maxGuardedAddresses) this.#failures.set(address, { count: 1 })
  }

  /** Addresses with a count. */
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
 * A token bucket: it holds one second's worth of commands and fills as time passes. A command without a token
 * waits.
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
