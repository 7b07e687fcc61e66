import {
  type AccessRecords,
  type AuditLine,
  type NumberedAuditLine,
  noRecords,
  type Use,
  withChanges,
} from '../../core/access/records.ts'
import { defined } from '../../core/defined.ts'
import { type AccountStore, type AuditQuery, auditKept, type DecideAccess } from '../accounts.ts'

export class MemoryAccounts implements AccountStore {
  #records: AccessRecords = noRecords
  #audit: NumberedAuditLine[] = []
  #lastId = 0

  async current(): Promise<AccessRecords> {
    return this.#records
  }

  async change(decide: DecideAccess): Promise<AccessRecords> {
    const changes = decide(this.#records)
    if (changes.some(({ kind }) => kind !== 'audit')) this.#records = withChanges(this.#records, changes)
    await this.addAudit(changes.flatMap((change) => (change.kind === 'audit' ? [change.line] : [])))
    return this.#records
  }

  async noteUses(uses: readonly Use[]): Promise<void> {
    const tokens = new Map(this.#records.tokens)
    const sessions = new Map(this.#records.sessions)
    for (const { hash, atMs, from } of uses) {
      const [token, session] = [tokens.get(hash), sessions.get(hash)]
      if (token) tokens.set(hash, { ...token, lastUsedMs: atMs, lastFrom: from })
      if (session) sessions.set(hash, { ...session, lastUsedMs: atMs, from })
    }
    this.#records = { ...this.#records, tokens, sessions }
  }

  async addAudit(lines: readonly AuditLine[]): Promise<void> {
    for (const line of lines) this.#audit.push({ ...line, id: ++this.#lastId })
    if (this.#audit.length > auditKept) this.#audit = this.#audit.slice(-auditKept)
  }

  async audit({ before, limit }: AuditQuery): Promise<readonly NumberedAuditLine[]> {
    const asked = before === undefined ? this.#audit : this.#audit.filter(({ id }) => id < before)
    return limit <= 0 ? [] : asked.slice(-limit).reverse().map(defined)
  }
}
