import { requestLimits } from '../../core/limits/requests.ts'
import type { Requester } from '../../core/net/requester.ts'
import { linkItself } from '../../files/entry.ts'
import { type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { attributesOf, type FileAttributes } from './attributes.ts'
import { maxHandleBytes } from './handle.ts'
import type { Handles, Place } from './handles.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import type { XdrReader } from './xdr.ts'

/** What a handle or a path leads to, as this client sees it now: a file, a folder or a symlink. */
export interface Found extends Place {
  readonly entry: Entry
  readonly attributes: FileAttributes
}

/** The longest name, in bytes, as PATHCONF says. RFC 1813 sets no limit for `filename3`. */
export const maxNameBytes = requestLimits.nfsName.bytes
/** A name of more bytes is GARBAGE_ARGS instead of NAMETOOLONG. */
const maxNameRead = 4096

/** The name argument of a call; `impossible` when no file can have such a name. */
export type NameArgument =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'too-long' | 'impossible' }

export function readHandle(args: XdrReader): Buffer {
  return args.opaque(maxHandleBytes)
}

/** Reads a name. A name that is not UTF-8 is well-formed XDR, but no file has it: decoding it gives U+FFFD. */
export function readName(args: XdrReader): NameArgument {
  const bytes = args.opaque(maxNameRead)
  if (bytes.length > maxNameBytes) return { type: 'too-long' }
  const name = bytes.toString('utf8')
  if (bytes.length === 0 || name.includes('/') || name.includes('\0') || name.includes('\ufffd'))
    return { type: 'impossible' }
  return { type: 'name', name }
}

/** Looks up entries by file handle or by path, each time in the namespace as it is then. */
export class NfsNamespace {
  readonly handles: Handles
  readonly #source: () => FileSource

  constructor(handles: Handles, source: () => FileSource) {
    this.handles = handles
    this.#source = source
  }

  /** @throws NfsFailure STALE when the path of the handle does not exist any more, or its symlink is none. */
  async find(handle: Buffer, who: Requester): Promise<Found> {
    const place = this.handles.place(handle)
    const entry = await this.#source().stat(place.path, who)
    if (!entry || (place.isLink && entry.target === undefined)) throw new NfsFailure(nfsStatus.stale)
    return this.#found(place, entry)
  }

  async findFolder(handle: Buffer, who: Requester): Promise<Found> {
    const found = await this.find(handle, who)
    if (found.entry.kind !== 'folder') throw new NfsFailure(nfsStatus.notDirectory, found.attributes)
    return found
  }

  /** What is at a path, with symlinks followed. */
  async findPath(path: CleanPath, who: Requester): Promise<Found | undefined> {
    const entry = await this.#source().stat(path, who)
    return entry && this.#found({ path, isLink: false }, entry)
  }

  /** What is at a path; when that is a symlink, the link itself. */
  async findName(path: CleanPath, who: Requester): Promise<Found | undefined> {
    const entry = await this.#source().stat(path, who)
    return entry && this.#found(placeOf(path, entry), entry)
  }

  list(path: CleanPath, who: Requester): Promise<readonly Entry[] | undefined> {
    return this.#source().list(path, who)
  }

  attributes(place: Place, entry: Entry): FileAttributes {
    const shown = place.isLink ? linkItself(entry) : entry
    return attributesOf(shown, this.handles.fsid, this.handles.fileid(place))
  }

  #found(place: Place, entry: Entry): Found {
    const attributes = this.attributes(place, entry)
    return { ...place, entry: place.isLink ? linkItself(entry) : entry, attributes }
  }
}

/** What a listing or a LOOKUP shows at a path: the client follows symlinks, with READLINK. */
export function placeOf(path: CleanPath, { target }: Entry): Place {
  return { path, isLink: target !== undefined }
}

/**
 * The path of `name` in `folder`; undefined when no file can have that name. `..` of the root is the root.
 */
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
