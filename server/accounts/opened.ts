import type { AccountStore } from '../store/accounts.ts'
import { Audit } from './audit.ts'
import type { Clock } from './clock.ts'
import { CurrentRecords } from './current.ts'
import { LegacyToken } from './legacy.ts'
import { Revocations } from './revocations.ts'
import { SessionLife, type SessionLimits } from './sessions.ts'
import { SetupLinks } from './setup-links.ts'
import { UseNotes } from './uses.ts'

export interface AccountsData {
  readonly store: AccountStore
  /** `paths.data` */
  readonly dataFolder: string
  /** The token of the file `admin-token`, which is valid for uploads. */
  readonly legacy?: { isValid(token: string): boolean }
}

/** The parts of `Accounts` that stand on the store. */
export interface Opened {
  readonly store: AccountStore
  readonly legacy: LegacyToken
  readonly current: CurrentRecords
  readonly uses: UseNotes
  readonly life: SessionLife
  readonly audit: Audit
  readonly links: SetupLinks
  readonly revocations: Revocations
}

interface OpenOptions {
  readonly session: () => SessionLimits
  readonly onTrouble: (error: unknown) => void
  readonly clock: Clock
}

export function openParts(
  { session: limits, onTrouble, clock }: OpenOptions,
  { store, dataFolder, legacy }: AccountsData,
): Opened {
  const uses = new UseNotes({ store, clock, onTrouble })
  const life = new SessionLife({ clock, limits, uses })
  const current = new CurrentRecords(store)
  const revocations = new Revocations({ clock, life, read: () => current.read(), onTrouble })
  current.onNewer((before, now) => {
    uses.keepOnly((hash) => now.tokens.has(hash) || now.sessions.has(hash))
    life.follow(now)
    revocations.compare(before, now)
  })
  return {
    store,
    legacy: new LegacyToken(legacy),
    uses,
    life,
    audit: new Audit(store, clock),
    links: new SetupLinks({ store, clock, dataFolder }),
    current,
    revocations,
  }
}
