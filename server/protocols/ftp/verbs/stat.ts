// STAT: RFC 959 section 4.1.3.

import { requestLimits } from '../../../core/limits/requests.ts'
import { listLine } from '../data/listing.ts'
import type { SessionState } from '../session/state.ts'
import { findListing } from './list.ts'
import { forAnyone, isReply, reply, replyLines, type VerbContext } from './verb.ts'

/** A reply is in memory as a whole. */
const mostNames = requestLimits.ftpStatus.entries

/**
 * Shows the state of the session and of its transfer. With a path it shows what LIST shows, in the reply
 * itself.
 */
export const stat = forAnyone(async (state, argument, context) => {
  if (argument === '') return replyLines(211, 'treeboot FTP', statusLines(state, context), 'End')
  if (!state.login) return reply(530, 'Log in first, with USER and PASS')
  const listing = await findListing(state, argument, context)
  if (isReply(listing)) return listing
  if (listing.entries.length > mostNames)
    return reply(501, `${listing.path}: more than ${mostNames} names; LIST shows them`)
  const nowMs = Date.now()
  const lines = listing.entries.map((entry) => listLine(entry, listing.access, nowMs))
  return replyLines(213, `Status of ${listing.path}`, lines, 'End')
})

function statusLines(state: SessionState, { client, progress }: VerbContext): string[] {
  return [
    `Connected from ${client.address}${state.isSecure ? ', encrypted' : ''}`,
    state.login ? `Logged in as ${state.user}` : 'Not logged in',
    `TYPE: ${state.type}, STRU: F, MODE: S, PROT: ${state.protectsData ? 'P' : 'C'}`,
    progress ? `${progress.title}: ${progress.bytes} bytes so far` : 'No transfer under way',
  ]
}
