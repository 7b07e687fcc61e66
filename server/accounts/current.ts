import { type AccessRecords, noRecords } from '../core/access/records.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import type { AccountStore, DecideAccess } from '../store/accounts.ts'

export type NewerRecords = (before: AccessRecords, now: AccessRecords) => void

/** What is stored now. Whoever follows it is told of newer records before anybody gets them. */
export class CurrentRecords {
  readonly #store: AccountStore
  readonly #followers: NewerRecords[] = []
  #last: AccessRecords = noRecords

  constructor(store: AccountStore) {
    this.#store = store
  }

  onNewer(follower: NewerRecords): void {
    this.#followers.push(follower)
  }

  /**
   * Also what other processes changed. Cheap when nobody did.
   *
   * @throws Failure `unavailable` when it cannot be read: somebody may have been revoked.
   */
  async read(): Promise<AccessRecords> {
    const now = await this.#store.current().catch((error: unknown) => {
      throw new Failure('unavailable', `the accounts cannot be read: ${failureMessage(error)}`, {
        cause: error,
      })
    })
    const before = this.#last
    if (now === before) return now
    this.#last = now
    for (const follower of this.#followers) follower(before, now)
    return now
  }

  /** Resolves to the records afterwards, when they are on the disk. */
  async change(decide: DecideAccess): Promise<AccessRecords> {
    await this.#store.change(decide)
    return this.read()
  }
}
