// LIST, NLST: RFC 959 section 4.1.3. MLSD, MLST: RFC 3659 section 7.

import type { Socket } from 'node:net'
import { below, type CleanPath } from '../../../files/path.ts'
import type { Entry } from '../../../files/source.ts'
import {
  type Access,
  factsLine,
  listingPieces,
  listLine,
  matchesPattern,
  parseListArgument,
} from '../listing.ts'
import type { Session } from '../session.ts'
import { carry, type Work } from '../transfer.ts'
import { forReaders } from './verb.ts'

export const list = forReaders(async (session, argument) => {
  const found = await look(session, argument)
  if (!found) return
  const nowMs = Date.now()
  await sendLines(session, found, (entry) => listLine(entry, found.access, nowMs))
})

/** Names as RETR would take them from here: with the folder in front, when one was asked for. */
export const nlst = forReaders(async (session, argument) => {
  const found = await look(session, argument)
  if (found) await sendLines(session, found, (entry) => found.prefix + entry.name)
})

export const mlsd = forReaders(async (session, argument) => {
  const path = session.path(argument)
  const entry = await session.stat(path)
  if (entry?.kind === 'file') return session.reply(501, `${path}: Not a folder; MLST tells about files`)
  const entries = await session.files().list(path, session.who)
  if (!entries) return session.reply(550, `${path}: No such folder`)
  const access = accessTo(session, path)
  await sendLines(session, { path, entries }, (each) => factsLine(each, each.name, session.facts, access))
})

export const mlst = forReaders(async (session, argument) => {
  const path = session.path(argument)
  const entry = await session.stat(path)
  if (!entry) return session.reply(550, `${path}: No such file or folder`)
  const line = factsLine(entry, path, session.facts, accessTo(session, path))
  session.replyLines(250, 'Facts', [line], 'End')
})

interface Found {
  readonly path: CleanPath
  readonly entries: readonly Entry[]
  readonly prefix: string
  readonly access: Access
}

/** What LIST, NLST and STAT are about; says 550 and gives nothing when that is not there. */
export async function look(session: Session, argument: string): Promise<Found | undefined> {
  const { path: asked, pattern } = parseListArgument(argument)
  const path = session.path(asked)
  const files = session.files()
  const access = accessTo(session, path)
  const entries = await files.list(path, session.who)
  if (entries) {
    const prefix = asked === '' || asked === '.' ? '' : asked.endsWith('/') ? asked : `${asked}/`
    const wanted =
      pattern === undefined ? entries : entries.filter(({ name }) => matchesPattern(name, pattern))
    if (pattern === undefined || wanted.length > 0) return { path, entries: wanted, prefix, access }
  } else if (pattern === undefined) {
    const entry = await files.stat(path, session.who)
    if (entry) return { path, entries: [entry], prefix: asked.slice(0, asked.lastIndexOf('/') + 1), access }
  }
  session.reply(550, `${pattern === undefined ? path : pattern}: No such file or folder`)
  return undefined
}

export function accessTo(session: Session, path: CleanPath): Access {
  const { uploads } = session.means
  const writable = uploads && session.login === 'administrator' && below(uploads.root, path) !== undefined
  return writable ? 'write' : 'read'
}

async function sendLines(
  session: Session,
  { path, entries }: { readonly path: CleanPath; readonly entries: readonly Entry[] },
  lineOf: (entry: Entry) => string,
): Promise<void> {
  session.restartAt = 0
  await carry(session, `Listing ${path}`, (socket, moved) =>
    writePieces(listingPieces(entries, lineOf), socket, moved),
  )
}

async function writePieces(
  pieces: Iterable<Buffer>,
  socket: Socket,
  moved: Parameters<Work>[1],
): Promise<boolean> {
  for (const piece of pieces) {
    if (socket.destroyed) return false
    await new Promise<void>((resolve) => {
      socket.once('close', resolve)
      socket.write(piece, (error) => {
        if (!error) moved(piece.length)
        socket.off('close', resolve)
        resolve()
      })
    })
  }
  return !socket.destroyed
}
