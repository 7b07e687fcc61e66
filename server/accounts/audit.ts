import { type Actor, auditLine, type Done } from '../core/access/audit.ts'
import type { AuditLine, NumberedAuditLine } from '../core/access/records.ts'
import { Failure, failureMessage, isDiskFull } from '../core/failure.ts'
import type { AccountStore, AuditQuery } from '../store/accounts.ts'
import { Allowance } from './allowance.ts'
import type { Clock } from './clock.ts'

/** How many lines an export reads at once. */
const exportedAtOnce = 500

/**
 * Who did what, from where, with what it was before and after. The newest `auditKept` lines are kept. Whoever has not
 * signed in adds few of them, so that strangers cannot push others out.
 */
export class Audit {
  readonly #store: AccountStore
  readonly #clock: Clock
  readonly #refusals: Allowance

  constructor(store: AccountStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#refusals = new Allowance(clock.up)
  }

  /**
   * Resolves when the line is on the disk. Secrets in `before` and `after` are starred.
   *
   * @throws Failure `unavailable` when the disk is full. What was done stays done.
   */
  async write(by: Actor, done: Done): Promise<void> {
    try {
      await this.#store.addAudit([this.#line(by, done)], { isDeed: true })
    } catch (error) {
      if (!isDiskFull(error)) throw error
      const message = `${done.action} of ${done.target} cannot be written to the audit: the disk is full (${failureMessage(error)}). What was asked may be in force: make room, look, and ask again where it is not`
      throw new Failure('unavailable', message, { cause: error })
    }
  }

  /** A sign-in that was refused. Beyond a certain number they are only counted, and the next line says how many. */
  async refused(by: Actor, why: string): Promise<void> {
    const line = this.#refusals.take()
    if (!line) return
    const after = { why, ...(line.missed > 0 && { notWritten: line.missed }) }
    await this.#store.addAudit([this.#line(by, { action: 'session.refused', target: by.account, after })])
  }

  #line(by: Actor, done: Done): AuditLine {
    return auditLine(by, this.#clock.now(), done)
  }

  /** The newest lines, the newest first; with `before` those with smaller numbers. */
  list(query: AuditQuery): Promise<readonly NumberedAuditLine[]> {
    return this.#store.audit(query)
  }

  /** All lines, the newest first, without having all of them in memory. With `sinceMs` none that is older. */
  async *export({ sinceMs = 0 }: { readonly sinceMs?: number } = {}): AsyncGenerator<NumberedAuditLine> {
    let before: number | undefined
    for (;;) {
      const lines = await this.#store.audit({ limit: exportedAtOnce, ...(before && { before }) })
      for (const line of lines) if (line.atMs >= sinceMs) yield line
      before = lines.at(-1)?.id
      if (before === undefined) return
    }
  }
}
