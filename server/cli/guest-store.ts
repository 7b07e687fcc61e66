import { withEarlier } from '../catalog/load-snapshot.ts'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { Config } from '../config/schema.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import type { WitnessSays } from '../core/guest/doubt.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import { nextState } from '../core/guest/next-state.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import { type GuestState, newState, unfinishedVersions, withoutOldOffers } from '../core/guest/state.ts'
import { nearestName } from '../core/select/nearest.ts'
import { heldByDoubt, settlingChanges } from '../machines/guest-records.ts'
import { boundTrees } from '../machines/history.ts'
import { reportToken } from '../machines/token.ts'
import { type OpenedStore, openExistingStore, openStore } from '../store/sqlite/open.ts'
import type { Store } from '../store/store.ts'
import { readWitnesses } from '../store/witness.ts'
import { listBoots } from '../timeline/boots.ts'
import { whyTooBusy } from '../timeline/installing.ts'
import type { CliIo } from './output/io.ts'

/** What the store knows about the guests, read once for one command. */
export interface StoredStates {
  readonly stateOf: (guest: string) => GuestState | undefined
  /** The token that reports of the guest's present installation carry; undefined without a store. */
  readonly reportToken: (guest: string) => string | undefined
  /** All machines that asked for network boot, guests included. */
  readonly seen: readonly UnknownMachine[]
  /** The snapshot with the earlier versions of trees from which guests are installing. */
  readonly snapshot: Snapshot
}

/**
 * Reads the store, which a running server may be using. When that fails, it prints a warning and every guest
 * looks new, so that commands that only read still work.
 */
export async function readStoredStates(snapshot: Snapshot, io: CliIo): Promise<StoredStates> {
  const noHistory: StoredStates = {
    stateOf: () => undefined,
    reportToken: () => undefined,
    seen: [],
    snapshot,
  }
  const { config } = snapshot
  try {
    // Before the store: a commit comes before its witness, so a good store is never behind.
    const witnesses = await readWitnesses(config.state.witness)
    const store = await openExistingStore(config.paths)
    if (!store) {
      const states = await statesAfterStart(noStore, snapshot, witnesses)
      return { ...noHistory, stateOf: (guest) => states.get(guest) }
    }
    try {
      const [states, secret] = [await statesAfterStart(store, snapshot, witnesses), await store.secret()]
      const stateOf = (guest: string): GuestState | undefined => {
        const state = states.get(guest)
        return state && withoutOldOffers(state, Date.now())
      }
      return {
        stateOf,
        seen: await store.unknownMachines(),
        reportToken: (guest) => reportToken(secret, guest, (stateOf(guest) ?? newState).install),
        snapshot: await withEarlier(snapshot, boundTrees(snapshot.guests, stateOf)),
      }
    } finally {
      await store.close()
    }
  } catch (error) {
    io.err(`warning: the history of the guests cannot be read: ${failureMessage(error)}\n`)
    return noHistory
  }
}

const noStore: Pick<Store, 'past' | 'states' | 'identities'> = {
  past: async () => ({ mark: { id: '', changes: 0 }, settled: false, witnessed: false }),
  states: async () => new Map(),
  identities: async () => new Map(),
}

/**
 * The states as the next start of a server would settle them, by the same changes, which are not stored. What that start
 * would hold is held here since 0: since no time yet. Beside a running server there is nothing left to settle.
 */
async function statesAfterStart(
  store: typeof noStore,
  snapshot: Pick<Snapshot, 'guests' | 'selectors'>,
  witnesses: readonly WitnessSays[],
): Promise<ReadonlyMap<string, GuestState>> {
  const surroundings = {
    witnesses,
    acceptNew: acceptsNew(),
    installsUnknown: () => installsUnknown(snapshot),
  }
  const { changes } = await settlingChanges(store, snapshot.guests, surroundings, Date.now())
  const states = new Map(await store.states())
  const foretell = (guest: string, state: GuestState): unknown =>
    states.set(guest, state.state === 'held' ? { ...state, sinceMs: 0 } : state)
  for (const change of changes) {
    if (change.kind === 'add') foretell(change.guest, change.state)
    if (change.kind === 'change') {
      const decided = change.decide(states.get(change.guest))
      if (decided) foretell(change.guest, decided.state)
    }
    const moved = change.kind === 'rename' ? states.get(change.from) : undefined
    if (change.kind === 'rename' && moved) states.set(change.to, moved)
  }
  return states
}

