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

/** The most paths in each cache: computing an identity takes some microseconds. */
const maxCachedPaths = 32_768

/**
 * Converts paths to file handles and back. A handle belongs to a path, not to an inode. So a mounted client
 * sees a tree that is replaced, and files inside ISO images and generated files have handles, too.
 */
export class Handles {
  readonly #secret: Buffer
  readonly #table: PathTable
  readonly #identities = lru<string, Identity>(maxCachedPaths)
  readonly #paths = lru<string, CleanPath>(maxCachedPaths)
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

  fileid(path: CleanPath): bigint {
    return this.#identity(path).fileid
  }

  /** @throws Failure `unavailable` when no more long paths can be kept. */
  handle(path: CleanPath): Buffer {
    const { handle } = this.#identity(path)
    // A handle without its path works only if the table has the path.
    if (handle.length === 1 + digestBytes) this.#table.add(handle.subarray(1), path)
    return handle
  }

  /**
   * The path of a handle.
   *
   * @throws NfsFailure BADHANDLE for bytes that cannot be a handle, STALE for a handle that we did not make.
   */
  path(bytes: Buffer): CleanPath {
    const key = bytes.toString('latin1')
    const cached = this.#paths.get(key)
    if (cached !== undefined) return cached
    const handle = decodeHandle(bytes)
    if (!handle) throw new NfsFailure(nfsStatus.badHandle)
    const path = handle.type === 'path' ? handle.path : this.#table.find(handle.digest)
    if (path === undefined) throw new NfsFailure(nfsStatus.stale)
    const expected = this.#digest(path).subarray(0, digestBytes)
    if (!timingSafeEqual(expected, handle.digest)) throw new NfsFailure(nfsStatus.stale)
    const clean = cleanPath(path)
    this.#paths.set(key, clean)
    return clean
  }

  #identity(path: CleanPath): Identity {
    const cached = this.#identities.get(path)
    if (cached) return cached
    const hmac = this.#digest(path)
    const digest = hmac.subarray(0, digestBytes)
    const inline = Buffer.byteLength(path) <= maxInlinePath
    const handle = encodeHandle(inline ? { type: 'path', digest, path } : { type: 'table', digest })
    const identity = { handle, fileid: hmac.readBigUInt64BE(digestBytes) || 1n }
    this.#identities.set(path, identity)
    return identity
  }

  /** SHA-256 with our key: half of it goes into the handle, a quarter is the fileid. */
  #digest(path: string): Buffer {
    return createHmac('sha256', this.#secret).update(path).digest()
  }
}
