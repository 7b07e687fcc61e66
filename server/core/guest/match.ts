import type { Guest, GuestFacts } from './guest.ts'

export interface GuestMatch {
  readonly guest: Guest
  /** By what it was recognised, for people: `mac 52:54:00:aa:bb:01`, `uuid ... (byte-swapped)`, `ip 10.0.0.7`. */
  readonly by: string
}

/** All guests of a snapshot, arranged for recognising machines. */
export interface GuestIndex {
  readonly all: readonly Guest[]
  byName(name: string): Guest | undefined
  /** The strongest fact decides: name, then UUID, serial, MAC, and last the address. */
  match(facts: GuestFacts): GuestMatch | undefined
}
