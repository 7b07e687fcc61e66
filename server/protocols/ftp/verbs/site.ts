// SITE: RFC 959 section 4.1.3. PUBLISH is ours.

import { below } from '../../../files/path.ts'
import { uploadFailureReply } from '../reply.ts'
import type { Session } from '../session.ts'
import { forAdministrators } from './verb.ts'

export const site = forAdministrators(async (session, argument) => {
  const [, what = '', rest = ''] = /^(\S+)(?: (.*))?$/s.exec(argument) ?? []
  switch (what.toUpperCase()) {
    case 'PUBLISH':
      return publish(session, rest)
    case 'CHMOD': // lftp's mirror sends it for every file
      return session.reply(200, 'Permissions are the same for all')
    case 'HELP':
      return session.reply(214, 'SITE PUBLISH [path]: verify what was uploaded there, and publish it')
    default:
      return session.reply(504, 'Only SITE PUBLISH and SITE HELP')
  }
})

async function publish(session: Session, argument: string): Promise<void> {
  const { uploads } = session.means
  const path = session.path(argument === '' ? '.' : argument)
  const inside = uploads && below(uploads.root, path)
  if (!uploads || inside === undefined)
    return session.reply(550, `${path}: Not in the upload area ${uploads?.root ?? ''}`)
  try {
    const { outcome, lines } = await uploads.publish(inside)
    if (outcome === 'published') return session.replyLines(250, `Publishing ${path}`, lines, 'Published')
    session.replyLines(550, `${path} is not published`, lines, 'Correct this, then SITE PUBLISH again')
  } catch (error) {
    session.send(uploadFailureReply(error))
  }
}
