import { type Caller, callerText } from '../core/access/access.ts'
import { Failure } from '../core/failure.ts'

/** What costs the server much is done once at a time for each caller. */
export class Turns {
  readonly #at = new Set<string>()

  /**
   * @param what For people: `a boot is tried`.
   * @throws Failure `too-many` while the caller's earlier one is not done.
   */
  async take<T>(
    what: string,
    { caller, from }: { readonly caller: Caller | undefined; readonly from: string },
    job: () => Promise<T>,
  ): Promise<T> {
    const who = caller && caller.kind !== 'anonymous' ? callerText(caller) : from
    const key = `${what}\n${who}`
    if (this.#at.has(key))
      throw new Failure('too-many', `${what} for ${who} now; ask again when that is done`)
    this.#at.add(key)
    try {
      return await job()
    } finally {
      this.#at.delete(key)
    }
  }
}
