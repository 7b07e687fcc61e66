import { defined } from '../core/defined.ts'
import type { LoaderCandidate } from '../core/loader/choice.ts'
import type { LoaderKind } from '../core/loader/loaders.ts'
import { lru } from '../host/lru.ts'

/**
 * The last loader that was sent to a machine. Firmware that refuses an unsigned loader does not report it: we
 * see only which loader it was sent, and which loader then asks for something.
 */
interface Attempt {
  readonly sent: LoaderKind
  /** The path by which the loader can be fetched. */
  readonly path: string
  /** Whether the machine fetched it to its end: without that, its firmware had nothing to refuse. */
  readonly fetched?: true
  /** How many fetches of unknown machines there had been when it was sent. */
  readonly fetchesBefore: number
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
  /** The loader that was sent last time, if the machine fetched it and it never asked us for anything. */
  readonly neverStarted?: LoaderKind
}

/** A machine that so many others displaced is sent loaders as a new one. */
const mostMachines = 10_000
/** Some ten loaders of the host, and two of each tree. */
const mostPaths = 10_000

/**
 * Which loader each machine was sent last, and whether that loader started. Kept in memory only; entries do
 * not expire by time.
 */
export class LoaderMemory {
  readonly #attempts = lru<string, Attempt>(mostMachines)
  /** Path of a loader -> the number of its last fetch by a machine that nobody could name. */
  readonly #fetchedBySomeone = lru<string, number>(mostPaths)
  #fetches = 0
  /** Paths of loaders that were sent to some machine. */
  readonly #paths = lru<string, true>(mostPaths)

  /**
   * What is known of a machine when it asks. A repeated request (the same `xid`) gets the same result as the
   * first.
   */
  history(mac: string, xid: number): LoaderHistory {
    const attempt = this.#attempts.peek(mac)
    if (!attempt) return {}
    if (attempt.xid === xid) return attempt.basis
    if (attempt.ran !== undefined) return { started: attempt.ran }
    // A machine that was reset, had no address yet or followed another server learns nothing of its firmware.
    if (!this.#wasFetched(attempt)) return attempt.basis
    // Only the last loader counts as refused. So every other loader is tried again, and two that both fail do
    // not keep a third from being tried.
    return { neverStarted: attempt.sent }
  }

  /** Whether a file is a loader that some machine was sent. */
  mayHaveSent(path: string): boolean {
    return this.#paths.has(path)
  }

  #wasFetched({ fetched, path, fetchesBefore }: Attempt): boolean {
    return fetched === true || (this.#fetchedBySomeone.get(path) ?? 0) > fetchesBefore
  }

  /**
   * Notes that a file was sent to its end, to the machine with this MAC. Without a MAC it may have been any machine
   * that was offered it, and counts for all of them.
   */
  fetched(path: string, mac: string | undefined): void {
    if (mac === undefined) {
      this.#fetchedBySomeone.set(path, ++this.#fetches)
      return
    }
    const attempt = this.#attempts.get(mac)
    if (attempt?.path === path) this.#attempts.set(mac, { ...attempt, fetched: true })
  }

  /**
   * What was known at the machine's last attempt: for its request on port 4011, which belongs to that
   * attempt.
   */
  lastBasis(mac: string): LoaderHistory {
    return this.#attempts.peek(mac)?.basis ?? {}
  }

  /** Notes that a machine was sent this loader. */
  sent(
    mac: string,
    xid: number,
    { kind: sent, urlPath: path }: Pick<LoaderCandidate, 'kind' | 'urlPath'>,
  ): void {
    const before = this.#attempts.get(mac)
    // A loader that the firmware has started before still counts as started when it is sent again.
    const ran = before?.ran === sent ? sent : undefined
    const basis = this.history(mac, xid)
    // The same packet once more, as by another interface, begins nothing anew.
    const same = before?.xid === xid && before.path === path ? before : undefined
    const fetchesBefore = same?.fetchesBefore ?? this.#fetches
    this.#paths.set(path, true)
    this.#attempts.set(mac, {
      sent,
      path,
      xid,
      basis,
      fetchesBefore,
      ...defined({ ran, fetched: same?.fetched }),
    })
  }

  /** Notes that a loader runs: iPXE sends its own DHCP request, the others ask for their configuration. */
  ran(mac: string, loader: LoaderKind): void {
    const attempt = this.#attempts.get(mac)
    if (attempt?.sent === loader) this.#attempts.set(mac, { ...attempt, ran: loader })
  }
}
