import type { Guest } from '../core/guest/guest.ts'
import type { RawFacts } from '../core/guest/machine-facts.ts'
import type { GuestState, ReleaseId } from '../core/guest/state.ts'
import type { Requester } from '../core/net/requester.ts'

/** What decisions need to know of the machines' past. Its methods change nothing. */
export interface MachineStates {
  /**
   * The state of a guest now, without expired offers; undefined for a guest to which nothing ever happened.
   */
  stateOf(guest: string): GuestState | undefined
  /** The versions of published trees that a client has begun to fetch, by id of the published tree. */
  versionsOf(who: Requester): ReadonlyMap<string, number>
  /** Why no installation may begin now, for people: it could not be remembered. */
  whyNotWritable(): string | undefined
}

/** What the namespace needs to know of the machines, and to write down about them. */
export interface BootMachines extends MachineStates {
  /** Reads what other processes wrote to the store. Resolves at once when they wrote nothing. */
  fresh(): Promise<void>
  /** The version of a published tree in which a client sees a path inside of it. `current` is the newest. */
  versionFor(who: Requester, current: ReleaseId, path: string): number
  /** The UUID of the machine with this MAC; undefined unless a DHCP request named both. */
  uuidOf(mac: string): string | undefined
  /** What DHCP requests told of the machine with these names; nothing when none came. */
  shownByDhcp(facts: Pick<RawFacts, 'macs' | 'uuid'>): RawFacts
  /** The token that reports of the guest's present installation carry; only its answer file has it. */
  reportToken(guest: string): string | undefined
  /**
   * Stores that an answer file is about to be sent. The caller must await it before it sends the first byte.
   */
  claimAnswerFile(guest: Guest, who: Requester): Promise<void>
}
