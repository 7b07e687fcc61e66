// STOR, APPE, MKD, RMD, DELE, RNFR, RNTO: RFC 959 section 4.1.3. MFMT: draft-somers-ftp-mfxx-04 section 3.

import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../../../core/failure.ts'
import { below, type CleanPath } from '../../../files/path.ts'
import { parseTime } from '../listing.ts'
import { quotePath, uploadFailureReply } from '../reply.ts'
import type { Session } from '../session.ts'
import { carry } from '../transfer.ts'
import type { UploadArea, UploadFile, WriteFrom } from '../upload-area.ts'
import { forAdministrators } from './verb.ts'

/** A path inside the upload area, or the Failure that says there is no writing elsewhere. */
function target(
  session: Session,
  argument: string,
): { area: UploadArea; inside: CleanPath; path: CleanPath } {
  const { uploads: area } = session.means
  const path = session.path(argument)
  const inside = area && below(area.root, path)
  if (!area || inside === undefined)
    throw new Failure('read-only', `only ${area?.root ?? 'nothing'} can be written to`)
  if (argument === '' || inside === '/') throw new Failure('bad-request', 'a name is needed')
  return { area, inside, path }
}

async function attempt(session: Session, write: () => Promise<[code: number, text: string]>): Promise<void> {
  try {
    session.reply(...(await write()))
  } catch (error) {
    session.send(uploadFailureReply(error))
  }
}

async function receive(session: Session, argument: string, from: WriteFrom): Promise<void> {
  const announcedBytes = session.announcedBytes ?? 0
  session.restartAt = 0
  session.announcedBytes = undefined
  let file: UploadFile
  let path: CleanPath
  try {
    const to = target(session, argument)
    path = to.path
    file = await to.area.openForWriting(to.inside, from)
  } catch (error) {
    return session.send(uploadFailureReply(error))
  }
  let whole = false
  let position = from === 'end' ? 0 : from
  try {
    await carry(session, `Receiving ${path}`, async (socket, moved) => {
      try {
        for await (const chunk of socket as AsyncIterable<Uint8Array>) {
          await file.write(chunk)
          moved(chunk.length)
          position += chunk.length
        }
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && isBroken(error.code))) throw error
        return false
      }
      const isEnd = session.transfer !== undefined && socket.readableEnded
      whole = isEnd && position >= announcedBytes && !(await isForsaken(session, file))
      // Before 226: whoever asks for the SIZE next, or publishes, must find all of it.
      if (whole) await file.close('complete')
      return whole
    })
  } finally {
    if (!whole) await file.close('partial')
  }
}

/** How much later than the data connection the control connection of a killed client may be seen to end. */
const lastBreathMs = 5

/**
 * In stream mode the end of the data is the end of the file (RFC 959 section 3.4.1), and a client that is killed ends its
 * data connection just like that. But it ends all its connections in the same breath, in any order: while the bytes go to
 * the disk, the control connection is watched for a moment. Few clients tell the length before, by ALLO.
 */
async function isForsaken(session: Session, file: UploadFile): Promise<boolean> {
  await Promise.all([file.sync(), delay(lastBreathMs)])
  return session.isForsaken
}

/** What Node says of a connection that did not end with the client's FIN. */
function isBroken(code: unknown): boolean {
  return (
    code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT'
  )
}

/** After REST the bytes before that offset stay as they are (RFC 3659 section 5.3): an upload that broke off is resumed. */
export const stor = forAdministrators((session, argument) => receive(session, argument, session.restartAt))

export const appe = forAdministrators((session, argument) =>
  receive(session, argument, session.restartAt > 0 ? session.restartAt : 'end'),
)

export const mkd = forAdministrators((session, argument) =>
  attempt(session, async () => {
    const { area, inside, path } = target(session, argument)
    await area.makeFolder(inside)
    return [257, `${quotePath(path)} created`]
  }),
)

export const rmd = forAdministrators((session, argument) =>
  attempt(session, async () => {
    const { area, inside } = target(session, argument)
    await area.removeFolder(inside)
    return [250, 'Folder removed']
  }),
)

export const dele = forAdministrators((session, argument) =>
  attempt(session, async () => {
    const { area, inside } = target(session, argument)
    await area.removeFile(inside)
    return [250, 'File removed']
  }),
)

export const rnfr = forAdministrators((session, argument) =>
  attempt(session, async () => {
    session.renameFrom = undefined
    const { inside, path } = target(session, argument)
    if (!(await session.stat(path))) throw new Failure('not-found', `${path}: No such file or folder`)
    session.renameFrom = inside
    return [350, 'RNTO with the new name next']
  }),
)

export const rnto = forAdministrators((session, argument) =>
  attempt(session, async () => {
    const from = session.renameFrom
    session.renameFrom = undefined
    if (from === undefined) return [503, 'RNFR first']
    const { area, inside } = target(session, argument)
    await area.rename(from, inside)
    return [250, 'Renamed']
  }),
)

/** lftp's mirror sets times with it, so that the next run knows what is the same. */
export const mfmt = forAdministrators((session, argument) =>
  attempt(session, async () => {
    const [, stamp = '', name = ''] = /^(\S+) (.+)$/s.exec(argument) ?? []
    const modifiedMs = parseTime(stamp)
    if (modifiedMs === undefined) return [501, 'MFMT takes YYYYMMDDHHMMSS and a name']
    const { area, inside, path } = target(session, name)
    await area.setModified(inside, modifiedMs)
    return [213, `Modify=${stamp}; ${path}`]
  }),
)
