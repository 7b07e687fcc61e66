import type { Guest } from './guest.ts'
import { identityOf, isSameIdentity, keysOf, type MachineIdentity } from './identity.ts'
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
 * A guest without one is new, unless its machine is known: by a MAC, a UUID or a serial number of another record.
 * When that record's own definition is gone, the machine has a new name, and the record gets it, with its state and
 * history. When the other guest is still defined, or several records claim the machine, the new guest is held:
 * whatever was installed on that machine must not be wiped because of a name. For the same reason a guest is held
 * that would be installed and takes over the MAC of another one.
 */
export function definitionChanges({ guests, records, doubt, atMs }: DefinitionInputs): DefinitionChange[] {
  const defined = new Set(guests.map(({ name }) => name))
  const owners = ownersOf(records)
  const renamed = new Set<string>()
  return guests.flatMap((guest) => {
    const identity = identityOf(guest)
    const record = records.get(guest.name)
    // Of a refused definition only a part may have been read.
    if (record && (guest.refused !== undefined || isSameIdentity(record.identity, identity))) return []
    const known = new Set(keysOf(identity).flatMap((key) => owners.get(key) ?? []))
    known.delete(guest.name)
    if (record) return identityChanges(guest, identity, record.state, known.size > 0)
    const [from = ''] = known
    if (known.size !== 1 || defined.has(from) || renamed.has(from))
      return [newRecord(guest, identity, known.size > 0 ? 'renamed' : doubt, atMs)]
    renamed.add(from)
    return [{ kind: 'rename', from, to: guest.name, identity }]
  })
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

/** @param isKnown Whether the machine is recorded under another name as well. */
function identityChanges(
  { name, settings }: Guest,
  identity: MachineIdentity,
  { state }: GuestState,
  isKnown: boolean,
): DefinitionChange[] {
  const changes: DefinitionChange[] = [{ kind: 'identity', guest: name, identity }]
  if (isKnown && bootsInstaller(state, settings.retry.value))
    changes.push({ kind: 'hold', guest: name, reason: 'renamed' })
  return changes
}

/** The names of the records that have each MAC, UUID and serial number. */
function ownersOf(records: ReadonlyMap<string, GuestRecord>): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string[]>()
  for (const [name, { identity }] of records)
    for (const key of keysOf(identity)) {
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
