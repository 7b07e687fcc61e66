// SIZE, MDTM: RFC 3659 sections 3 and 4.

import type { Entry } from '../../../files/source.ts'
import { formatTime } from '../listing.ts'
import type { Session } from '../session.ts'
import { forReaders } from './verb.ts'

/** virt-install and curl ask for the SIZE to learn whether a file exists: 550, and nothing else, says no. */
export const size = forReaders(async (session, argument) => {
  const entry = await find(session, argument)
  if (!entry) return
  if (entry.kind === 'folder') return session.reply(550, `${session.path(argument)}: A folder has no size`)
  session.reply(213, String(entry.size))
})

export const mdtm = forReaders(async (session, argument) => {
  const entry = await find(session, argument)
  if (entry) session.reply(213, formatTime(entry.modifiedMs))
})

async function find(session: Session, argument: string): Promise<Entry | undefined> {
  if (argument === '') {
    session.reply(501, 'A name is needed')
    return undefined
  }
  const path = session.path(argument)
  const entry = await session.stat(path)
  if (!entry) session.reply(550, `${path}: No such file or folder`)
  return entry
}
