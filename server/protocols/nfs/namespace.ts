import { requestLimits } from '../../core/limits/requests.ts'
import type { Requester } from '../../core/net/requester.ts'
import { type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { attributesOf, type FileAttributes } from './attributes.ts'
import { maxHandleBytes } from './handle.ts'
import type { Handles } from './handles.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import type { XdrReader } from './xdr.ts'

/** The file or folder of a handle, as this client sees it now. */
export interface Found {
  readonly path: CleanPath
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

  /** @throws NfsFailure STALE when the path of the handle does not exist any more. */
  async find(handle: Buffer, who: Requester): Promise<Found> {
    const path = this.handles.path(handle)
    const found = await this.findPath(path, who)
    if (!found) throw new NfsFailure(nfsStatus.stale)
    return found
  }

  async findFolder(handle: Buffer, who: Requester): Promise<Found> {
    const found = await this.find(handle, who)
    if (found.entry.kind !== 'folder') throw new NfsFailure(nfsStatus.notDirectory, found.attributes)
    return found
  }

  async findPath(path: CleanPath, who: Requester): Promise<Found | undefined> {
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
