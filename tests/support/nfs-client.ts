/**
 * A small NFSv3 client, written from RFC 1813 and RFC 5531. It shares no code with the server, so that both
 * agree only where they follow the standards.
 */
import { type Attributes, type Cursor, long, mountd, nfs, opaque, type Wire, word } from './nfs-wire.ts'

export interface DirEntry {
  readonly name: string
  readonly fileid: bigint
  readonly cookie: bigint
  readonly attributes?: Attributes | undefined
  readonly handle?: Buffer | undefined
}

export interface DirPage {
  readonly entries: readonly DirEntry[]
  readonly eof: boolean
  readonly verifier: bigint
  /** Bytes of the READDIR3resok or READDIRPLUS3resok. */
  readonly bytes: number
}

/** A status of NFS or MOUNT that is not 0; `left` has the bytes behind it. */
export class NfsError extends Error {
  readonly status: number
  readonly left: Buffer

  constructor(status: number, left: Buffer) {
    super(`status ${status}`)
    this.status = status
    this.left = left
  }
}

/** The procedures of NFS by name, over TCP or UDP. */
export class NfsClient {
  readonly wire: Wire

  constructor(wire: Wire) {
    this.wire = wire
  }

  async #do(procedure: number, ...args: readonly Buffer[]): Promise<Cursor> {
    const cursor = await this.wire.call([nfs, 3, procedure], Buffer.concat(args))
    const status = cursor.word()
    if (status !== 0) throw new NfsError(status, cursor.rest)
    return cursor
  }

  async mount(path: string): Promise<Buffer> {
    const cursor = await this.wire.call([mountd, 3, 1], opaque(path))
    const status = cursor.word()
    if (status !== 0) throw new NfsError(status, cursor.rest)
    return Buffer.from(cursor.opaque())
  }

  async getattr(handle: Buffer): Promise<Attributes> {
    const cursor = await this.#do(1, opaque(handle))
    const attributes = cursor.attributes()
    cursor.end()
    return attributes
  }

  async lookup(
    folder: Buffer,
    name: string | Buffer,
  ): Promise<{ handle: Buffer; attributes: Attributes | undefined }> {
    const cursor = await this.#do(3, opaque(folder), opaque(name))
    const handle = Buffer.from(cursor.opaque())
    const attributes = cursor.postOp()
    cursor.postOp() // of the folder
    cursor.end()
    return { handle, attributes }
  }

  /** The handle of a path below `/`, one name at a time. */
  async walk(path: string): Promise<Buffer> {
    let handle = await this.mount('/')
    for (const name of path.split('/').filter((part) => part !== ''))
      handle = (await this.lookup(handle, name)).handle
    return handle
  }

  async access(handle: Buffer, wanted: number): Promise<number> {
    const cursor = await this.#do(4, opaque(handle), word(wanted))
    cursor.postOp()
    return cursor.word()
  }

  async readlink(handle: Buffer): Promise<string> {
    const cursor = await this.#do(5, opaque(handle))
    cursor.postOp()
    return cursor.opaque().toString()
  }

  async read(
    handle: Buffer,
    offset: bigint | number,
    count: number,
  ): Promise<{ bytes: Buffer; eof: boolean; attributes: Attributes | undefined }> {
    const cursor = await this.#do(6, opaque(handle), long(offset), word(count))
    const attributes = cursor.postOp()
    const length = cursor.word()
    const eof = cursor.word() === 1
    const bytes = Buffer.from(cursor.opaque())
    if (bytes.length !== length) throw new Error(`count ${length}, but ${bytes.length} bytes`)
    cursor.end()
    return { bytes, eof, attributes }
  }

  async readAll(handle: Buffer, count = 64 * 1024): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let offset = 0; ; ) {
      const { bytes, eof } = await this.read(handle, offset, count)
      parts.push(bytes)
      offset += bytes.length
      if (eof) return Buffer.concat(parts)
      if (bytes.length === 0) throw new Error('no bytes and no end')
    }
  }

  /** One page. Cookie 0 and verifier 0 ask for the first, those of a reply for the one after it. */
  async readdir(folder: Buffer, cookie: bigint, verifier: bigint, count: number): Promise<DirPage> {
    const cursor = await this.#do(16, opaque(folder), long(cookie), long(verifier), word(count))
    return page(cursor, 'READDIR')
  }

  /** As `readdir`. `dirCount` limits the bytes of names and cookies, `maxCount` those of the whole page. */
  async readdirplus(
    folder: Buffer,
    cookie: bigint,
    verifier: bigint,
    { dirCount, maxCount }: { readonly dirCount: number; readonly maxCount: number },
  ): Promise<DirPage> {
    const args = [opaque(folder), long(cookie), long(verifier), word(dirCount), word(maxCount)]
    return page(await this.#do(17, ...args), 'READDIRPLUS')
  }

  /** The status and the bytes behind it, for procedures that have no method here. */
  async raw(procedure: number, ...args: readonly Buffer[]): Promise<{ status: number; left: Buffer }> {
    const cursor = await this.wire.call([nfs, 3, procedure], Buffer.concat(args))
    return { status: cursor.word(), left: cursor.rest }
  }
}

function page(cursor: Cursor, procedure: 'READDIR' | 'READDIRPLUS'): DirPage {
  const start = cursor.at
  cursor.postOp()
  const verifier = cursor.long()
  const entries: DirEntry[] = []
  while (cursor.word() === 1) {
    const fileid = cursor.long()
    const name = cursor.opaque().toString()
    const cookie = cursor.long()
    if (procedure === 'READDIR') entries.push({ name, fileid, cookie })
    else {
      const attributes = cursor.postOp()
      const handle = cursor.word() === 1 ? Buffer.from(cursor.opaque()) : undefined
      entries.push({ name, fileid, cookie, attributes, handle })
    }
  }
  const eof = cursor.word() === 1
  cursor.end()
  return { entries, eof, verifier, bytes: cursor.at - start }
}
