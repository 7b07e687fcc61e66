import { LRUCache } from 'lru-cache'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import type { CleanPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'

interface Reading {
  readonly who: Requester
  readonly path: CleanPath
  readonly decision: Entry['decision']
  readonly startedMs: number
  lastMs: number
  toldMs: number
  bytes: number
}

/** Files that are being read at once, by all clients, before the oldest is taken for ended. */
const maxReadings = 2048
/** A client that has read nothing of a file for so long has read it. */
const quietMs = 10_000
/** While a client reads on, an event says so this often. */
const tellEveryMs = 5_000

/**
 * NFS clients read in pieces and never say that they are done. One event tells of each file and client, when that
 * client has been quiet about it for a while: what it read of it in all.
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
          outcome: 'complete',
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
    const reading = this.#readings.get(key) ?? this.#begin(key, who, path, entry)
    reading.bytes += bytes
    reading.lastMs = this.#now()
    this.#tellOfLong(reading)
    // As much as the file holds: nothing is gained by waiting until the client is quiet.
    if (reading.bytes >= entry.size) this.#readings.delete(key)
  }

  /** A client may read one file for an hour. */
  #tellOfLong(reading: Reading): void {
    const { who, decision, lastMs, toldMs } = reading
    if (!decision || lastMs - toldMs < tellEveryMs) return
    reading.toldMs = lastMs
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
      toldMs: Number.NEGATIVE_INFINITY,
      bytes: 0,
    }
    this.#readings.set(key, reading)
    return reading
  }

  /** Tells of everything at once. */
  flush(): void {
    this.#readings.clear()
  }
}
