import type { DefinitionChange } from '../core/guest/definitions.ts'
import type { StorePast } from '../core/guest/doubt.ts'
import type { MachineIdentity } from '../core/guest/identity.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import type { Change, GuestState, HistoryEntry, HoldReason } from '../core/guest/state.ts'
import type { AccountStore } from './accounts.ts'
import type { BootStore } from './boots.ts'
import type { WebhookStore } from './webhooks.ts'

/**
 * Computes a change from the stored state. Returns undefined to change nothing. It must be pure: a store may
 * call it more than once.
 */
export type Decide = (state: GuestState | undefined) => Change | undefined

export interface ChangeOptions {
  /**
   * Whether the change must be invisible to everybody until it is on the disk, and so be undone when it cannot be
   * made durable. This costs the event loop one sync of the disk. Default: a change whose promise rejects may
   * have been seen by other processes.
   */
  readonly durableFirst?: boolean
}

/** A change of what the store records about guests, beside their states. */
export type RecordChange =
  /**
   * `add`: a row that another process made meanwhile stays. `rename`: the row and the history get another name,
   * unless another process gave that name away meanwhile.
   */
  | Exclude<DefinitionChange, { readonly kind: 'hold' }>
  | { readonly kind: 'change'; readonly guest: string; readonly decide: Decide }
  /** Doubt begins, or ends with `undefined`. */
  | { readonly kind: 'doubt'; readonly doubt: HoldReason | undefined }
  /** Somebody may decide by this store now. `unjudged`: see `StorePast`; doubt ends it, too, when it begins and when it ends. */
  | { readonly kind: 'settled'; readonly unjudged?: boolean }

/**
 * Keeps the data that must survive a restart. After its promise has resolved, a change survives a crash and a
 * power cut. A change is stored completely or not at all. Several processes may use one store at once.
 */
export interface Store {
  /** The states of guests by name. A guest without a row is missing. */
  states(): Promise<ReadonlyMap<string, GuestState>>
  /** By which MACs, UUID and serial number each recorded guest was last known. */
  identities(): Promise<ReadonlyMap<string, MachineIdentity>>
  /**
   * Changes the state of a guest and adds the line of its history. `decide` gets the state that is stored
   * now, also when another process writes at the same time. Resolves to the state afterwards.
   */
  change(guest: string, decide: Decide, options?: ChangeOptions): Promise<GuestState | undefined>
  /** Makes all these changes, or none. */
  record(changes: readonly RecordChange[]): Promise<void>
  /**
   * The newest lines of the history of a guest, oldest first. With `installNumber` only the lines of that
   * installation.
   */
  history(guest: string, installNumber?: number): Promise<readonly HistoryEntry[]>

  past(): Promise<StorePast>
  /** Writes a row that means nothing, to find out whether the store can be written. */
  probe(): Promise<void>

  /**
   * Machines that asked for boot. The one seen last comes first. Guests are among them as far as they asked by DHCP:
   * who is a guest changes with the configuration, which a store does not know.
   */
  unknownMachines(): Promise<readonly UnknownMachine[]>
  /** Adds the machines, or merges them with the stored ones. Only the newest `unknownMachinesKept` stay. */
  addUnknownMachines(machines: readonly UnknownMachine[]): Promise<void>
  /** Removes a machine from the unknown machines. False when it is not among them. */
  forgetUnknownMachine(id: string): Promise<boolean>

  /** Who may do what. */
  readonly accounts: AccountStore
  readonly boots: BootStore
  readonly webhooks: WebhookStore

  /** 32 random bytes, made once and the same for all processes that use this store. */
  secret(): Promise<Uint8Array>
  /** Whether another process wrote to the store since the last call. Cheap enough for each request. */
  changedElsewhere(): boolean
  close(): Promise<void>
}

/** The number of machines that are kept. A scan of a network must not fill the disk. */
export const unknownMachinesKept = 4_000
/** The number of lines of history that are kept of each guest. */
export const historyKept = 200
