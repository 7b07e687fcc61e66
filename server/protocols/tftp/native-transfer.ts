import type { Content, Waiting } from './content.ts'
import { errno, type NativeUdp, type Pinned, readable, writable } from './native.ts'
import type { FromWorker, ToWorker } from './native-messages.ts'
import { ackBlock, decodePacket, errorCode, errorPacket, writeDataHeader } from './packet.ts'
import { Transfer, type Verdict } from './transfer.ts'

/** The kernel takes no more in one segmented send: 64 packets, and one datagram's worth of octets. */
const maxSegments = 64
const maxSendBytes = 65_507
/** Smaller blocks are sent one by one: the kernel would cut our ERROR and OACK packets, too, into pieces of that size. */
const minSegmentBytes = 512

type CarryMessage = Extract<ToWorker, { type: 'carry' }>
type Settled = Extract<FromWorker, { type: 'settled' }>

/** What all transfers of the thread share. */
export interface Bench {
  readonly udp: NativeUdp
  readonly epoll: number
  /** Room for one send. The kernel has copied it when the call returns, so one is enough for all. */
  readonly out: Pinned
  readonly in: Pinned
  readonly peer: Pinned
  settled(transfer: NativeTransfer, message: Settled): void
}

/** One transfer on a socket of the kernel: the same machine as over dgram, other hands and feet. */
export class NativeTransfer implements Waiting {
  readonly fd: number
  readonly job: number
  readonly content: Content
  readonly machine: Transfer
  readonly contentId: number
  readonly #bench: Bench
  readonly #remote: Pinned
  readonly #remoteLength: number
  readonly #oack: Uint8Array | undefined
  /** Packets in one send; 1 where segmentation is of no use or has failed. */
  #batch: number
  /** The packet at which the socket was full; 0 when it is not. */
  #blockedAt = 0
  #over = false

  /** @throws Error when there is no socket to be had. */
  constructor(message: CarryMessage, content: Content, bench: Bench) {
    const { udp } = bench
    this.#bench = bench
    this.job = message.job
    this.content = content
    this.contentId = message.content
    this.#oack = message.oack
    const { blksize, windowsize, timeoutMs } = message
    this.machine = new Transfer({
      size: content.size,
      blksize,
      windowsize,
      timeoutMs,
      oack: message.oack !== undefined,
    })
    this.#remote = udp.pinned(28)
    this.#remote.bytes.set(message.remote)
    this.#remoteLength = message.remote.length
    this.fd = udp.socket(message.family)
    if (this.fd < 0) throw new Error(`socket: errno ${udp.errno()}`)
    bench.out.bytes.set(message.local)
    if (
      udp.bind(this.fd, bench.out, message.local.length) < 0 ||
      udp.watch(bench.epoll, this.fd, readable, 'add') < 0
    ) {
      const reason = udp.errno()
      udp.close(this.fd)
      throw new Error(`bind: errno ${reason}`)
    }
    const fitting = Math.min(
      windowsize,
      this.machine.blocks,
      maxSegments,
      Math.floor(maxSendBytes / (blksize + 4)),
    )
    const packets = blksize < minSegmentBytes ? 1 : fitting
    this.#batch = packets > 1 && udp.segment(this.fd, blksize + 4) === 0 ? packets : 1
    content.retain()
  }

  start(nowMs: number): void {
    this.#obey(this.machine.start(nowMs))
  }

  tick(nowMs: number): void {
    if (nowMs >= this.machine.deadlineMs) this.#obey(this.machine.timer(nowMs))
  }

  /** The socket has something for us, or room again. */
  ready(events: number, nowMs: number): void {
    if ((events & writable) !== 0 && this.#blockedAt > 0) {
      this.#bench.udp.watch(this.#bench.epoll, this.fd, readable, 'modify')
      const at = this.#blockedAt
      this.#blockedAt = 0
      this.#sendPackets(at)
    }
    if ((events & ~writable) !== 0) this.#receive(nowMs)
  }

