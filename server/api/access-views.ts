import type { SessionView } from '../accounts/sessions.ts'
import type { AccountView, TokenView } from '../accounts/views.ts'
import type { NumberedAuditLine } from '../core/access/records.ts'
import type { AccountBody, AuditBody, SessionBody, TokenBody } from './types.ts'
import { timeText } from './views.ts'

/** Accounts, sessions, tokens and the audit as the JSON that the API sends and the commands print with `--json`. */

export function accountJson({ createdMs, lastSignInMs, issuer, ...shown }: AccountView): AccountBody {
  return {
    ...shown,
    issuer: issuer ?? null,
    created: timeText(createdMs),
    lastSignIn: timeOrNull(lastSignInMs),
  }
}

export function sessionJson({ createdMs, lastUsedMs, ...shown }: SessionView): SessionBody {
  return { ...shown, created: timeText(createdMs), lastUsed: timeText(lastUsedMs) }
}

export function tokenJson(view: TokenView): TokenBody {
  const { createdMs, expiresMs, lastUsedMs, lastFrom, roleNow, scopes, ...shown } = view
  return {
    ...shown,
    roleNow: roleNow ?? null,
    scopes: scopes ?? null,
    created: timeText(createdMs),
    expires: timeOrNull(expiresMs),
    lastUsed: timeOrNull(lastUsedMs),
    lastFrom: lastFrom ?? null,
  }
}

export function auditJson({ atMs, before, after, token, ...line }: NumberedAuditLine): AuditBody {
  return {
    ...line,
    at: timeText(atMs),
    token: token ?? null,
    before: before === undefined ? null : (JSON.parse(before) as unknown),
    after: after === undefined ? null : (JSON.parse(after) as unknown),
  }
}

function timeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : timeText(ms)
}
