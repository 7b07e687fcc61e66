import { defined } from '../../core/defined.ts'
import type { MachineIdentity } from '../../core/guest/identity.ts'
import { shownOrNull, type UnknownMachine } from '../../core/guest/seen-machine.ts'
import type { GuestState, HistoryEntry, HistoryKind, InstallState, Offer } from '../../core/guest/state.ts'
import type { GuestRow, StepRow, UnknownMachineRow } from '../schema/tables.ts'

/** Converts rows of the tables to values, and values to rows. */

const states: readonly string[] = [
  'install',
  'installing',
  'failed',
  'installed',
  'local',
  'held',
] satisfies InstallState[]

/**
 * An invalid row (edited by hand, damaged disk) is read as `local`, because that is a state in which no disk is
 * wiped.
 */
export function stateOfRow(row: Omit<GuestRow, 'name' | 'identity'>): GuestState {
  const { state, since_ms: sinceMs, install } = row
  const rest = restOf(row.rest)
  if (!states.includes(state) || !rest) return { state: 'local', sinceMs, install }
  return { ...rest, state: state as InstallState, sinceMs, install }
}

function restOf(text: string): Partial<GuestState> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? withOffers(parsed) : undefined
  } catch {
    return undefined
  }
}

/**
 * The state with its list of offers; undefined when the list is invalid. Earlier builds of 0.1 stored a single
 * `offer`, for the address that asked last, and spelled `treeSetting` `wanted`.
 */
function withOffers({
  offer,
  ...rest
}: Partial<GuestState> & { readonly offer?: Offer & { readonly wanted: string } }):
  | Partial<GuestState>
  | undefined {
  const offers: unknown = rest.offers ?? (offer && [{ ...offer, treeSetting: offer.wanted }])
  if (offers === undefined) return rest
  return isListOfOffers(offers) ? { ...rest, offers } : undefined
}

function isListOfOffers(offers: unknown): offers is readonly Offer[] {
  return Array.isArray(offers) && offers.every((each) => typeof each?.client === 'string')
}

/** A damaged identity is read as none: the guest is then known by its name alone. */
export function identityOfRow({ identity }: Pick<GuestRow, 'identity'>): MachineIdentity {
  try {
    const parsed = JSON.parse(identity) as Partial<MachineIdentity>
    const { macs, uuid, serial, ip, former, forgotten } = parsed
    const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
    const texts = (value: unknown): string[] =>
      Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
    return {
      macs: texts(macs),
      ...defined({ uuid: text(uuid), serial: text(serial), ip: text(ip) }),
      ...defined({ former: former && texts(former), forgotten: forgotten && texts(forgotten) }),
    }
  } catch {
    return { macs: [] }
  }
}

export function rowOfState(
  name: string,
  { state, sinceMs, install, ...rest }: GuestState,
): Omit<GuestRow, 'identity'> {
  return { name, state, since_ms: sinceMs, install, rest: JSON.stringify(rest) }
}

export function entryOfRow(row: Omit<StepRow, 'id'>): HistoryEntry {
  const { install, at_ms: atMs, kind, detail, client } = row
  return { atMs, install, kind: kind as HistoryKind, detail, client }
}

export function unknownMachineOfRow(row: UnknownMachineRow): UnknownMachine {
  const { id, first_ms: firstMs, last_ms: lastMs, count, ...seen } = row
  const known = Object.entries(seen).filter(([, value]) => value !== null)
  return { ...Object.fromEntries(known), id, firstMs, lastMs, count }
}

export function rowOfUnknownMachine(machine: UnknownMachine): UnknownMachineRow {
  const { id, firstMs, lastMs, count } = machine
  // `shownOrNull` gives the other columns.
  return { id, ...shownOrNull(machine), first_ms: firstMs, last_ms: lastMs, count }
}
