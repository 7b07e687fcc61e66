// SIZE, MDTM: RFC 3659 sections 3 and 4. MFMT: draft-somers-ftp-mfxx-04 section 3.

import { formatTime, parseTime } from '../data/listing.ts'
import { findEntry, resolvePath, uploadTarget } from './namespace.ts'
import { forAdministrators, forLoggedIn, isReply, reply } from './verb.ts'

/**
 * virt-install and curl ask for the SIZE to learn whether a file exists: 550, and only 550, means that it
 * does not.
 */
export const size = forLoggedIn(async (state, argument, context) => {
  if (argument === '') return reply(501, 'SIZE needs a name')
  const entry = await findEntry(state, argument, context)
  if (isReply(entry)) return entry
  if (entry.kind === 'folder') return reply(550, `${resolvePath(state, argument)}: A folder has no size`)
  return reply(213, String(entry.size))
})

export const mdtm = forLoggedIn(async (state, argument, context) => {
  if (argument === '') return reply(501, 'MDTM needs a name')
  const entry = await findEntry(state, argument, context)
  return isReply(entry) ? entry : reply(213, formatTime(entry.modifiedMs))
})

/**
 * Sets the time of an uploaded file. lftp's mirror sends this: by the times, its next run knows unchanged
 * files.
 */
export const mfmt = forAdministrators(async (state, argument, context) => {
  const [, stamp = '', name = ''] = /^(\S+) (.+)$/s.exec(argument) ?? []
  const modifiedMs = parseTime(stamp)
  if (modifiedMs === undefined) return reply(501, 'MFMT takes YYYYMMDDHHMMSS and a name')
  const { area, inside, path } = uploadTarget(state, name, context)
  await area.setModified(inside, modifiedMs)
  return reply(213, `Modify=${stamp}; ${path}`)
})
