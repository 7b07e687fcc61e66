import type { PackagesFact } from '../core/boots/facts.ts'
import { isPackage } from '../core/boots/roles.ts'
import type { Event } from '../events/bus.ts'
import { concernsBoots } from './facts.ts'

type Served = Extract<Event, { type: 'served' }>

/** Packages that one client fetched since the queue was emptied. */
export interface PackageCount {
  readonly client: string
  readonly startMs: number
  endMs: number
  count: number
  bytes: number
  path: string
}

export type Waiting = { readonly event: Event; readonly atMs: number } | { readonly packages: PackageCount }

/**
 * Events until they are handled: the only part of timelines on the way of a transfer. An installation fetches thousands of
 * packages, and a mirror's clients more, so packages are counted at once and hold no event.
 */
export class EventQueue {
  readonly #most: number
  #waiting: Waiting[] = []
  readonly #packages = new Map<string, PackageCount>()
  #lost = 0

  /** @param most How many may wait. More are lost. */
  constructor(most: number) {
    this.#most = most
  }

  /** How many events were lost in all. */
  get lost(): number {
    return this.#lost
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** True when something waits now that did not. */
  push(event: Event, atMs: number): boolean {
    if (!concernsBoots(event)) return false
    if (event.type === 'served' && isWholePackage(event)) return this.#count(event, atMs)
    return this.#add({ event, atMs })
  }

  /** Empties the queue. */
  take(): readonly Waiting[] {
    const waiting = this.#waiting
    this.#waiting = []
    this.#packages.clear()
    return waiting
  }

  #count({ client, path, bytes, ms }: Served, atMs: number): boolean {
    const known = this.#packages.get(client)
    if (known) {
      known.endMs = atMs
      known.count++
      known.bytes += bytes
      known.path = path
      return false
    }
    const packages = { client, startMs: atMs - ms, endMs: atMs, count: 1, bytes, path }
    if (!this.#add({ packages })) return false
    this.#packages.set(client, packages)
    return true
  }

  #add(waiting: Waiting): boolean {
    if (this.#waiting.length >= this.#most) {
      this.#lost++
      return false
    }
    this.#waiting.push(waiting)
    return true
  }
}

function isWholePackage({ outcome, question, bytes, path }: Served): boolean {
  return outcome === 'complete' && question === undefined && bytes > 0 && isPackage(path)
}

export function packagesFact({ client, path, count, bytes, startMs, endMs }: PackageCount): PackagesFact {
  return { kind: 'packages', who: { macs: [], address: client }, path, count, bytes, ms: endMs - startMs }
}
