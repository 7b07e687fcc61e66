import type { BootFacts } from '../core/boot/plan-boot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { GuestState } from '../core/guest/state.ts'
import type { Requester } from '../core/net/requester.ts'
import type { LoaderDecision } from '../namespace/boot-configs.ts'

/** What the namespace asks of the guests' past, and what it tells for their future. Whoever has none leaves it out. */
export interface GuestMemory {
  /** Resolves when what other processes wrote is known; at once when they wrote nothing. */
  fresh(): Promise<void>
  /** As it counts now; undefined for a guest to whom nothing ever happened. */
  stateOf(guest: string): GuestState | undefined
  /** Proves that a report comes from whoever read the answer file of this installation. */
  reportToken(guest: string): string | undefined
  /** Resolves when it is on record: a machine hears of its tree only when the tree is bound. Never rejects. */
  decided(decision: LoaderDecision): Promise<void>
  /** A machine that is no guest showed itself. */
  unknown(facts: BootFacts, who: Requester): void
  /** An answer file was made for someone; whether it is fetched, the service's event tells. */
  asked(guest: Guest, who: Requester, path: string): void
}

/** Remembers nothing and hears nothing. */
export const noMemory: GuestMemory = {
  fresh: async () => {},
  stateOf: () => undefined,
  reportToken: () => undefined,
  decided: async () => {},
  unknown: () => {},
  asked: () => {},
}
