import type { Boot } from '../../core/boots/boot.ts'
import type { BootEvent } from '../../core/boots/boot-event.ts'
import {
  type BootQuery,
  type BootStore,
  type BootWrite,
  bootEventsKept,
  bootStepsKept,
  bootsOfGuestKept,
  bootsOfStrangersKept,
  bootsPrunedMs,
} from '../boots.ts'

/** Boots in memory, for tests and for commands without a store. */
export class MemoryBoots implements BootStore {
  readonly #boots = new Map<number, Boot>()
  #events: readonly BootEvent[] = []
  readonly #last = { boot: 0, event: 0 }

  async write({ boots, removed, events }: BootWrite): Promise<void> {
    for (const boot of boots) this.#boots.set(boot.id, boot)
    for (const id of removed) this.#boots.delete(id)
    this.#events = [...this.#events, ...events].slice(-bootEventsKept)
    this.#last.boot = Math.max(this.#last.boot, ...boots.map(({ id }) => id))
    this.#last.event = Math.max(this.#last.event, ...events.map(({ seq }) => seq))
  }

  async list({
    guest,
    state,
    since = 0,
    before = Number.POSITIVE_INFINITY,
    limit,
  }: BootQuery): Promise<readonly Boot[]> {
    return this.#newestFirst()
      .filter(
        (boot) =>
          (guest === undefined || boot.guest === guest) &&
          (state === undefined || boot.state === state || boot.endMs === undefined) &&
          boot.startMs >= since &&
          boot.id < before,
      )
      .slice(0, limit)
  }

  async count({ state, ...query }: Pick<BootQuery, 'guest' | 'state' | 'since'>): Promise<number> {
    const found = await this.list({ ...query, limit: Number.POSITIVE_INFINITY })
    return found.filter((boot) => state === undefined || boot.state === state).length
  }

  async read(id: number): Promise<Boot | undefined> {
    return this.#boots.get(id)
  }

  async open(): Promise<readonly Boot[]> {
    return this.#newestFirst()
      .filter(({ endMs }) => endMs === undefined)
      .reverse()
  }

  async eventsAfter(seq: number, limit: number): Promise<readonly BootEvent[]> {
    return this.#events.filter((event) => event.seq > seq).slice(0, limit)
  }

  async last(): Promise<{ boot: number; event: number }> {
    return { ...this.#last }
  }

  async prune(beforeMs: number): Promise<void> {
    const counts = new Map<string | undefined, number>()
    let steps = 0
    const newestFirst = this.#newestFirst()
    const oldestMs = newestFirst.reduce((least, { startMs }) => Math.min(least, startMs), Infinity)
    for (const boot of newestFirst) {
      const place = (counts.get(boot.guest) ?? 0) + 1
      counts.set(boot.guest, place)
      steps += boot.steps.length
      const most = boot.guest === undefined ? bootsOfStrangersKept : bootsOfGuestKept
      const isOld = boot.startMs < beforeMs && boot.startMs <= oldestMs + bootsPrunedMs
      if (isOld || place > most || steps > bootStepsKept) this.#boots.delete(boot.id)
    }
  }

  #newestFirst(): Boot[] {
    return [...this.#boots.values()].sort((a, b) => b.id - a.id)
  }
}
