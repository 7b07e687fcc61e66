import { defined } from '../core/defined.ts'
import type { LoaderKind } from '../core/loader/loaders.ts'
import { lru } from '../host/lru.ts'

/**
 * The last loader that was sent to a machine. Firmware that refuses an unsigned loader does not report it: we
 * see only which loader it was sent, and which loader then asks for something.
 */
interface Attempt {
  readonly sent: LoaderKind
  /**
   * Transaction number of the DHCP request. A repeated request with the same number belongs to this attempt.
   */
  readonly xid: number
  /** The loader that asked for something afterwards, and so runs. */
  readonly ran?: LoaderKind
  /** What was known of the machine when this loader was chosen. */
  readonly basis: LoaderHistory
}

/** Which loader a machine's firmware starts, and which it seems to refuse. */
export interface LoaderHistory {
  /** A loader that the firmware has started. */
  readonly started?: LoaderKind
  /** The loader that was sent last time, if this loader never asked us for anything. */
  readonly neverStarted?: LoaderKind
}

/** A machine that so many others displaced is sent loaders as a new one. */
const mostMachines = 10_000

/**
 * Which loader each machine was sent last, and whether that loader started. Kept in memory only; entries do
 * not expire by time.
 */
export class LoaderMemory {
  readonly #attempts = lru<string, Attempt>(mostMachines)

  /**
   * What is known of a machine when it asks. A repeated request (the same `xid`) gets the same result as the
   * first.
   */
  history(mac: string, xid: number): LoaderHistory {
    const attempt = this.#attempts.get(mac)
    if (!attempt) return {}
    if (attempt.xid === xid) return attempt.basis
    if (attempt.ran !== undefined) return { started: attempt.ran }
    // Only the last loader counts as refused. So every other loader is tried again, and two that both fail do
    // not keep a third from being tried.
    return { neverStarted: attempt.sent }
  }

  /**
   * What was known at the machine's last attempt: for its request on port 4011, which belongs to that
   * attempt.
   */
  lastBasis(mac: string): LoaderHistory {
    return this.#attempts.get(mac)?.basis ?? {}
  }

  /** Notes that a machine was sent this loader. */
  sent(mac: string, xid: number, sent: LoaderKind): void {
    // A loader that the firmware has started before still counts as started when it is sent again.
    const ran = this.#attempts.get(mac)?.ran
    const basis = this.history(mac, xid)
    this.#attempts.set(mac, { sent, xid, basis, ...defined({ ran: ran === sent ? ran : undefined }) })
  }

  /** Notes that a loader runs: iPXE sends its own DHCP request, the others ask for their configuration. */
  ran(mac: string, loader: LoaderKind): void {
    const attempt = this.#attempts.get(mac)
    if (attempt?.sent === loader) this.#attempts.set(mac, { ...attempt, ran: loader })
  }
}
