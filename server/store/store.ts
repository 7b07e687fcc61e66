import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import type { Change, GuestState, HistoryEntry } from '../core/guest/state.ts'

/**
 * Computes a change from the stored state. Returns undefined to change nothing. It must be pure: a store may
 * call it more than once.
 */
export type Decide = (state: GuestState | undefined) => Change | undefined

/**
 * Keeps the data that must survive a restart. After its promise has resolved, a change survives a crash and a
 * power cut. A change is stored completely or not at all. Several processes may use one store at once.
 */
export interface Store {
  /** The states of guests by name. A guest without any event is missing. */
  states(): Promise<ReadonlyMap<string, GuestState>>
  /**
   * Changes the state of a guest and adds the line of its history. `decide` gets the state that is stored
   * now, also when another process writes at the same time. Resolves to the state afterwards.
   */
  change(guest: string, decide: Decide): Promise<GuestState | undefined>
  /**
   * The newest lines of the history of a guest, oldest first. With `installNumber` only the lines of that
   * installation.
   */
  history(guest: string, installNumber?: number): Promise<readonly HistoryEntry[]>

  /** Machines that asked for boot and are not guests. The one seen last comes first. */
  unknownMachines(): Promise<readonly UnknownMachine[]>
  /** Adds the machines, or merges them with the stored ones. Only the newest `unknownMachinesKept` stay. */
  addUnknownMachines(machines: readonly UnknownMachine[]): Promise<void>
  /** Removes a machine from the unknown machines. False when it is not among them. */
  forgetUnknownMachine(id: string): Promise<boolean>

  /** 32 random bytes, made once and the same for all processes that use this store. */
  secret(): Promise<Uint8Array>
  /** Whether another process wrote to the store since the last call. Cheap enough for each request. */
  changedElsewhere(): boolean
  close(): Promise<void>
}

/** The number of unknown machines that are kept. A scan of a network must not fill the disk. */
export const unknownMachinesKept = 1_000
/** The number of lines of history that are kept of each guest. */
export const historyKept = 200
