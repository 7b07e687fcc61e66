import { Failure } from '../core/failure.ts'
import {
  definitionChanges,
  type GuestRecord,
  guestsToHold,
  isHeldWhenRenamed,
  type Recorded,
  recordedOf,
} from '../core/guest/definitions.ts'
import { doubtOf, type WitnessSays } from '../core/guest/doubt.ts'
import type { Guest } from '../core/guest/guest.ts'
import { identityOf, type MachineIdentity, withoutPast } from '../core/guest/identity.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import { nextState } from '../core/guest/next-state.ts'
import { bootsInstaller, type GuestState, type HoldReason, newState } from '../core/guest/state.ts'
import type { RecordChange, Store } from '../store/store.ts'
import type { GuestStates } from './guest-states.ts'

/** What is known about the store beside what it says itself. */
export interface StoreSurroundings {
  /** Read before the store was. */
  readonly witnesses: readonly WitnessSays[]
  /** See `StoreEvidence`. */
  readonly acceptNew: boolean
  /** Whether a profile installs unknown machines now: a new store may have known them. */
  readonly installsUnknown: () => boolean
  /** Doubt that is in force already, and that the store may not have yet. */
  readonly inForce?: HoldReason | undefined
}

/**
 * The changes that a store needs at a start: it is judged, what it must not install is held, and every defined guest
 * gets a record. The last one counts the start, so that the witness is written anew.
 */
export async function settlingChanges(
  store: Pick<Store, 'past' | 'states' | 'identities'>,
  guests: GuestIndex,
  { witnesses, acceptNew, installsUnknown: installs, inForce }: StoreSurroundings,
  atMs: number,
): Promise<{ readonly doubt: HoldReason | undefined; readonly changes: readonly RecordChange[] }> {
  const [records, stored] = [await readRecords(store), await store.past()]
  // A command may have made a record of a guest, and have decided nothing else.
  const past = { ...stored, unjudged: stored.unjudged === true && records.size === 0 }
  const installsUnknown = installs()
  const hasGuests = guests.all.length > 0 || installsUnknown
  const found = doubtOf({ past, witnesses, acceptNew, hasGuests, installsUnknown }) ?? inForce
  const doubt = found ?? past.doubt
  const changes: RecordChange[] = found === undefined ? [] : doubtChanges(found, records, guests, atMs)
  const wasJudged = past.settled && !past.unjudged
  const unjudged = !wasJudged && !hasGuests && !acceptNew && doubt === undefined && records.size === 0
  changes.push(...recordingChanges({ guests, records, doubt, atMs }), { kind: 'settled', unjudged })
  return { doubt, changes }
}

/** The changes by which a store is in doubt: whatever it would install is held. */
export function doubtChanges(
  doubt: HoldReason,
  records: ReadonlyMap<string, Pick<GuestRecord, 'state'>>,
  guests: GuestIndex,
  atMs: number,
): RecordChange[] {
  const retryOf = (name: string): boolean | undefined => guests.byName(name)?.settings.retry.value
  const held = guestsToHold(records, retryOf).map((guest) => holdChange(guest, doubt, atMs))
  return [{ kind: 'doubt', doubt }, ...held]
}

/** The changes that record the definitions of guests, see `definitionChanges`. */
export function recordingChanges({
  guests,
  records,
  doubt,
  atMs,
}: {
  readonly guests: GuestIndex
  readonly records: ReadonlyMap<string, GuestRecord>
  readonly doubt: HoldReason | undefined
  readonly atMs: number
}): RecordChange[] {
  const changes = definitionChanges({ guests: guests.all, records, atMs, ...(doubt && { doubt }) })
  return changes.map((each) => (each.kind === 'hold' ? holdChange(each.guest, each.reason, atMs) : each))
}

function holdChange(guest: string, reason: HoldReason, atMs: number): RecordChange {
  return { kind: 'change', guest, decide: (before) => nextState(before, { type: 'hold', reason }, atMs) }
}

/**
 * What must be stored before the definition of a guest gets a new name: under that name it is held when its record does
 * not follow. Mostly nothing: its machine is known by its MACs, its UUID or its serial number.
 *
 * @throws Failure `conflict` while the guest is being installed: its installer asks and reports under this name.
 */
export async function changesForRename(
  store: Pick<Store, 'states' | 'identities'>,
  guest: Guest,
  newName: string,
  atMs: number,
): Promise<RecordChange[]> {
  const records = await readRecords(store)
  if (records.get(guest.name)?.state.state === 'installing')
    throw new Failure(
      'conflict',
      `guest ${guest.name} is being installed, and its installer reports under this name; rename it when that has ended, or after "treeboot local ${guest.name}"`,
    )
  return isHeldWhenRenamed(guest, newName, records) ? [holdChange(newName, 'renamed', atMs)] : []
}

