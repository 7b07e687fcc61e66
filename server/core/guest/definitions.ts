import { sameUuid } from '../net/uuid.ts'
import type { Guest } from './guest.ts'
import {
  addressKey,
  identityOf,
  isByAddressAlone,
  isSameIdentity,
  keysOf,
  type MachineIdentity,
  searchedKeysOf,
  withFormer,
} from './identity.ts'
import { bootsInstaller, type GuestState, type HoldReason, newState } from './state.ts'

/** What the store records of one guest. */
export interface GuestRecord {
  readonly state: GuestState
  readonly identity: MachineIdentity
}

/** What the definitions of guests change in the records. */
export type DefinitionChange =
  | {
      readonly kind: 'add'
      readonly guest: string
      readonly identity: MachineIdentity
      readonly state: GuestState
    }
  | {
      readonly kind: 'rename'
      readonly from: string
      readonly to: string
      readonly identity: MachineIdentity
    }
  | { readonly kind: 'identity'; readonly guest: string; readonly identity: MachineIdentity }
  | { readonly kind: 'hold'; readonly guest: string; readonly reason: HoldReason }

export interface DefinitionInputs {
  readonly guests: readonly Guest[]
  /** By name; a record stays when its definition goes. */
  readonly records: ReadonlyMap<string, GuestRecord>
  /** Set while the store may have forgotten installations. */
  readonly doubt?: HoldReason
  readonly atMs: number
}

/**
 * What must be recorded so that every defined guest has a record.
 *
 * A guest without one is new, unless its machine is known: by a MAC, a UUID or a serial number of another record, and a
 * guest that has none of these by its address.
 * When that record's own definition is gone, the machine has a new name, and the record gets it, with its state and
 * history. When the other guest is still defined, or several records claim the machine, the new guest is held:
 * whatever was installed on that machine must not be wiped because of a name. For the same reason a guest is held
 * that would be installed and takes over the MAC of another one.
 *
 * A MAC that a guest gave up counts like one that it has: whether two files were saved one after the other, or the
 * second had a mistake at first, must not decide about a disk. Only a guest that was never installed leaves none behind.
 */
export function definitionChanges({ guests, records, doubt, atMs }: DefinitionInputs): DefinitionChange[] {
  const defined = new Set(guests.map(({ name }) => name))
  const owners = ownersOf(records, keysOfRecord)
  const formerOwners = ownersOf(records, ({ identity: { former = [] } }) => former)
  const renamed = new Set<string>()
  return guests.flatMap((guest) => {
    const identity = identityOf(guest)
    const record = records.get(guest.name)
    if (isSettled(guest, identity, record, doubt)) return mayHaveAnother(guest, identity, record, owners)
    const known = othersWith(identity, guest.name, owners)
    const wasKnown = othersWith(identity, guest.name, formerOwners)
    const isKnown = known.size > 0 || wasKnown.size > 0
    if (record) return identityChanges(guest, identity, record, isKnown)
    const [from = ''] = known
    const old = records.get(from)
    if (!old || known.size !== 1 || defined.has(from) || renamed.has(from))
      return [newRecord(guest, identity, isKnown ? 'renamed' : (doubt ?? whyForeign(guest)), atMs)]
    renamed.add(from)
    wasKnown.delete(from)
    const rename = { kind: 'rename' as const, from, to: guest.name, identity: nextIdentity(identity, old) }
    return [rename, ...holdIfArmed(guest, old.state, wasKnown.size > 0)]
  })
}

/**
 * Whether nothing is to be recorded. Of a refused definition only a part may have been read. One of which nothing is known
 * may be a copy under a new name, of a file that goes in a moment: without a record its machine boots its disk, and the
 * record of the other can follow. While there is doubt it gets one, because the doubt may be over when it is right.
 */
function isSettled(
  { refused }: Guest,
  identity: MachineIdentity,
  record: GuestRecord | undefined,
  doubt: HoldReason | undefined,
): boolean {
  if (refused !== undefined)
    return record !== undefined || (doubt === undefined && keysOf(identity).length === 0)
  return record !== undefined && isSameIdentity(record.identity, identity)
}

/**
 * A guest that is known by its address alone and waits for its machine, while another was installed at that address: when
 * the definition of the other goes, its machine is taken for this guest.
 */
function mayHaveAnother(
  guest: Guest,
  identity: MachineIdentity,
  record: GuestRecord | undefined,
  owners: ReadonlyMap<string, readonly string[]>,
): DefinitionChange[] {
  if (!record || !isByAddressAlone(identity)) return []
  return holdIfArmed(guest, record.state, othersWith(identity, guest.name, owners).size > 0)
}

/** What the records say of a machine that is no guest. */
export interface Recorded {
  /** The names of all records whose machine it was, now or earlier, also of those that were made to forget it. */
  readonly names: readonly string[]
  /** A record of a machine that has a UUID or a serial number. This one may have the same, and has not shown it. */
  readonly mayBe?: { readonly name: string; readonly key: 'uuid' | 'serial' }
}

