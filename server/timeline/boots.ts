import type { Boot } from '../core/boots/boot.ts'
import type { BootEvent } from '../core/boots/boot-event.ts'
import { type Comparison, compareBoots, isComparable } from '../core/boots/compare.ts'
import { judged } from '../core/boots/judge.ts'
import type { BootQuery, BootStore } from '../store/boots.ts'

/** Which boots are asked for; the newest come first. */
export type BootFilter = BootQuery

/** The boots of all machines, for the API and the pages. */
export interface Boots {
  list(filter: BootFilter): Promise<readonly Boot[]>
  /** How many there are in all pages. Boots that run have the state of some seconds ago. */
  count(filter: Pick<BootFilter, 'guest' | 'state' | 'since'>): Promise<number>
  read(id: number): Promise<Boot | undefined>
  /** The boot beside the last one of its guest and firmware that ended well; undefined when there is none. */
  compare(boot: Boot): Promise<Comparison | undefined>
  /** Calls the listener with each change as it happens, some four times a second. Returns the function that ends that. */
  subscribe(listener: (event: BootEvent) => void): () => void
  /**
   * The events after this number, oldest first, for a client that was away (`Last-Event-ID`). Undefined when they are not
   * all known any more: the client must read everything anew.
   */
  eventsAfter(seq: number): readonly BootEvent[] | undefined
  /** The events of this time and later that are kept, oldest first. */
  eventsSince(atMs: number): Promise<readonly BootEvent[]>
  /** The number of the newest event. */
  readonly newestEvent: number
  /** Events that were lost because more came than could be kept. */
  readonly lost: number
}

/** Boots are read in pages of so many while a state is looked for. */
const pageSize = 500
/** Pages that are read for one list: a rare state in a long history must not cost seconds. */
const mostPages = 20

/**
 * Lists boots as they are now: a boot that was running when the server stopped has gone quiet since.
 *
 * @param nowMs In milliseconds since 1970.
 */
export async function listBoots(
  store: BootStore,
  filter: BootFilter,
  nowMs: number,
): Promise<readonly Boot[]> {
  const { state, limit } = filter
  if (state === undefined) return (await store.list(filter)).map((boot) => asOf(boot, nowMs))
  const found: Boot[] = []
  let { before } = filter
  for (let page = 0; page < mostPages && found.length < limit; page++) {
    const boots = await store.list({ ...filter, ...(before !== undefined && { before }), limit: pageSize })
    found.push(...boots.map((boot) => asOf(boot, nowMs)).filter((boot) => boot.state === state))
    before = boots.at(-1)?.id
    if (boots.length < pageSize) break
  }
  return found.slice(0, limit)
}

export async function readBoot(store: BootStore, id: number, nowMs: number): Promise<Boot | undefined> {
  const boot = await store.read(id)
  return boot && asOf(boot, nowMs)
}

/** So many boots of the guest that ended well are looked at for one with the same firmware and purpose. */
const mostCompared = 50

export async function comparison(
  store: BootStore,
  boot: Boot,
  nowMs: number,
): Promise<Comparison | undefined> {
  const { guest, id } = boot
  if (guest === undefined) return undefined
  const earlier = await store.list({ guest, state: 'done', before: id, limit: mostCompared })
  const good = earlier.map((each) => asOf(each, nowMs)).find((each) => isComparable(boot, each))
  return good && compareBoots(boot, good)
}

function asOf(boot: Boot, nowMs: number): Boot {
  return boot.endMs === undefined ? judged(boot, nowMs) : boot
}
