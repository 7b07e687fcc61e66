import { createHmac, timingSafeEqual } from 'node:crypto'
import { type CleanPath, cleanPath } from '../../files/path.ts'
import { lru } from '../../host/lru.ts'
import { decodeHandle, digestBytes, encodeHandle, maxInlinePath } from './handle.ts'
import { PathTable } from './path-table.ts'
import { loadSecret } from './secret.ts'
import { NfsFailure, nfsStatus } from './status.ts'

/** How a path is identified on the wire. */
export interface Identity {
  readonly handle: Buffer
  /** 64 bits, the same after a restart. Never 0: in older C libraries, readdir() skips such an entry as deleted. */
  readonly fileid: bigint
}

/** What a handle means: what is at a path, with symlinks followed, or the symlink at the path itself. */
export interface Place {
  readonly path: CleanPath
  readonly isLink: boolean
}

/** The most paths in each cache: computing an identity takes some microseconds. */
const maxCachedPaths = 32_768

/**
 * Converts paths to file handles and back. A handle belongs to a path, not to an inode. So a mounted client
 * sees a tree that is replaced, and files inside ISO images and generated files have handles, too.
 *
 * A symlink has a handle and a fileid of its own, beside those of its path. So a client that got a handle of a
 * folder keeps a folder, also when the folder becomes a link, or when it mounted a path that is one: Linux would
 * make a file stale whose type changes.
 */
export class Handles {
  readonly #secret: Buffer
  readonly #table: PathTable
  readonly #identities = lru<string, Identity>(maxCachedPaths)
  readonly #places = lru<string, Place>(maxCachedPaths)
  /** The id of our file system. Another server, or this one with another key, has another id. */
  readonly fsid: bigint

  private constructor(secret: Buffer, table: PathTable) {
    this.#secret = secret
    this.#table = table
    this.fsid = this.#digest('fsid').readBigUInt64BE(digestBytes) // no path is `fsid`: paths begin with /
  }

  static async open(dataFolder: string): Promise<Handles> {
    const secret = await loadSecret(dataFolder)
    return new Handles(secret, await PathTable.open(dataFolder))
  }

  close(): Promise<void> {
    return this.#table.close()
  }

  /**
   * Resolves when the table of long paths is on the disk. To be awaited before a handle is sent to a client.
   */
  saved(): Promise<void> {
    return this.#table.saved()
  }

  fileid(place: Place): bigint {
    return this.#identity(place).fileid
  }

  /** @throws Failure `unavailable` when no more long paths can be kept. */
  handle(place: Place): Buffer {
    const { path } = place
    const { handle } = this.#identity(place)
    // A handle without its path works only if the table has the path.
    if (handle.length === 1 + digestBytes) this.#table.add(handle.subarray(1), path)
    return handle
  }

  /**
   * The place of a handle.
   *
   * @throws NfsFailure BADHANDLE for bytes that cannot be a handle, STALE for a handle that we did not make.
   */
  place(bytes: Buffer): Place {
    const key = bytes.toString('latin1')
    const cached = this.#places.get(key)
    if (cached !== undefined) return cached
    const handle = decodeHandle(bytes)
    if (!handle) throw new NfsFailure(nfsStatus.badHandle)
    const path = handle.type === 'path' ? handle.path : this.#table.find(handle.digest)
    if (path === undefined) throw new NfsFailure(nfsStatus.stale)
    const { isLink } = handle
    const expected = this.#digest(nameOf(path, isLink)).subarray(0, digestBytes)
    if (!timingSafeEqual(expected, handle.digest)) throw new NfsFailure(nfsStatus.stale)
    const place = { path: cleanPath(path), isLink }
    this.#places.set(key, place)
    return place
  }

  #identity({ path, isLink }: Place): Identity {
    const name = nameOf(path, isLink)
    const cached = this.#identities.get(name)
    if (cached) return cached
    const hmac = this.#digest(name)
    const digest = hmac.subarray(0, digestBytes)
    const inline = Buffer.byteLength(path) <= maxInlinePath
    const handle = encodeHandle(
      inline ? { type: 'path', digest, isLink, path } : { type: 'table', digest, isLink },
    )
    const identity = { handle, fileid: hmac.readBigUInt64BE(digestBytes) || 1n }
    this.#identities.set(name, identity)
    return identity
  }

  /** SHA-256 with our key: half of it goes into the handle, a quarter is the fileid. */
  #digest(name: string): Buffer {
    return createHmac('sha256', this.#secret).update(name).digest()
  }
}

/** What the digest of a place is made of. No path begins with a letter, so no two places have the same name. */
function nameOf(path: string, isLink: boolean): string {
  return isLink ? `link ${path}` : path
}
