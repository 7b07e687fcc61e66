import { LRUCache } from 'lru-cache'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import type { CleanPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'

/** One client that reads one file. */
export interface Reading {
  readonly who: Requester
  readonly path: CleanPath
  readonly decision: Entry['decision']
  readonly startedMs: number
  lastMs: number
  /** When a `fetching` event was last emitted for it. */
  reportedMs: number
  bytes: number
}

/** The most readings of all clients at once. One more ends the least recently used. */
const maxReadings = 2048
/** A client that reads nothing of a file for this long has ended its reading. */
const quietMs = 10_000
/** How often a `fetching` event says that a client still reads. */
const fetchingEveryMs = 5_000

/**
 * Makes `served` events from READ calls. NFS clients read a file in pieces, and never say that they are done.
 * So there is one `served` event for each file and client, with all bytes that the client read: as soon as it
 * has read the size of the file, or else when it has read nothing for a while. LOOKUP, GETATTR, ACCESS and
 * READDIR are questions, and make no such event.
 */
export class ReadLog {
  readonly #readings: LRUCache<string, Reading>
  readonly #now: () => number
  readonly #events: EventSink

  constructor(events: EventSink, options: { readonly quietMs?: number; readonly now?: () => number } = {}) {
    this.#events = events
    this.#now = options.now ?? (() => performance.now())
    this.#readings = new LRUCache<string, Reading>({
      max: maxReadings,
      ttl: options.quietMs ?? quietMs,
      ttlAutopurge: true,
      updateAgeOnGet: true,
      dispose: ({ who, path, decision, bytes, startedMs, lastMs }) =>
        events({
          type: 'served',
          protocol: 'nfs',
          client: who.address,
          path,
          outcome: 'complete', // each READ got its bytes; whether the client broke off, NFS does not tell
          bytes,
          ms: lastMs - startedMs,
          ...(decision && { decision }),
          who,
        }),
    })
  }

  /** @param bytes How many bytes of the entry this READ gave to the client. */
  read(who: Requester, path: CleanPath, entry: Entry, bytes: number): void {
    const key = `${who.address} ${path}`
    // A client that has read the whole file may ask behind its end, to be sure.
    if (bytes === 0 && entry.size > 0 && !this.#readings.has(key)) return
    const reading = this.#readings.get(key) ?? this.#begin(key, who, path, entry)
    reading.bytes += bytes
    reading.lastMs = this.#now()
    this.#reportFetching(reading)
    // The client has read as much as the file holds: there is no need to wait until it is quiet.
    if (reading.bytes >= entry.size) this.#readings.delete(key)
  }

  /** Emits a `fetching` event now and then: a client may read one file for an hour. */
  #reportFetching(reading: Reading): void {
    const { who, decision, lastMs, reportedMs } = reading
    if (!decision || lastMs - reportedMs < fetchingEveryMs) return
    reading.reportedMs = lastMs
    this.#events({ type: 'fetching', who, decision })
  }

  #begin(key: string, who: Requester, path: CleanPath, { decision }: Entry): Reading {
    const now = this.#now()
    const reading = {
      who,
      path,
      decision,
      startedMs: now,
      lastMs: now,
      reportedMs: Number.NEGATIVE_INFINITY,
      bytes: 0,
    }
    this.#readings.set(key, reading)
    return reading
  }

  /** The readings that have neither ended nor been quiet for too long. */
  readings(): Iterable<Reading> {
    return this.#readings.values()
  }

  /** Ends all readings now. */
  flush(): void {
    this.#readings.clear()
  }
}
