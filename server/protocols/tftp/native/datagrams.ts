import { errno, mmsghdrBytes, type Pinned, type SystemCalls } from './system-calls.ts'

/** Batches of datagrams in the layout that recvmmsg(2) and sendmmsg(2) want. */

/** Datagrams in one call, in either direction. */
const maxDatagrams = 64
/** Room for one received datagram: an ACK has four octets, and more of an ERROR is not worth reading. */
const receiveBytes = 576
/** Room for a `struct sockaddr_in6`, aligned. */
const senderStride = 32
/** `struct iovec`: an address and a length. */
const iovecBytes = 16
const cmsghdrBytes = 16
/** CMSG_SPACE(sizeof(uint16_t)): a `struct cmsghdr`, the size of a segment, and padding. */
const controlBytes = 24
/** In place of the size of a segment: what was added is one datagram. */
export const unsegmented = 0
/** Room for the datagrams of one sending call. */
const sendBytes = 512 * 1024
const SOL_UDP = 17
const UDP_SEGMENT = 103

/**
 * The fields of a `struct msghdr` on 64-bit Linux, as indexes of 32-bit words. In a `struct mmsghdr` the
 * length of the received datagram follows it.
 */
const headerWords = mmsghdrBytes / 4
const field = {
  name: 0,
  nameLength: 2,
  iovec: 4,
  iovecs: 6,
  control: 8,
  controlLength: 10,
  received: 14,
} as const

/** The headers of one receiving or sending call. */
abstract class Batch {
  protected readonly calls: SystemCalls
  protected readonly headers: Pinned
  protected readonly words: Uint32Array
  readonly #iovecs: Pinned
  readonly #iovecWords: Uint32Array

