/**
 * The namespace as one session sees it: with relative paths, and for administrators with the upload area.
 */

import { Failure } from '../../../core/failure.ts'
import { renameEntry } from '../../../files/entry.ts'
import { baseName, below, type CleanPath, cleanPath, parentPath } from '../../../files/path.ts'
import type { Entry, FileSource } from '../../../files/source.ts'
import type { UploadArea } from '../../../files/upload-area.ts'
import type { Access } from '../data/listing.ts'
import type { SessionState } from '../session/state.ts'
import { type FtpContext, reply, type VerbContext, type VerbReply } from './verb.ts'

/** The path that a client means, from its current folder. */
export function resolvePath({ folder }: SessionState, argument: string): CleanPath {
  return cleanPath(argument.startsWith('/') ? argument : `${folder}/${argument}`)
}

/** The namespace for one command. A verb calls this once, so that its whole reply shows the same moment. */
export function filesFor(state: SessionState, { source, uploads }: FtpContext): FileSource {
  return uploads && state.login === 'administrator' ? withUploads(source(), uploads) : source()
}

/**
 * The entry that an argument names, or the reply 550. Opens no file and emits no event.
 */
export async function findEntry(
  state: SessionState,
  argument: string,
  context: VerbContext,
): Promise<Entry | VerbReply> {
  const path = resolvePath(state, argument)
  const entry = await filesFor(state, context).stat(path, context.client)
  return entry ?? reply(550, `${path}: No such file or folder`)
}

/** What this client may do below a path. */
export function accessTo(path: CleanPath, { login }: SessionState, { uploads }: FtpContext): Access {
  const isInUploads = uploads !== undefined && below(uploads.root, path) !== undefined
  return isInUploads && login === 'administrator' ? 'write' : 'read'
}

export interface UploadTarget {
  readonly area: UploadArea
  /** The path inside the area. */
  readonly inside: CleanPath
  /** The path in the namespace. */
  readonly path: CleanPath
}

/**
 * Where the file or folder of a command is in the upload area.
 *
 * @throws Failure `read-only` outside the upload area, `bad-request` for the area itself.
 */
export function uploadTarget(
  state: SessionState,
  argument: string,
  { uploads: area }: FtpContext,
): UploadTarget {
  const path = resolvePath(state, argument)
  const inside = area && below(area.root, path)
  if (!area || inside === undefined)
    throw new Failure('read-only', `${path}: only ${area?.root ?? 'an upload area'} can be written to`)
  if (argument === '' || inside === '/') throw new Failure('bad-request', 'a name is needed')
  return { area, inside, path }
}

function withUploads(source: FileSource, area: UploadArea): FileSource {
  const name = baseName(area.root)
  return {
    async stat(path, who) {
      const inside = below(area.root, path)
      if (inside === undefined) return source.stat(path, who)
      const entry = await area.files.stat(inside, who)
      return entry && inside === '/' ? renameEntry(entry, name) : entry
    },
    async list(path, who) {
      const inside = below(area.root, path)
      if (inside !== undefined) return area.files.list(inside, who)
      const entries = await source.list(path, who)
      if (!entries || path !== parentPath(area.root)) return entries
      const root = await this.stat(area.root, who)
      return root ? [...entries.filter((entry) => entry.name !== name), root] : entries
    },
  }
}