export function recordedOf(identity: MachineIdentity, records: ReadonlyMap<string, GuestRecord>): Recorded {
  const everyKey = (record: GuestRecord) => {
    const { former = [], forgotten = [] } = record.identity
    return [...keysOfRecord(record), ...former, ...forgotten]
  }
  const owners = ownersOf(records, everyKey)
  const names = [...new Set(searchedKeysOf(identity).flatMap((key) => owners.get(key) ?? []))]
  for (const [name, record] of records) {
    const key = openKey(record.identity, identity)
    if (key !== undefined) return { names, mayBe: { name, key } }
  }
  return { names }
}

/** By what two machines may be one: only one of them has shown it, and nothing that both have shown differs. */
function openKey(known: MachineIdentity, shown: MachineIdentity): 'uuid' | 'serial' | undefined {
  const differs = (key: 'uuid' | 'serial', isSame: (a: string, b: string) => boolean): boolean => {
    const [a, b] = [known[key], shown[key]]
    return a !== undefined && b !== undefined && !isSame(a, b)
  }
  if (differs('uuid', sameUuid) || differs('serial', (a, b) => a === b)) return undefined
  return (['uuid', 'serial'] as const).find((key) => known[key] !== undefined && shown[key] === undefined)
}

/** The names of the other records that may be this machine. */
function othersWith(
  identity: MachineIdentity,
  name: string,
  owners: ReadonlyMap<string, readonly string[]>,
): Set<string> {
  const others = new Set(searchedKeysOf(identity).flatMap((key) => owners.get(key) ?? []))
  others.delete(name)
  return others
}

/**
 * A guest that a profile makes has its record before its file. A file without one came from another server or a backup, or
 * belongs to a store that was lost: its machine may have been installed long ago.
 */
function whyForeign({ shown }: Guest): HoldReason | undefined {
  return shown && 'by treeboot: a profile made it, and this store has no record of that'
}

function newRecord(
  { name }: Guest,
  identity: MachineIdentity,
  hold: HoldReason | undefined,
  sinceMs: number,
): DefinitionChange {
  const state: GuestState = hold === undefined ? newState : { state: 'held', sinceMs, install: 0, hold }
  return { kind: 'add', guest: name, identity, state }
}

/** @param isKnown Whether the machine is, or was, recorded under another name as well. */
function identityChanges(
  guest: Guest,
  identity: MachineIdentity,
  record: GuestRecord,
  isKnown: boolean,
): DefinitionChange[] {
  const change = { kind: 'identity' as const, guest: guest.name, identity: nextIdentity(identity, record) }
  return [change, ...holdIfArmed(guest, record.state, isKnown)]
}

/**
 * Whether a guest must be held under its next name before its definition gets it, because its record does not follow:
 * nothing says that it is the same machine, or the name has a record of its own that would install.
 */
export function isHeldWhenRenamed(
  guest: Guest,
  newName: string,
  records: ReadonlyMap<string, GuestRecord>,
): boolean {
  const own = records.get(newName)
  if (own) return bootsInstaller(own.state.state, true)
  return keysOf(identityOf(guest)).length === 0
}

function holdIfArmed({ name, settings }: Guest, { state }: GuestState, isKnown: boolean): DefinitionChange[] {
  return isKnown && bootsInstaller(state, settings.retry.value)
    ? [{ kind: 'hold', guest: name, reason: 'renamed' }]
    : []
}

function nextIdentity(identity: MachineIdentity, { identity: before, state }: GuestRecord): MachineIdentity {
  const wasNeverInstalled = state.state === 'install' && state.install === 0
  const { former = [], forgotten } = before
  const unmade = { macs: [], former, ...(forgotten && { forgotten }) }
  return withFormer(identity, wasNeverInstalled ? unmade : before)
}

/** Also by the address at which it was installed, whatever its definition says. */
function keysOfRecord({ identity, state: { installer } }: GuestRecord): readonly string[] {
  const keys = keysOf(identity)
  return installer === undefined || installer === identity.ip ? keys : [...keys, addressKey(installer)]
}

/** The names of the records that have each key. */
function ownersOf(
  records: ReadonlyMap<string, GuestRecord>,
  keys: (record: GuestRecord) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string[]>()
  for (const [name, record] of records)
    for (const key of keys(record)) {
      const names = owners.get(key)
      if (names) names.push(name)
      else owners.set(key, [name])
    }
  return owners
}

/**
 * The guests that a store in doubt would install: they are to be held. A guest whose definition is gone counts as
 * one that retries: it may come back with `retry: true`.
 */
export function guestsToHold(
  records: ReadonlyMap<string, Pick<GuestRecord, 'state'>>,
  retryOf: (guest: string) => boolean | undefined,
): string[] {
  return [...records].flatMap(([name, { state }]) =>
    bootsInstaller(state.state, retryOf(name) ?? true) ? [name] : [],
  )
}