  constructor(calls: SystemCalls) {
    this.calls = calls
    this.headers = calls.allocate(maxDatagrams * mmsghdrBytes)
    this.words = wordsOf(this.headers)
    this.#iovecs = calls.allocate(maxDatagrams * iovecBytes)
    this.#iovecWords = wordsOf(this.#iovecs)
    for (let i = 0; i < maxDatagrams; i++) {
      writeAddress(this.words, i * headerWords + field.iovec, this.#iovecs.address + i * iovecBytes)
      this.words[i * headerWords + field.iovecs] = 1
    }
  }

  /** Sets where the octets of datagram i are. Of the four words of an iovec, two are the address. */
  protected setOctets(i: number, address: number, length: number): void {
    writeAddress(this.#iovecWords, i * 4, address)
    this.#iovecWords[i * 4 + 2] = length
  }
}

/** The datagrams that one call has received. */
export class ReceiveBatch extends Batch {
  /** Datagram i begins at `start(i)`. */
  readonly bytes: Buffer
  /** The sender of datagram i, a `struct sockaddr`, begins at `senderStart(i)`. */
  readonly senders: Buffer
  #count = 0

  constructor(calls: SystemCalls) {
    super(calls)
    const bytes = calls.allocate(maxDatagrams * receiveBytes)
    const senders = calls.allocate(maxDatagrams * senderStride)
    this.bytes = bytes.bytes
    this.senders = senders.bytes
    for (let i = 0; i < maxDatagrams; i++) {
      writeAddress(this.words, i * headerWords + field.name, senders.address + i * senderStride)
      this.words[i * headerWords + field.nameLength] = senderStride
      this.setOctets(i, bytes.address + i * receiveBytes, receiveBytes)
    }
  }

  /** The number of datagrams received; 0 also after an error. */
  receive(fd: number): number {
    // The kernel has overwritten this field with the length of the last sender's address. Before a call it
    // must hold the room for an address.
    for (let i = 0; i < this.#count; i++) this.words[i * headerWords + field.nameLength] = senderStride
    this.#count = Math.max(0, this.calls.receive(fd, this.headers, maxDatagrams))
    return this.#count
  }

  start(i: number): number {
    return i * receiveBytes
  }

  /** The length of datagram i, which was cut if it was longer. */
  lengthOf(i: number): number {
    return this.words[i * headerWords + field.received] ?? 0
  }

  senderStart(i: number): number {
    return i * senderStride
  }
}

/** Where a datagram goes, and who handles a datagram that could not be sent. */
export interface Recipient {
  /** A `struct sockaddr`, in the first octets. */
  readonly sockaddr: Pinned
  readonly sockaddrLength: number
  /**
   * Called with the tag that was given to `add`. With `socketFull` the socket has no room now; otherwise the
   * kernel refuses this datagram.
   */
  unsent(tag: number, socketFull: boolean): void
}

interface Unsent {
  readonly recipient: Recipient
  readonly tag: number
  readonly socketFull: boolean
}

/** A socket to send from. */
export interface SendSocket {
  readonly fd: number
}

/** Datagrams of one socket that are collected and sent in one call. */
export class SendBatch extends Batch {
  /** Write a datagram here, at the position that `reserve` gives, then `add` it. */
  readonly memory: Pinned<Buffer>
  readonly bytes: Buffer
  readonly #controls: Pinned<Buffer>
  readonly #recipients: (Recipient | undefined)[] = new Array(maxDatagrams).fill(undefined)
  readonly #tags = new Float64Array(maxDatagrams)
  #socket: SendSocket | undefined
  #count = 0
  #usedBytes = 0

  constructor(calls: SystemCalls) {
    super(calls)
    this.memory = calls.allocate(sendBytes)
    this.bytes = this.memory.bytes
    this.#controls = calls.allocate(maxDatagrams * controlBytes)
    const controls = wordsOf(this.#controls)
    for (let i = 0; i < maxDatagrams; i++) {
      // struct cmsghdr: cmsg_len (two words), cmsg_level, cmsg_type; `add` writes the data behind it.
      const start = (i * controlBytes) / 4
      controls[start] = 18 // CMSG_LEN(sizeof(uint16_t))
      controls[start + 2] = SOL_UDP
      controls[start + 3] = UDP_SEGMENT
      writeAddress(this.words, i * headerWords + field.control, this.#controls.address + i * controlBytes)
    }
  }

  /**
   * Makes room for a datagram, or for several of one size in a row, and returns its position in `bytes`.
   * First sends the collected datagrams if they are for another socket or leave no room.
   */
  reserve(socket: SendSocket, length: number): number {
    if (this.#socket !== socket || this.#count === maxDatagrams || this.#usedBytes + length > sendBytes)
      this.flush()
    this.#socket = socket
    return this.#usedBytes
  }

  /**
   * Adds what was written to the reserved room. With a `segment` size, the kernel (or the network card) cuts
   * it into at most 64 datagrams of this size. `unsegmented`: it is one datagram.
   */
  add(recipient: Recipient, length: number, segment: number, tag: number): void {
    const i = this.#count++
    const header = i * headerWords
    writeAddress(this.words, header + field.name, recipient.sockaddr.address)
    this.words[header + field.nameLength] = recipient.sockaddrLength
    this.setOctets(i, this.memory.address + this.#usedBytes, length)
    this.words[header + field.controlLength] = segment !== unsegmented ? controlBytes : 0
    if (segment !== unsegmented) this.#controls.bytes.writeUInt16LE(segment, i * controlBytes + cmsghdrBytes)
    this.#recipients[i] = recipient
    this.#tags[i] = tag
    this.#usedBytes += length
  }

  /**
   * Sends the collected datagrams. Then it reports those that could not be sent to their recipients, which
   * may add datagrams again.
   */
  flush(): void {
    const count = this.#count
    if (!this.#socket || count === 0) return
    const unsent = this.#sendAll(this.#socket.fd, count)
    this.#recipients.fill(undefined, 0, count)
    this.#count = 0
    this.#usedBytes = 0
    if (unsent) for (const { recipient, tag, socketFull } of unsent) recipient.unsent(tag, socketFull)
  }

  /** Returns the datagrams that could not be sent; undefined when all were sent. */
  #sendAll(fd: number, count: number): Unsent[] | undefined {
    let unsent: Unsent[] | undefined
    for (let i = 0; i < count; ) {
      const sent = this.calls.send(fd, this.headers, i, count)
      if (sent > 0) {
        i += sent
        continue
      }
      const reason = this.calls.errno()
      if (reason === errno.EINTR) continue
      // A full socket has no room for the rest either. Any other error concerns one datagram only.
      const socketFull = reason === errno.EAGAIN
      const end = socketFull ? count : i + 1
      unsent ??= []
      for (; i < end; i++) this.#pushUnsent(unsent, i, socketFull)
    }
    return unsent
  }

  #pushUnsent(unsent: Unsent[], i: number, socketFull: boolean): void {
    const recipient = this.#recipients[i]
    if (recipient) unsent.push({ recipient, tag: this.#tags[i] ?? 0, socketFull })
  }
}

function wordsOf({ bytes }: Pinned): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

/** Writes a pointer as two words. Addresses of a process have 47 bits. */
function writeAddress(target: Uint32Array, index: number, address: number): void {
  target[index] = address >>> 0
  target[index + 1] = Math.floor(address / 2 ** 32)
}
