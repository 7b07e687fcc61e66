import type { Guest } from '../core/guest/guest.ts'
import type { GuestState, Report } from '../core/guest/state.ts'
import { sameToken } from './token.ts'

/** A report about a guest, with the facts that show whether to believe it. */
export interface ReceivedReport {
  readonly report: Report
  readonly token?: string
  /** The address that sent the report. */
  readonly client: string
  /** Whether it came from the machine that treeboot runs on. */
  readonly local: boolean
  /** Whether a proxy forwarded it: then `client` is the proxy. */
  readonly isForwarded: boolean
  /** Whether a report about this guest needs a token. */
  readonly needsToken: boolean
  readonly detail?: string
}

/** What is known of the guest that a report is about. */
export interface KnownOfGuest {
  readonly state: GuestState
  /** The token of the present installation; undefined while the store is not open. */
  readonly token: string | undefined
}

/**
 * Why a report does not count, for people; undefined when it does. A token must be that of the present installation.
 * Without one, where the guest needs none, a report counts when it comes from an address of the guest or from the machine
 * that treeboot runs on. Behind a proxy every client has the same address, so a token is needed there.
 */
export function whyNotBelieved(
  { name, ip }: Guest,
  { token, client, local, isForwarded, needsToken }: ReceivedReport,
  { state, token: expected }: KnownOfGuest,
): string | undefined {
  if (token !== undefined)
    return expected !== undefined && sameToken(expected, token)
      ? undefined
      : `the token is not that of the present installation of ${name}; its answer file has it in report_url`
  const remedy = 'use report_url of the answer file, which holds a token'
  if (needsToken) return `a report about ${name} needs the token of its installation; ${remedy}`
  if (isForwarded) return `a proxy forwarded it, and it has no token; ${remedy}`
  const isOffered = state.offers?.some((offer) => offer.client === client) ?? false
  if (local || isOffered || client === ip || client === state.installer) return undefined
  return `${client} is not the address of ${name}; ${remedy}`
}