function installsUnknown({ selectors }: Pick<Snapshot, 'selectors'>): boolean {
  return selectors.some(({ auto }) => auto === 'install')
}

function acceptsNew(): boolean {
  return process.env.TREEBOOT_NEW_STORE === 'install'
}

/**
 * Versions from which machines may be installing, as `id@version`. Guests that were removed from the
 * configuration count too.
 */
export async function boundVersions({ paths }: Config, nowMs: number): Promise<ReadonlySet<string>> {
  const store = await openExistingStore(paths)
  if (!store) return new Set()
  try {
    return unfinishedVersions((await store.states()).values(), nowMs)
  } finally {
    await store.close()
  }
}

/** Why this host should not emulate a machine now, by the boots that its server knows; see `whyTooBusy`. */
export async function whyTooBusyHere({ paths }: Pick<Config, 'paths'>): Promise<string | undefined> {
  const store = await openExistingStore(paths)
  if (!store) return undefined
  try {
    return await whyTooBusy((filter) => listBoots(store.boots, filter, Date.now()))
  } finally {
    await store.close()
  }
}

/**
 * Opens the store for a command that changes it. A store that was never used, or that has forgotten installations, is
 * settled first, as a start of the server does: a command must not be the first to arm its guests.
 */
export async function openGuestStore(snapshot: Snapshot, io: CliIo): Promise<OpenedStore> {
  const onTrouble = (error: unknown): void =>
    io.err(`warning: the witness of the store: ${failureMessage(error)}\n`)
  const { config } = snapshot
  const store = await openStore({ ...config.paths, ...config.state, onTrouble })
  try {
    await recordGuests(store, snapshot)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Gives each guest a record, and settles the store when that is due. */
export async function recordGuests(
  store: OpenedStore,
  snapshot: Pick<Snapshot, 'guests' | 'selectors'>,
): Promise<void> {
  const { witnesses } = store
  const surroundings = {
    witnesses,
    acceptNew: acceptsNew(),
    installsUnknown: () => installsUnknown(snapshot),
  }
  const { changes } = await settlingChanges(store, snapshot.guests, surroundings, Date.now())
  const { settled } = await store.past()
  // The last change only says that the store is settled.
  if (!settled || changes.length > 1) await store.record(changes)
}

/** Ends the doubt of a store when no guest is held for it any more. */
export async function endDoubtIfOver(store: Store, guests: GuestIndex): Promise<void> {
  const { doubt } = await store.past()
  if (doubt !== undefined && heldByDoubt(await store.states(), guests).length === 0)
    await store.record([{ kind: 'doubt', doubt: undefined }])
}

/**
 * The guest with this name.
 *
 * @throws Failure `not-found`, which names the most similar guest.
 */
export function guestNamed({ guests }: Snapshot, name: string): Guest {
  const guest = guests.byName(name)
  if (guest) return guest
  const names = guests.all.map((each) => each.name)
  const near = nearestName(name, names)
  const hint = near === undefined ? `guests: ${namesText(names)}` : `did you mean ${near}?`
  throw new Failure('not-found', `no guest ${name}; ${hint}`)
}

/** How many names a message lists. */
const mostNames = 20

function namesText(names: readonly string[]): string {
  if (names.length === 0) return 'none yet'
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : ''
  return `${names.slice(0, mostNames).join(', ')}${more}`
}

/** Makes a guest boot its own disk until it is ordered to be installed, also one that is not defined yet. */
export async function keepLocal(store: Store, name: string): Promise<void> {
  await store.change(name, (state) => nextState(state, { type: 'local' }, Date.now()))
}

/** The same for many guests, in one transaction. */
export async function keepAllLocal(store: Store, names: readonly string[]): Promise<void> {
  const nowMs = Date.now()
  await store.record(
    names.map((guest) => ({
      kind: 'change',
      guest,
      decide: (state) => nextState(state, { type: 'local' }, nowMs),
    })),
  )
}
