import type {
  AccessChange,
  AccessRecords,
  AuditLine,
  NumberedAuditLine,
  Use,
} from '../core/access/records.ts'

/**
 * Computes changes from what is stored now. It must be pure: a store may call it more than once. What it throws, the
 * caller of `change` gets, and nothing is changed.
 */
export type DecideAccess = (records: AccessRecords) => readonly AccessChange[]

export interface AuditQuery {
  /** Only lines with smaller numbers. */
  readonly before?: number
  readonly limit: number
}

export interface AuditOptions {
  /** The line of what was done, for which a full disk gives up the space that is kept for states of guests. */
  readonly isDeed?: boolean
}

/**
 * Accounts, tokens, sessions and the audit: the part of a store that says who may do what. After its promise has
 * resolved, a change survives a crash and a power cut, with the line of the audit that says so, or neither is stored.
 */
export interface AccountStore {
  /**
   * What is stored now, also by other processes. The same object as before when nothing was changed; then it is cheap
   * enough for each request. The times of last uses in it may be older than those that are stored.
   */
  current(): Promise<AccessRecords>
  /** Changes what is stored. Resolves to the records afterwards. */
  change(decide: DecideAccess): Promise<AccessRecords>
  /** Stores when tokens and sessions were last used. Those that are gone stay so. */
  noteUses(uses: readonly Use[]): Promise<void>

  /** Adds lines to the audit, of which the newest `auditKept` stay. */
  addAudit(lines: readonly AuditLine[], options?: AuditOptions): Promise<void>
  /** The newest lines, the newest first. */
  audit(query: AuditQuery): Promise<readonly NumberedAuditLine[]>
}

/** The number of lines of the audit that are kept: some 50 MB at most, and years where people do a hundred things a day. */
export const auditKept = 100_000
