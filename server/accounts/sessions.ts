import type { Caller } from '../core/access/access.ts'
import type { AccessRecords, SessionRecord } from '../core/access/records.ts'
import { Ages, type Clock } from './clock.ts'
import { csrfOf, hashOf, newSecret, referenceOf } from './secrets.ts'
import type { UseNotes } from './uses.ts'

/** `access.session` of the configuration. */
export interface SessionLimits {
  /** A session ends when it was not used for so long. */
  readonly idleMs: number
  /** It ends so long after the sign-in, however much it is used. */
  readonly maxMs: number
}

/** What a person gets who has signed in. */
export interface Session {
  /** The secret for the cookie. It is shown this once. */
  readonly id: string
  /** What requests that change something must carry beside the cookie. It is the same for the life of the session. */
  readonly csrf: string
  readonly caller: Caller
  /** When it ends at the latest, in milliseconds since 1970. */
  readonly endsMs: number
}

/** A session as its owner and an admin see it. */
export interface SessionView {
  /** Names it, and is worth nothing else. */
  readonly reference: string
  readonly account: string
  readonly createdMs: number
  readonly lastUsedMs: number
  /** The address that used it last. */
  readonly from: string
}

/** The most sessions of an account. The one that was used longest ago ends. */
export const mostSessions = 50

export interface SessionLifeParts {
  readonly clock: Clock
  readonly limits: () => SessionLimits
  readonly uses: UseNotes
}

/** When sessions end. No clock that is set makes one last longer. */
export class SessionLife {
  readonly #parts: SessionLifeParts
  readonly #ages: Ages
  /** Sessions that have ended: a clock that is set back revives none. */
  readonly #over = new Set<string>()

  constructor(parts: SessionLifeParts) {
    this.#parts = parts
    this.#ages = new Ages(parts.clock)
  }

  isLive(session: SessionRecord): boolean {
    const { idleMs, maxMs } = this.#parts.limits()
    const { hash } = session
    // `age` is asked for both, so that each learns its moment now.
    const age = this.#ages.age(`${hash} made`, session.createdMs)
    const idle = this.#ages.age(`${hash} used`, this.lastUse(session).atMs)
    if (age >= maxMs || idle >= idleMs) this.#over.add(hash)
    return !this.#over.has(hash)
  }

  lastUse({ hash, lastUsedMs, from }: SessionRecord): { readonly atMs: number; readonly from: string } {
    return this.#parts.uses.latest(hash) ?? { atMs: lastUsedMs, from }
  }

  /** Sessions of which nothing need be remembered. */
  over({ sessions }: AccessRecords): readonly SessionRecord[] {
    return [...sessions.values()].filter((session) => !this.isLive(session))
  }

  /** Newer records: the ages of their sessions are measured from now on, and others are forgotten. */
  follow(records: AccessRecords): void {
    const { sessions } = records
    this.#ages.keepOnly((key) => sessions.has(key.split(' ', 1)[0] ?? ''))
    for (const hash of this.#over) if (!sessions.has(hash)) this.#over.delete(hash)
    this.over(records)
  }

  view(session: SessionRecord): SessionView {
    const { atMs, from } = this.lastUse(session)
    const { hash, account, createdMs } = session
    return { reference: referenceOf(hash), account, createdMs, lastUsedMs: atMs, from }
  }
}

/** A new session with the secret that only its owner gets. */
export function newSession(
  account: string,
  from: string,
  nowMs: number,
): { readonly id: string; readonly csrf: string; readonly record: SessionRecord } {
  const id = newSecret()
  const record = { hash: hashOf(id), account, createdMs: nowMs, lastUsedMs: nowMs, from }
  return { id, csrf: csrfOf(id), record }
}
