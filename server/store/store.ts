import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import type { Change, GuestState, HistoryEntry } from '../core/guest/state.ts'

/** Decides on what is stored at that moment; undefined leaves it as it is. Pure: it may be asked more than once. */
export type Decide = (state: GuestState | undefined) => Change | undefined

/**
 * What must survive a restart. A promise that resolved is kept, whatever happens to the process or the power
 * afterwards; one change is there as a whole or not at all. Several processes may use one store at once.
 */
export interface Store {
  /** The state of every guest that something ever happened to, by name. */
  states(): Promise<ReadonlyMap<string, GuestState>>
  /** One change of a guest with its line, decided on what is stored now, whoever else writes. Resolves to the state afterwards. */
  change(guest: string, decide: Decide): Promise<GuestState | undefined>
  /** The newest lines of a guest's history, oldest first; of one installation when it is given. */
  history(guest: string, install?: number): Promise<readonly HistoryEntry[]>

  /** Machines that asked for boot and are no guests; the one seen last comes first. */
  unknownMachines(): Promise<readonly UnknownMachine[]>
  /** Adds to what is known of each. Only the newest `unknownMachinesKept` stay. */
  addUnknownMachines(machines: readonly UnknownMachine[]): Promise<void>
  /** Takes a machine out of that list; false when it is not there. */
  forgetUnknownMachine(id: string): Promise<boolean>

  /** 32 random bytes, made once, the same for everybody who uses this store. */
  secret(): Promise<Uint8Array>
  /** Whether somebody else wrote since this was last asked. Cheap enough for every request. */
  changedElsewhere(): boolean
  close(): Promise<void>
}

/** Unknown machines kept. A scan of a network must not fill the disk. */
export const unknownMachinesKept = 1_000
/** Lines of history kept of each guest. */
export const historyKept = 200
