// SITE: RFC 959 section 4.1.3. PUBLISH is our own.

import { below } from '../../../files/path.ts'
import type { SessionState } from '../session/state.ts'
import { resolvePath } from './namespace.ts'
import { forAdministrators, reply, replyLines, type VerbContext, type VerbReply } from './verb.ts'

export const site = forAdministrators((state, argument, context) => {
  const [, command = '', rest = ''] = /^(\S+)(?: (.*))?$/s.exec(argument) ?? []
  switch (command.toUpperCase()) {
    case 'PUBLISH':
      return publish(state, rest, context)
    case 'CHMOD': // lftp's mirror sends it for every file
      return reply(200, 'Permissions are the same for all')
    case 'HELP':
      return reply(214, 'SITE PUBLISH [path]: verify what was uploaded there, and publish it')
    default:
      return reply(504, 'Only SITE PUBLISH and SITE HELP')
  }
})

async function publish(state: SessionState, argument: string, { uploads }: VerbContext): Promise<VerbReply> {
  const path = resolvePath(state, argument === '' ? '.' : argument)
  const inside = uploads && below(uploads.root, path)
  if (!uploads || inside === undefined)
    return reply(550, `${path}: Not in the upload area ${uploads?.root ?? ''}`)
  const { outcome, lines } = await uploads.publish(inside)
  return outcome === 'published'
    ? replyLines(250, `Publishing ${path}`, lines, 'Published')
    : replyLines(550, `${path} is not published`, lines, 'Correct this, then SITE PUBLISH again')
}
