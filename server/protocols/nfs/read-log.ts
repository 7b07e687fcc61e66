import { LRUCache } from 'lru-cache'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import type { CleanPath } from '../../files/path.ts'

interface Reading {
  readonly client: string
  readonly path: CleanPath
  readonly startedMs: number
  lastMs: number
  bytes: number
}

/** Files that are being read at once, by all clients, before the oldest is taken for ended. */
const maxReadings = 2048
/** A client that has read nothing of a file for so long has read it. */
const quietMs = 10_000

/**
 * NFS clients read in pieces and never say that they are done. One event tells of each file and client, when that
 * client has been quiet about it for a while: what it read of it in all.
 */
export class ReadLog {
  readonly #readings: LRUCache<string, Reading>
  readonly #now: () => number

  constructor(events: EventSink, options: { readonly quietMs?: number; readonly now?: () => number } = {}) {
    this.#now = options.now ?? (() => performance.now())
    this.#readings = new LRUCache<string, Reading>({
      max: maxReadings,
      ttl: options.quietMs ?? quietMs,
      ttlAutopurge: true,
      updateAgeOnGet: true,
      dispose: ({ client, path, bytes, startedMs, lastMs }) =>
        events({
          type: 'served',
          protocol: 'nfs',
          client,
          path,
          outcome: 'complete',
          bytes,
          ms: lastMs - startedMs,
        }),
    })
  }

  read(who: Requester, path: CleanPath, bytes: number): void {
    const key = `${who.address} ${path}`
    const now = this.#now()
    const reading = this.#readings.get(key)
    if (reading) {
      reading.bytes += bytes
      reading.lastMs = now
    } else this.#readings.set(key, { client: who.address, path, startedMs: now, lastMs: now, bytes })
  }

  /** Tells of everything at once. */
  flush(): void {
    this.#readings.clear()
  }
}
