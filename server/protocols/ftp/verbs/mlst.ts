// MLST, MLSD: RFC 3659 section 7.

import { factsLine } from '../data/listing.ts'
import { listingTransfer } from './list.ts'
import { accessTo, filesFor, findEntry, resolvePath } from './namespace.ts'
import { forLoggedIn, isReply, reply, replyLines } from './verb.ts'

/** The facts of one file or folder, in the reply itself. */
export const mlst = forLoggedIn(async (state, argument, context) => {
  const path = resolvePath(state, argument)
  const entry = await findEntry(state, argument, context)
  if (isReply(entry)) return entry
  const line = factsLine(entry, path, state.facts, accessTo(path, state, context))
  return replyLines(250, 'Facts', [line], 'End')
})

/** The facts of all entries of a folder, over the data connection. */
export const mlsd = forLoggedIn(async (state, argument, context) => {
  const path = resolvePath(state, argument)
  const files = filesFor(state, context)
  const entry = await files.stat(path, context.client)
  if (entry?.kind === 'file') return reply(501, `${path}: Not a folder; MLST shows the facts of a file`)
  const entries = await files.list(path, context.client)
  if (!entries) return reply(550, `${path}: No such folder`)
  const access = accessTo(path, state, context)
  return listingTransfer(context, { path, entries }, (each) =>
    factsLine(each, each.name, state.facts, access),
  )
})
