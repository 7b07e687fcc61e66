import { errno, mmsghdrBytes, type NativeUdp, type Pinned } from './system-calls.ts'

/** Datagrams in one call, in either direction. */
const maxDatagrams = 64
/** What a client says: an ACK of four octets, or an ERROR, of which this much is worth reading. */
const inBytes = 576
/** A `struct sockaddr_in6` and what aligns the next. */
const nameStride = 32
/** `struct iovec`: where the octets are, and how many. */
const iovecBytes = 16
/** CMSG_SPACE(sizeof(uint16_t)): a `struct cmsghdr`, the size of a segment, and what aligns the next. */
const controlBytes = 24
const outBytes = 512 * 1024
const SOL_UDP = 17
const UDP_SEGMENT = 103

/** `struct msghdr` of 64-bit Linux, in words of 32 bits. The length of what came follows it in a `struct mmsghdr`. */
const headerWords = mmsghdrBytes / 4
const at = {
  name: 0,
  nameLength: 2,
  iovec: 4,
  iovecs: 6,
  control: 8,
  controlLength: 10,
  received: 14,
} as const

/** The messages of a receiving or a sending call, and what they point to. */
abstract class Messages {
  protected readonly headers: Pinned
  protected readonly words: Uint32Array
  protected readonly iovecs: Pinned
  protected readonly iovecWords: Uint32Array

  constructor(udp: NativeUdp) {
    this.headers = udp.pinned(maxDatagrams * mmsghdrBytes)
    this.words = wordsOf(this.headers)
    this.iovecs = udp.pinned(maxDatagrams * iovecBytes)
    this.iovecWords = wordsOf(this.iovecs)
    for (let i = 0; i < maxDatagrams; i++) {
      writeAddress(this.words, i * headerWords + at.iovec, this.iovecs.address + i * iovecBytes)
      this.words[i * headerWords + at.iovecs] = 1
    }
  }

  protected place(i: number, address: number, length: number): void {
    writeAddress(this.iovecWords, i * 4, address)
    this.iovecWords[i * 4 + 2] = length
  }
}

/** Where one call puts all that has come in. */
export class Inbox extends Messages {
  /** Datagram i lies at `start(i)`, its sender, a `struct sockaddr`, at `sender(i)`. */
  readonly bytes: Buffer
  readonly senders: Buffer
  readonly #udp: NativeUdp
  #used = 0

  constructor(udp: NativeUdp) {
    super(udp)
    this.#udp = udp
    const bytes = udp.pinned(maxDatagrams * inBytes)
    const senders = udp.pinned(maxDatagrams * nameStride)
    this.bytes = bytes.bytes
    this.senders = senders.bytes
    for (let i = 0; i < maxDatagrams; i++) {
      writeAddress(this.words, i * headerWords + at.name, senders.address + i * nameStride)
      this.words[i * headerWords + at.nameLength] = nameStride
      this.place(i, bytes.address + i * inBytes, inBytes)
    }
  }

  /** How many have come; 0 for none, or for an error. */
  receive(fd: number): number {
    // The kernel has left there how long the last senders' addresses were, and takes that for the room there is.
    for (let i = 0; i < this.#used; i++) this.words[i * headerWords + at.nameLength] = nameStride
    this.#used = Math.max(0, this.#udp.receive(fd, this.headers, maxDatagrams))
    return this.#used
  }

  start(i: number): number {
    return i * inBytes
  }

  /** A longer one has been cut. */
  lengthOf(i: number): number {
    return this.words[i * headerWords + at.received] ?? 0
  }

  sender(i: number): number {
    return i * nameStride
  }
}

/** Who is told what became of a datagram that could not be sent. */
export interface Sender {
  /** `tag` is what was given to `put`. With `full`, the socket has no room now; otherwise the kernel does not like it. */
  unsent(tag: number, full: boolean): void
}

/** A socket to send from. */
export interface Outlet {
  readonly fd: number
}

/** Datagrams for one socket at a time, sent in one call when there are enough of them or when it is time. */
export class Outbox extends Messages {
  /** Write here what `room` has promised, then `put` it. */
  readonly memory: Pinned<Buffer>
  readonly bytes: Buffer
  readonly #udp: NativeUdp
  readonly #controls: Pinned<Buffer>
  readonly #senders: (Sender | undefined)[] = new Array(maxDatagrams).fill(undefined)
  readonly #tags = new Float64Array(maxDatagrams)
  #outlet: Outlet | undefined
  #count = 0
  #used = 0

  constructor(udp: NativeUdp) {
    super(udp)
    this.#udp = udp
    this.memory = udp.pinned(outBytes)
    this.bytes = this.memory.bytes
    this.#controls = udp.pinned(maxDatagrams * controlBytes)
    const controls = wordsOf(this.#controls)
    for (let i = 0; i < maxDatagrams; i++) {
      const from = (i * controlBytes) / 4
      controls[from] = 18 // CMSG_LEN(sizeof(uint16_t))
      controls[from + 2] = SOL_UDP
      controls[from + 3] = UDP_SEGMENT
      writeAddress(this.words, i * headerWords + at.control, this.#controls.address + i * controlBytes)
    }
  }

  /** Makes room for a datagram, or for several of one size in a row; where in `bytes` it begins. */
  room(outlet: Outlet, length: number): number {
    if (this.#outlet !== outlet || this.#count === maxDatagrams || this.#used + length > outBytes)
      this.flush()
    this.#outlet = outlet
    return this.#used
  }

  /**
   * Takes what has been written to the room. With `segment`, the kernel (or the card) cuts it into datagrams of that many
   * octets, 64 at most; 0 sends it as it is.
   */
  put(length: number, segment: number, to: Pinned, toLength: number, sender: Sender, tag: number): void {
    const i = this.#count++
    const header = i * headerWords
    writeAddress(this.words, header + at.name, to.address)
    this.words[header + at.nameLength] = toLength
    this.place(i, this.memory.address + this.#used, length)
    this.words[header + at.controlLength] = segment > 0 ? controlBytes : 0
    if (segment > 0) this.#controls.bytes.writeUInt16LE(segment, i * controlBytes + 16)
    this.#senders[i] = sender
    this.#tags[i] = tag
    this.#used += length
  }

  /** Sends what there is. Whoever could not be sent for is told, and may put again what it has. */
  flush(): void {
    const count = this.#count
    const outlet = this.#outlet
    if (!outlet || count === 0) return
    const failed: { sender: Sender; tag: number; full: boolean }[] = []
    for (let i = 0; i < count; ) {
      const sent = this.#udp.send(outlet.fd, this.headers, i, count)
      if (sent > 0) {
        i += sent
        continue
      }
      const reason = this.#udp.errno()
      if (reason === errno.EINTR) continue
      const full = reason === errno.EAGAIN
      for (const end = full ? count : i + 1; i < end; i++) {
        const sender = this.#senders[i]
        if (sender) failed.push({ sender, tag: this.#tags[i] ?? 0, full })
      }
    }
    this.#senders.fill(undefined, 0, count)
    this.#count = 0
    this.#used = 0
    for (const { sender, tag, full } of failed) sender.unsent(tag, full)
  }
}

function wordsOf({ bytes }: Pinned): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

/** A pointer, in two words. Addresses of a process have 47 bits. */
function writeAddress(target: Uint32Array, index: number, address: number): void {
  target[index] = address >>> 0
  target[index + 1] = Math.floor(address / 2 ** 32)
}
