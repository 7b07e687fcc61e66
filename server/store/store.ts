import type { Machine } from '../core/guest/seen-machine.ts'
import type { Change, GuestState, Step } from '../core/guest/state.ts'

/** Decides on what is stored at that moment; undefined leaves it as it is. Pure: it may be asked more than once. */
export type Decide = (life: GuestState | undefined) => Change | undefined

/**
 * What must survive a restart. A promise that resolved is kept, whatever happens to the process or the power
 * afterwards; one change is there as a whole or not at all. Several processes may use one store at once.
 */
export interface Store {
  /** Every guest that something ever happened to, by name. */
  lives(): Promise<ReadonlyMap<string, GuestState>>
  /** One change of a guest with its step, decided on what is stored now, whoever else writes. Resolves to the life afterwards. */
  change(guest: string, decide: Decide): Promise<GuestState | undefined>
  /** The newest steps of a guest, oldest first; of one installation when it is given. */
  story(guest: string, install?: number): Promise<readonly Step[]>

  /** Machines that asked for boot and are no guests; the one seen last comes first. */
  inbox(): Promise<readonly Machine[]>
  /** Adds to what the inbox knows of each. Only the newest `inboxSize` stay. */
  sight(machines: readonly Machine[]): Promise<void>
  /** Takes a machine out of the inbox; false when it is not there. */
  forget(id: string): Promise<boolean>

  /** 32 random bytes, made once, the same for everybody who uses this store. */
  secret(): Promise<Uint8Array>
  /** Whether somebody else wrote since this was last asked. Cheap enough for every request. */
  changedElsewhere(): boolean
  close(): Promise<void>
}

/** Machines kept in the inbox. A scan of a network must not fill the disk. */
export const inboxSize = 1_000
/** Steps kept of each guest. */
export const storySize = 200
