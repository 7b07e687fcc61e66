import type { AccessRecords } from '../core/access/records.ts'
import { type Revoked, revocations } from '../core/access/revoked.ts'
import { isExpired } from '../core/access/tokens.ts'
import type { Clock } from './clock.ts'
import { referenceOf } from './secrets.ts'
import type { SessionLife } from './sessions.ts'

/** While somebody listens, what other processes changed is noticed so soon, and what time has ended in ten times that. */
const lookEveryMs = 1_000
const timeEveryLooks = 10

export type RevokedListener = (revoked: Revoked) => void

export interface RevocationsParts {
  readonly clock: Clock
  readonly life: SessionLife
  /** Reads what is stored now. */
  readonly read: () => Promise<AccessRecords>
  readonly onTrouble: (error: unknown) => void
}

/** Tells those who serve a caller for long, such as streams, that his access has ended. */
export class Revocations {
  readonly #parts: RevocationsParts
  readonly #listeners = new Set<RevokedListener>()
  /** Hashes of what time has ended, and was told. */
  readonly #told = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #looks = 0

  constructor(parts: RevocationsParts) {
    this.#parts = parts
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: RevokedListener): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => void this.#look(), lookEveryMs).unref()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.stop()
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Tells what is less in the newer records. */
  compare(before: AccessRecords, after: AccessRecords): void {
    for (const hash of this.#told)
      if (!after.tokens.has(hash) && !after.sessions.has(hash)) this.#told.delete(hash)
    if (this.#listeners.size === 0) return
    for (const revoked of revocations(before, after))
      this.#tell(
        revoked.session === undefined ? revoked : { ...revoked, session: referenceOf(revoked.session) },
      )
  }

  /** Tells whose time is over. */
  tellOver({ tokens, sessions }: AccessRecords): void {
    const { clock, life } = this.#parts
    const nowMs = clock.now()
    for (const token of tokens.values())
      if (isExpired(token, nowMs) && this.#isNews(token.hash))
        this.#tell({ account: token.account, token: token.name })
    for (const session of sessions.values())
      if (!life.isLive(session) && this.#isNews(session.hash))
        this.#tell({ account: session.account, session: referenceOf(session.hash) })
  }

  async #look(): Promise<void> {
    const { read, onTrouble } = this.#parts
    try {
      const records = await read()
      if (this.#looks++ % timeEveryLooks === 0) this.tellOver(records)
    } catch (error) {
      onTrouble(error)
    }
  }

  #isNews(hash: string): boolean {
    const isNews = !this.#told.has(hash)
    this.#told.add(hash)
    return isNews
  }

  #tell(revoked: Revoked): void {
    for (const listener of this.#listeners)
      try {
        listener(revoked)
      } catch (error) {
        this.#parts.onTrouble(error)
      }
  }
}
