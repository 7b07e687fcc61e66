// CWD, CDUP, PWD: RFC 959 sections 4.1.1 and 4.1.3, appendix II.

import { quotePath } from '../reply.ts'
import type { Session } from '../session.ts'
import { forReaders } from './verb.ts'

/**
 * Several levels at once, and relative: Python's urllib, which virt-install fetches with, sends `CWD rel/dir/dir`. A missing folder
 * is 550, for virt-install and dracut's curl take that as "there is no such thing".
 */
async function change(session: Session, argument: string): Promise<void> {
  const path = session.path(argument === '' ? '/' : argument)
  const entry = await session.stat(path)
  if (entry?.kind !== 'folder')
    return session.reply(550, `${path}: ${entry ? 'Not a folder' : 'No such folder'}`)
  session.cwd = path
  session.reply(250, `Now in ${quotePath(path)}`)
}

export const cwd = forReaders(change)

export const cdup = forReaders((session) => change(session, '..'))

export const pwd = forReaders((session) =>
  session.reply(257, `${quotePath(session.cwd)} is the current folder`),
)
