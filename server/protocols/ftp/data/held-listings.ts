import type { Entry } from '../../../files/source.ts'

type Entries = readonly Entry[]

/**
 * Limits the names of the listings that are being sent to one client. A listing is in memory until its last line
 * went out, and the client says when that is. Sessions that list a folder at the same time share its entries, and
 * they count once.
 */
export class HeldListings {
  readonly #mostNames: number
  /** For each client: its listings, and how many transfers send each of them. */
  readonly #byClient = new Map<string, Map<Entries, number>>()

  /** @param mostNames Of all listings of one client. A listing alone may have more. */
  constructor(mostNames: number) {
    this.#mostNames = mostNames
  }

  /**
   * Counts a listing that begins. Returns the function that ends it, or undefined when the client has too many
   * names already.
   */
  hold(client: string, entries: Entries): (() => void) | undefined {
    const held = this.#byClient.get(client) ?? new Map<Entries, number>()
    const sharing = held.get(entries) ?? 0
    if (sharing === 0 && held.size > 0 && namesIn(held.keys()) + entries.length > this.#mostNames)
      return undefined
    held.set(entries, sharing + 1)
    this.#byClient.set(client, held)
    return () => this.#release(client, held, entries)
  }

  #release(client: string, held: Map<Entries, number>, entries: Entries): void {
    const sharing = held.get(entries) ?? 0
    if (sharing > 1) held.set(entries, sharing - 1)
    else held.delete(entries)
    if (held.size === 0) this.#byClient.delete(client)
  }
}

function namesIn(listings: Iterable<Entries>): number {
  let names = 0
  for (const entries of listings) names += entries.length
  return names
}