/**
 * What makes a record forget which machines it was: its earlier MACs, UUID and serial numbers, and for a guest that is not
 * defined any more all of them. Other guests may have them then, and no profile with `auto: install` takes the machine for
 * a stranger. It boots its disk until its installation is ordered. The number of its installation stays, so that no
 * report of an earlier one counts again.
 *
 * @throws Failure `not-found` when there is neither a guest nor a record; `conflict` while it is being installed.
 */
export async function changesToForget(
  store: Pick<Store, 'states' | 'identities'>,
  { name, guest, by }: { readonly name: string; readonly guest: Guest | undefined; readonly by: string },
  atMs: number,
): Promise<RecordChange[]> {
  const state = (await store.states()).get(name)
  if (!guest && !state)
    throw new Failure('not-found', `there is no guest ${name}, and no record of one that was removed`)
  if (state?.state === 'installing')
    throw new Failure(
      'conflict',
      `guest ${name} is being installed; forget it when that has ended, or after "treeboot local ${name}"`,
    )
  const none = { macs: [] }
  const before = (await store.identities()).get(name) ?? none
  const identity = withoutPast(guest ? identityOf(guest) : none, before)
  return [holdChange(name, `by ${by}: forgotten`, atMs), { kind: 'identity', guest: name, identity }]
}

export async function readRecords(
  store: Pick<Store, 'states' | 'identities'>,
): Promise<ReadonlyMap<string, GuestRecord>> {
  const [states, identities] = [await store.states(), await store.identities()]
  const none = { macs: [] }
  return new Map(
    [...states].map(([name, state]) => [name, { state, identity: identities.get(name) ?? none }]),
  )
}

/**
 * The guests that are held because the store is in doubt. A record without a definition stays held, and does not keep the
 * doubt alive: nobody could end it.
 */
export function heldByDoubt(states: ReadonlyMap<string, GuestState>, guests: GuestIndex): string[] {
  return [...states].flatMap(([name, { hold }]) =>
    (hold === 'new store' || hold === 'old store') && guests.byName(name) ? [name] : [],
  )
}

/** What a state is as long as it is not recorded that the store is in doubt. */
export function whileUnsettled(state: GuestState, retry: boolean, doubt: HoldReason): GuestState {
  if (!bootsInstaller(state.state, retry)) return state
  const { sinceMs, install } = state
  return { state: 'held', sinceMs, install, hold: doubt }
}

export interface GuestRecordsOptions {
  readonly states: GuestStates
  readonly guests: () => GuestIndex
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Told when the records cannot be stored. */
  readonly onTrouble: (error: unknown) => void
}

/** What a defined guest is until the store has a record of it: nobody knows whether its machine is known. */
const unrecorded: GuestState = { state: 'held', sinceMs: 0, install: 0 }

/**
 * Keeps the records of the running server in step with the definitions of guests, and holds what a store in doubt must
 * not install. Until that is stored, it is so in memory.
 */
