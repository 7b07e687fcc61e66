import type { Requester } from '../../core/net/requester.ts'
import { type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { attributesOf, type FileAttributes } from './attributes.ts'
import { maxHandleBytes } from './handle.ts'
import type { Handles } from './handles.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import type { XdrReader } from './xdr.ts'

/** What a handle leads to, now and for this client. */
export interface Found {
  readonly path: CleanPath
  readonly entry: Entry
  readonly attributes: FileAttributes
}

/** `filename3` has no limit in RFC 1813; PATHCONF says this one, in bytes. */
export const maxNameBytes = 255
/** What we read of a name before we say that it is too long. */
const maxNameRead = 4096

/** A name that a client asks for in a folder: undefined when no file can be called so. */
export type AskedName =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'too-long' | 'none' }

export function readHandle(args: XdrReader): Buffer {
  return args.opaque(maxHandleBytes)
}

/** A name that is no UTF-8 is well-formed XDR, and the name of nothing. */
export function readName(args: XdrReader): AskedName {
  const bytes = args.opaque(maxNameRead)
  if (bytes.length > maxNameBytes) return { type: 'too-long' }
  const name = bytes.toString('utf8')
  if (bytes.length === 0 || name.includes('/') || name.includes('\0') || name.includes('\ufffd'))
    return { type: 'none' }
  return { type: 'name', name }
}

/** The namespace by handle: one look at the source per request. */
export class Shelf {
  readonly handles: Handles
  readonly #source: () => FileSource

  constructor(handles: Handles, source: () => FileSource) {
    this.handles = handles
    this.#source = source
  }

  /** @throws NfsFailure STALE when there is nothing any more. */
  async find(handle: Buffer, who: Requester): Promise<Found> {
    const path = this.handles.path(handle)
    const found = await this.at(path, who)
    if (!found) throw new NfsFailure(nfsStatus.stale)
    return found
  }

  async findFolder(handle: Buffer, who: Requester): Promise<Found> {
    const found = await this.find(handle, who)
    if (found.entry.kind !== 'folder') throw new NfsFailure(nfsStatus.notDirectory, found.attributes)
    return found
  }

  async at(path: CleanPath, who: Requester): Promise<Found | undefined> {
    const entry = await this.#source().stat(path, who)
    return entry && { path, entry, attributes: this.attributes(path, entry) }
  }

  list(path: CleanPath, who: Requester): Promise<readonly Entry[] | undefined> {
    return this.#source().list(path, who)
  }

  attributes(path: CleanPath, entry: Entry): FileAttributes {
    return attributesOf(entry, this.handles.fsid, this.handles.fileid(path))
  }
}

/** The path of `name` in `folder`; undefined when it can be the name of nothing. `..` of the root is the root. */
export function pathInFolder(folder: CleanPath, name: string): CleanPath | undefined {
  if (name === '.') return folder
  if (name === '..') return parentPath(folder)
  try {
    const path = joinPath(folder, name)
    return path === folder ? undefined : path
  } catch {
    return undefined
  }
}
