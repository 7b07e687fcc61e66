/**
 * XDR and ONC RPC for the NFS client of the tests, written from RFC 4506 and RFC 5531. They share no code with the
 * server. Tests can also send arbitrary bytes with them.
 */
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'

export const nfs = 100003
export const mountd = 100005
export const portmapper = 100000

export interface Attributes {
  readonly type: number
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly used: number
  readonly fsid: bigint
  readonly fileid: bigint
  readonly atime: readonly [number, number]
  readonly mtime: readonly [number, number]
  readonly ctime: readonly [number, number]
}

/**
 * A call that the server did not carry out: its `accept_stat`, or the words of its denial (RFC 5531 section
 * 9).
 */
export class RpcError extends Error {
  readonly words: readonly number[]

  constructor(kind: 'accepted' | 'denied', words: readonly number[]) {
    super(`${kind} ${words.join(' ')}`)
    this.words = words
  }
}

/** XDR: `word` is an unsigned integer of 4 bytes, `long` one of 8. */
export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
export const long = (value: bigint | number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}
export const opaque = (value: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(value as Uint8Array)
  return Buffer.concat([word(bytes.length), bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}

/** Reads XDR from the front. */
export class Cursor {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  word(): number {
    this.at += 4
    return this.bytes.readUInt32BE(this.at - 4)
  }

  long(): bigint {
    this.at += 8
    return this.bytes.readBigUInt64BE(this.at - 8)
  }

  opaque(): Buffer {
    const length = this.word()
    const start = this.at
    if (start + length > this.bytes.length) throw new Error('opaque data is cut short')
    this.at += length + ((4 - (length % 4)) % 4)
    return this.bytes.subarray(start, start + length)
  }

  attributes(): Attributes {
    const [type, mode, nlink, uid, gid] = [this.word(), this.word(), this.word(), this.word(), this.word()]
    const [size, used] = [Number(this.long()), Number(this.long())]
    this.long() // rdev
    const [fsid, fileid] = [this.long(), this.long()]
    const time = (): readonly [number, number] => [this.word(), this.word()]
    return {
      type,
      mode,
      nlink,
      uid,
      gid,
      size,
      used,
      fsid,
      fileid,
      atime: time(),
      mtime: time(),
      ctime: time(),
    }
  }

  postOp(): Attributes | undefined {
    return this.word() === 1 ? this.attributes() : undefined
  }

  get rest(): Buffer {
    return this.bytes.subarray(this.at)
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new Error(`${this.bytes.length - this.at} bytes too many`)
  }
}

let lastXid = 1

export interface CallOptions {
  readonly flavor?: number
  readonly credential?: Buffer
  readonly rpcVersion?: number
}

/** The numbers that name a procedure, RFC 5531 section 8.1. */
export type Procedure = readonly [program: number, version: number, procedure: number]

/** A call message without a record mark. */
export function callMessage(
  procedure: Procedure,
  args: Buffer,
  options: CallOptions = {},
): { readonly xid: number; readonly message: Buffer } {
  const xid = lastXid++
  const head = [xid, 0, options.rpcVersion ?? 2, ...procedure, options.flavor ?? 0].map(word)
  const auth = [opaque(options.credential ?? Buffer.alloc(0)), word(0), word(0)] // and an empty verifier
  return { xid, message: Buffer.concat([...head, ...auth, args]) }
}

function resultsOf(reply: Buffer): Cursor {
  const cursor = new Cursor(reply)
  cursor.word() // xid
  if (cursor.word() !== 1) throw new Error('not a reply')
  const words = (): number[] => Array.from({ length: (reply.length - cursor.at) / 4 }, () => cursor.word())
  if (cursor.word() !== 0) throw new RpcError('denied', words())
  cursor.word() // the verifier
  cursor.opaque()
  const status = cursor.word()
  if (status !== 0) throw new RpcError('accepted', [status, ...words()])
  return cursor
}

/** Sends one call and returns its reply. */
export interface Wire {
  call(procedure: Procedure, args?: Buffer, options?: CallOptions): Promise<Cursor>
  close(): void
}

export class TcpWire implements Wire {
  readonly socket: Socket
  readonly #waiting = new Map<number, { resolve(reply: Buffer): void; reject(error: Error): void }>()
  /** Chunks of a reply that is not complete yet. */
  #held: Buffer[] = []
  #heldBytes = 0
  /** Bytes to wait for: a length, or a whole reply behind its length. */
  #needed = 4

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the connection was closed'))
      this.#waiting.clear()
    })
  }

  static open(port: number, host = '127.0.0.1'): Promise<TcpWire> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host, () => resolve(new TcpWire(socket)))
      socket.once('error', reject)
    })
  }

  /** Sends the message in one fragment, or in fragments of `fragmentBytes`. Resolves to the reply. */
  async send(
    { xid, message }: { xid: number; message: Buffer },
    { fragmentBytes = message.length }: { readonly fragmentBytes?: number } = {},
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the connection was closed'))
      this.#waiting.set(xid, { resolve, reject })
      for (let at = 0; at < message.length; at += fragmentBytes) {
        const part = message.subarray(at, at + fragmentBytes)
        const last = at + fragmentBytes >= message.length
        this.socket.write(Buffer.concat([word((part.length | (last ? 0x8000_0000 : 0)) >>> 0), part]))
      }
    })
  }

  async call(procedure: Procedure, args: Buffer = Buffer.alloc(0), options?: CallOptions): Promise<Cursor> {
    return resultsOf(await this.send(callMessage(procedure, args, options)))
  }

  close(): void {
    this.socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes < this.#needed) return
    let held = Buffer.concat(this.#held)
    this.#needed = 4
    while (held.length >= 4) {
      const length = held.readUInt32BE(0) & 0x7fff_ffff
      this.#needed = 4 + length
      if (held.length < this.#needed) break
      const reply = held.subarray(4, this.#needed)
      held = held.subarray(this.#needed)
      this.#needed = 4
      this.#waiting.get(reply.readUInt32BE(0))?.resolve(reply)
      this.#waiting.delete(reply.readUInt32BE(0))
    }
    this.#held = [held]
    this.#heldBytes = held.length
  }
}

/** One datagram each way. The call is sent again every second until a reply comes. */
export class UdpWire implements Wire {
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  async call(procedure: Procedure, args: Buffer = Buffer.alloc(0), options?: CallOptions): Promise<Cursor> {
    const { message } = callMessage(procedure, args, options)
    const socket = createSocket('udp4')
    const again = setInterval(() => socket.send(message, this.#port, '127.0.0.1'), 1000)
    try {
      return await new Promise<Cursor>((resolve, reject) => {
        socket.on('error', reject)
        socket.on('message', (reply) => {
          try {
            resolve(resultsOf(reply))
          } catch (error) {
            reject(error)
          }
        })
        socket.send(message, this.#port, '127.0.0.1')
      })
    } finally {
      clearInterval(again)
      socket.close()
    }
  }

  /** Sends a datagram and waits for nothing. */
  toss(message: Buffer): Promise<void> {
    const socket = createSocket('udp4')
    return new Promise((resolve) => {
      socket.send(message, this.#port, '127.0.0.1', () => socket.close(() => resolve()))
    })
  }

  close(): void {}
}