export class GuestRecords {
  readonly #options: GuestRecordsOptions
  #store: Store | undefined
  #surroundings: StoreSurroundings = {
    witnesses: [],
    acceptNew: false,
    installsUnknown: () => false,
  }
  #isSettled = false
  /** See `StorePast.unjudged`: whether it may be so. */
  #isUnjudged = true
  #doubt: HoldReason | undefined
  /** The definitions that are recorded. */
  #recorded: GuestIndex | undefined
  /** Up to which changes by other processes it is known whether there is doubt. */
  #judgedAt = 0
  #recording: Promise<void> | undefined

  constructor(options: GuestRecordsOptions) {
    this.#options = options
  }

  /** Judges the store. It must be open in `states`. Never rejects: what cannot be stored holds in memory. */
  async open(store: Store, surroundings: StoreSurroundings): Promise<void> {
    this.#store = store
    this.#surroundings = surroundings
    await this.fresh()
  }

  get doubt(): HoldReason | undefined {
    return this.#doubt
  }

  /** Records new definitions. Resolves at once when there are none. Never rejects. */
  async fresh(): Promise<void> {
    const { guests, states } = this.#options
    const isRecorded = this.#isSettled && this.#recorded === guests()
    // A command may have ended the doubt. Each request comes here: that nothing has changed must cost the same however
    // many guests there are.
    const mayBeOver = this.#doubt !== undefined && this.#judgedAt !== states.foreignChanges
    const mayBegin = this.#doubt === undefined && this.#isUnjudged && this.#surroundings.installsUnknown()
    if (!this.#store || (isRecorded && !mayBeOver && !mayBegin)) return
    this.#recording ??= this.#record(this.#store).finally(() => {
      this.#recording = undefined
    })
    await this.#recording
  }

  async #record(store: Store): Promise<void> {
    const { states, guests: current, clock, onTrouble } = this.#options
    const guests = current()
    const { foreignChanges } = states
    try {
      if (this.#isSettled) {
        await this.#recordNew(store, guests)
      } else {
        const surroundings = { ...this.#surroundings, inForce: this.#doubt }
        const { doubt, changes } = await settlingChanges(store, guests, surroundings, clock())
        // In force before it is stored.
        this.#doubt = doubt
        await states.record(changes)
        this.#isSettled = true
        this.#isUnjudged = changes.some((each) => each.kind === 'settled' && each.unjudged === true)
      }
      this.#recorded = guests
      this.#judgedAt = foreignChanges
    } catch (error) {
      onTrouble(error)
    }
  }

  async #recordNew(store: Store, guests: GuestIndex): Promise<void> {
    const { states, clock } = this.#options
    const records = await readRecords(store)
    const atMs = clock()
    const { doubt, unjudged: isMarked = false } = await store.past()
    const unjudged = isMarked && records.size === 0
    const begins = doubt === undefined && unjudged && this.#surroundings.installsUnknown()
    // A command may have ended the doubt. One that begins is in force before it is stored.
    this.#doubt = begins ? 'new store' : doubt
    const begun = begins ? doubtChanges('new store', records, guests, atMs) : []
    const recording = recordingChanges({ guests, records, doubt: this.#doubt, atMs })
    const isJudged = isMarked && (!unjudged || recording.some(({ kind }) => kind === 'add'))
    await states.record([...begun, ...recording, ...(isJudged ? [{ kind: 'settled' } as const] : [])])
    this.#isUnjudged = unjudged && !begins && !isJudged
  }

  /**
   * What all records say of this machine, also those of guests whose definition is gone.
   *
   * @throws Failure `unavailable` before the store is open.
   */
  async recordedOf(identity: MachineIdentity): Promise<Recorded> {
    if (!this.#store) throw new Failure('unavailable', 'the store is not open')
    return recordedOf(identity, await readRecords(this.#store))
  }

  /**
   * Gives a guest that is about to be made its record: it is to be installed.
   *
   * @throws Failure `unavailable` when that cannot be stored now.
   */
  async add(guest: Guest): Promise<void> {
    if (!this.#store) throw new Failure('unavailable', 'the store is not open')
    const added = { kind: 'add', guest: guest.name, identity: identityOf(guest), state: newState } as const
    await this.#options.states.record([added])
  }

  /** See `changesToForget`. */
  async forget(name: string, by: string): Promise<void> {
    if (!this.#store) throw new Failure('unavailable', 'the store is not open')
    const { states, guests, clock } = this.#options
    const guest = guests().byName(name)
    await states.record(await changesToForget(this.#store, { name, guest, by }, clock()))
  }

  /** See `changesForRename`. Returns whether the guest is held under its new name. */
  async beforeRename(guest: Guest, newName: string): Promise<boolean> {
    if (!this.#store) throw new Failure('unavailable', 'the store is not open')
    const changes = await changesForRename(this.#store, guest, newName, this.#options.clock())
    if (changes.length > 0) await this.#options.states.record(changes)
    return changes.length > 0
  }

  /** The state of a guest as decisions must see it. */
  shown(guest: string): GuestState | undefined {
    const state = this.#options.states.get(guest)
    if (!this.#store) return state
    if (!state) return unrecorded
    if (this.#isSettled || this.#doubt === undefined) return state
    const retry = this.#options.guests().byName(guest)?.settings.retry.value ?? true
    return whileUnsettled(state, retry, this.#doubt)
  }

  /**
   * Something shows that the store has forgotten an installation.
   *
   * @throws Failure `unavailable` when that cannot be stored; it is in force until the server ends.
   */
  async beginDoubt(doubt: HoldReason): Promise<void> {
    const { states, guests, clock } = this.#options
    const records = new Map([...states.all].map(([name, state]) => [name, { state }]))
    this.#doubt = doubt
    this.#isSettled = false
    await states.record(doubtChanges(doubt, records, guests(), clock()))
    this.#isSettled = true
  }

  /** After an order: doubt ends when no guest is held for it any more. */
  async endDoubtIfOver(): Promise<void> {
    const { states, guests } = this.#options
    if (this.#doubt === undefined || heldByDoubt(states.all, guests()).length > 0) return
    await states.record([{ kind: 'doubt', doubt: undefined }])
    this.#doubt = undefined
  }
}