  abort(text: string, quietly: boolean): void {
    if (this.#over) return
    if (!quietly) this.#say(errorPacket(errorCode.undefined, text), this.#remote)
    this.#settle('aborted', text)
  }

  arrived(): void {
    if (!this.#over) this.#send()
  }

  /** Only ever an ERROR packet that the main thread has made. */
  failed(error: unknown): void {
    if (this.#over) return
    if (error instanceof Uint8Array) this.#say(error, this.#remote)
    this.#settle('failed')
  }

  #receive(nowMs: number): void {
    const { udp, peer } = this.#bench
    const length = udp.receiveFrom(this.fd, this.#bench.in, peer)
    if (length < 0) return
    const { bytes } = this.#bench.in
    if (!this.#fromClient(peer.bytes)) {
      // RFC 1350 section 4: a stranger is told so, and the transfer goes on undisturbed. An ERROR is never answered.
      if (bytes[1] !== 5) this.#say(errorPacket(errorCode.unknownTransfer, 'unknown transfer ID'), peer)
      return
    }
    const block = ackBlock(bytes, length)
    if (block >= 0) {
      this.#obey(this.machine.ack(block, nowMs))
      return
    }
    const packet = decodePacket(bytes.subarray(0, length))
    if (packet.type !== 'error') return
    const end = this.machine.error(packet.code)
    this.#settle(end === 'probed' ? end : 'aborted', `client: ${packet.message || `error ${packet.code}`}`)
  }

  /** Port and address, of four octets or of sixteen; not IPv6's flow label. */
  #fromClient(peer: Buffer): boolean {
    const remote = this.#remote.bytes
    if (peer[2] !== remote[2] || peer[3] !== remote[3]) return false
    const [from, to] = this.#remoteLength === 16 ? [4, 8] : [8, 24]
    for (let i = from; i < to; i++) if (peer[i] !== remote[i]) return false
    return true
  }

  #obey(verdict: Verdict): void {
    if (verdict === 'wait') return
    if (verdict === 'send') this.#send()
    else this.#settle(verdict)
  }

  #send(): void {
    const { machine, content } = this
    if (machine.to === 0) {
      if (this.#oack) this.#say(this.#oack, this.#remote)
      return
    }
    content.release(machine.ackedBytes)
    if (!content.ready(Math.min(machine.to * machine.blksize, machine.size), this)) {
      machine.hold()
      return
    }
    if (machine.deadlineMs === Number.POSITIVE_INFINITY) machine.resume(performance.now())
    this.#sendPackets(machine.from)
  }

  /** The window from a packet on, as few calls as possible. All but the very last packet of a file are equally long. */
  #sendPackets(first: number): void {
    const { machine, content } = this
    const { udp, out } = this.#bench
    const { blksize, size, to } = machine
    for (let packet = first; packet <= to; ) {
      const next = Math.min(packet + this.#batch, to + 1)
      let length = 0
      for (let n = packet; n < next; n++) {
        const position = (n - 1) * blksize
        const octets = Math.min(blksize, size - position)
        writeDataHeader(out.bytes, length, n)
        content.copy(position, octets, out.bytes, length + 4)
        length += octets + 4
      }
      if (udp.sendTo(this.fd, out, length, this.#remote, this.#remoteLength) < 0) {
        const verdict = this.#sendFailed(udp.errno(), packet)
        if (verdict === 'later') return
        if (verdict === 'again') continue
      }
      packet = next
    }
  }

  /** `lost`: as if it had been lost on the way, and it will be sent again in time. */
  #sendFailed(reason: number, packet: number): 'again' | 'later' | 'lost' {
    const { udp, epoll } = this.#bench
    if (reason === errno.EINTR) return 'again'
    if (reason === errno.EAGAIN) {
      this.#blockedAt = packet
      udp.watch(epoll, this.fd, readable + writable, 'modify')
      return 'later'
    }
    if (this.#batch === 1) return 'lost'
    // EMSGSIZE: a packet is larger than the path's MTU and would have to be fragmented; EIO: the card cannot checksum.
    this.#batch = 1
    udp.segment(this.fd, 0)
    return 'again'
  }

  #say(packet: Uint8Array, to: Pinned): void {
    const { udp, out } = this.#bench
    out.bytes.set(packet)
    udp.sendTo(this.fd, out, packet.length, to, this.#remoteLength)
  }

  #settle(end: Settled['end'], detail?: string): void {
    if (this.#over) return
    this.#over = true
    this.content.leave(this)
    this.#bench.udp.close(this.fd)
    const bytes = this.machine.ackedBytes
    this.#bench.settled(this, { type: 'settled', job: this.job, end, bytes, detail })
  }
}
