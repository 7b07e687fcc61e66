import type { Boot, BootState } from '../core/boots/boot.ts'
import type { BootEvent } from '../core/boots/boot-event.ts'

export interface BootWrite {
  /** New boots, and boots that have changed. */
  readonly boots: readonly Boot[]
  /** Ids of boots that turned out to be parts of others. */
  readonly removed: readonly number[]
  readonly events: readonly BootEvent[]
}

/** Which boots are listed; the newest come first. */
export interface BootQuery {
  readonly guest?: string
  /** Boots in this state, and all that have not ended: what those are is judged when they are shown. */
  readonly state?: BootState
  /** Boots that began at this time or later, in milliseconds since 1970. */
  readonly since?: number
  /** Boots with a smaller id: the last one of the page before. */
  readonly before?: number
  readonly limit: number
}

/** Keeps boots. Nothing in it decides what a machine boots: a boot that is lost costs a line of a table. */
export interface BootStore {
  write(change: BootWrite): Promise<void>
  list(query: BootQuery): Promise<readonly Boot[]>
  /** How many boots there are, in the state that they were written with. */
  count(query: Pick<BootQuery, 'guest' | 'state' | 'since'>): Promise<number>
  read(id: number): Promise<Boot | undefined>
  /** Boots to which something may still be added, oldest first. */
  open(): Promise<readonly Boot[]>
  /** Events after this number, oldest first. Only the newest `bootEventsKept` are kept. */
  eventsAfter(seq: number, limit: number): Promise<readonly BootEvent[]>
  /** The highest numbers that were ever given; 0 before the first. */
  last(): Promise<{ readonly boot: number; readonly event: number }>
  /**
   * Removes boots that began before this time, but only those of the oldest day: a clock that is wrong for an hour must not
   * cost all of them. And the oldest beyond the bounds below.
   */
  prune(beforeMs: number): Promise<void>
}

/** The oldest day. */
export const bootsPrunedMs = 86_400_000
/** The steps of all boots together. */
export const bootStepsKept = 1_000_000
/** Boots of one guest. Who knows its MAC could otherwise push the boots of all others out. */
export const bootsOfGuestKept = 1000
/** Boots of all machines that are no guests: anybody on the network can make these. */
export const bootsOfStrangersKept = 5000
export const bootEventsKept = 10_000
