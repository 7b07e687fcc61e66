// CWD, CDUP, PWD: RFC 959 sections 4.1.1 and 4.1.3, appendix II.

import { quotePath } from '../line/reply.ts'
import type { SessionState } from '../session/state.ts'
import { filesFor, resolvePath } from './namespace.ts'
import { forLoggedIn, reply, type VerbContext, type VerbReply } from './verb.ts'

/**
 * Changes the folder. The path may be relative and have several levels: Python's urllib, which virt-install
 * uses, sends `CWD rel/dir/dir`. A missing folder is 550: virt-install and dracut's curl take that as "it
 * does not exist". Without a path it is the root, where every session begins.
 */
async function change(state: SessionState, argument: string, context: VerbContext): Promise<VerbReply> {
  const path = resolvePath(state, argument === '' ? '/' : argument)
  const entry = await filesFor(state, context).stat(path, context.client)
  if (entry?.kind !== 'folder') return reply(550, `${path}: ${entry ? 'Not a folder' : 'No such folder'}`)
  return reply(250, `Now in ${quotePath(path)}`, { folder: path })
}

export const cwd = forLoggedIn(change)

export const cdup = forLoggedIn((state, _argument, context) => change(state, '..', context))

export const pwd = forLoggedIn(({ folder }) => reply(257, `${quotePath(folder)} is the current folder`))
