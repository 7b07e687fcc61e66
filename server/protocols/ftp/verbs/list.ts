// LIST, NLST: RFC 959 section 4.1.3.

import type { Socket } from 'node:net'
import type { CleanPath } from '../../../files/path.ts'
import type { Entry } from '../../../files/source.ts'
import { type Access, listingPieces, listLine, matchesPattern, parseListArgument } from '../data/listing.ts'
import type { SessionState } from '../session/state.ts'
import { accessTo, filesFor, resolvePath } from './namespace.ts'
import { forLoggedIn, isReply, reply, type Transfer, type VerbContext, type VerbReply } from './verb.ts'

export const list = forLoggedIn(async (state, argument, context) => {
  const listing = await findListing(state, argument, context)
  if (isReply(listing)) return listing
  const nowMs = Date.now()
  return listingTransfer(context, listing, (entry) => listLine(entry, listing.access, nowMs))
})

/**
 * Lists names as RETR takes them from the current folder: with the folder in front when the client named a
 * folder.
 */
export const nlst = forLoggedIn(async (state, argument, context) => {
  const listing = await findListing(state, argument, context)
  if (isReply(listing)) return listing
  return listingTransfer(context, listing, (entry) => listing.prefix + entry.name)
})

/** What LIST, NLST or STAT show, before it becomes lines. */
export interface Listing {
  readonly path: CleanPath
  readonly entries: readonly Entry[]
  /** What NLST puts before each name. */
  readonly prefix: string
  readonly access: Access
}

/**
 * Finds what LIST, NLST and STAT show: the entries of a folder, its entries that match a pattern, or one
 * file. Returns the reply 550 when there is nothing to show.
 */
export async function findListing(
  state: SessionState,
  argument: string,
  context: VerbContext,
): Promise<Listing | VerbReply> {
  const { path: requested, pattern } = parseListArgument(argument)
  const path = resolvePath(state, requested)
  const access = accessTo(path, state, context)
  const files = filesFor(state, context)
  const entries = await files.list(path, context.client)
  if (pattern !== undefined) {
    const wanted = entries?.filter(({ name }) => matchesPattern(name, pattern)) ?? []
    if (wanted.length === 0) return reply(550, `${pattern}: No such file or folder`)
    return { path, entries: wanted, prefix: folderPrefix(requested), access }
  }
  if (entries) return { path, entries, prefix: folderPrefix(requested), access }
  const entry = await files.stat(path, context.client)
  if (!entry) return reply(550, `${path}: No such file or folder`)
  return { path, entries: [entry], prefix: requested.slice(0, requested.lastIndexOf('/') + 1), access }
}

function folderPrefix(requested: string): string {
  if (requested === '' || requested === '.') return ''
  return requested.endsWith('/') ? requested : `${requested}/`
}

/** The lines of a listing over the data connection. Returns the reply 450 while the client has too many listings. */
export function listingTransfer(
  { client, listings }: VerbContext,
  { path, entries }: Pick<Listing, 'path' | 'entries'>,
  lineOf: (entry: Entry) => string,
): Transfer | VerbReply {
  const release = listings.hold(client.address, entries)
  if (!release) return reply(450, 'Too many names are being listed to your address; try again later')
  return {
    end: release,
    title: `Listing ${path}`,
    set: { restartAt: 0 }, // REST counts for the next transfer, and this is one
    async move({ socket, moved }) {
      for (const piece of listingPieces(entries, lineOf)) {
        if (socket.destroyed) return false
        if (await write(socket, piece)) moved(piece.length)
      }
      return !socket.destroyed
    },
  }
}

/** Resolves to whether the piece went out; false when the connection broke. */
function write(socket: Socket, piece: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const broken = (): void => resolve(false)
    socket.once('close', broken)
    socket.write(piece, (error) => {
      socket.off('close', broken)
      resolve(!error)
    })
  })
}
