import { maxBlockedMs } from '../transfer/backend.ts'
import type { Waiting } from '../transfer/content.ts'
import { Transfer, type Verdict } from '../transfer/transfer.ts'
import { ackBlock, decodePacket, errorCode, errorPacket, writeDataHeader } from '../wire/packet.ts'
import type { Outbox, Outlet, Sender } from './datagrams.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import type { NativeContent } from './native-content.ts'
import type { NativeUdp, Pinned } from './system-calls.ts'

/** The kernel takes no more in one segmented send: 64 packets, and one datagram's worth of octets. */
const maxSegments = 64
const maxSendBytes = 65_507
/** The tag of what is not repeated by us when it could not be sent: an OACK (the timer does that) or an ERROR. */
const notData = 0

export type CarryMessage = Extract<ToWorker, { type: 'carry' }>
export type Settled = Extract<FromWorker, { type: 'settled' }>

/** What a transfer needs of the world. */
export interface Means {
  readonly udp: NativeUdp
  readonly outbox: Outbox
  /** The socket that it shares with others. */
  readonly outlet: Outlet
  /** The socket has no room, and others wait for it already. */
  readonly full: boolean
  /** Call `unblocked` when it has room again. */
  blocked(transfer: NativeTransfer): void
  settled(transfer: NativeTransfer, message: Settled): void
}

/** One transfer by system calls: the same machine as over dgram, other hands and feet. */
export class NativeTransfer implements Waiting, Sender {
  readonly job: number
  readonly #content: NativeContent
  readonly #machine: Transfer
  readonly #means: Means
  readonly #remote: Pinned<Buffer>
  readonly #remoteLength: number
  readonly #oack: Uint8Array | undefined
  /** Packets in one send; 1 where segmentation is of no use or has failed. */
  #batch: number
  /** The packet at which the socket was full, and since when; 0 when it is not. */
  #blockedAt = 0
  #blockedMs = 0
  #over = false

  constructor(message: CarryMessage, content: NativeContent, means: Means) {
    const { blksize, windowsize, timeoutMs, remote, oack } = message
    this.#means = means
    this.job = message.job
    this.#content = content
    this.#oack = oack
    this.#machine = new Transfer({
      size: content.size,
      blksize,
      windowsize,
      timeoutMs,
      oack: oack !== undefined,
    })
    this.#remote = means.udp.pinned(28)
    this.#remote.bytes.set(remote)
    this.#remoteLength = remote.length
    this.#batch = Math.min(windowsize, maxSegments, Math.max(1, Math.floor(maxSendBytes / (blksize + 4))))
    content.retain()
  }

  /** The client's `struct sockaddr`. */
  get remote(): Buffer {
    return this.#remote.bytes
  }

  start(nowMs: number): void {
    this.#obey(this.#machine.start(nowMs))
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#machine.deadlineMs) this.#obey(this.#machine.timer(nowMs))
    else if (this.#blockedAt > 0 && nowMs - this.#blockedMs > maxBlockedMs) this.#settle('silent')
  }

  /** Whether the `struct sockaddr` at `at` is our client's: port and address, of four octets or of sixteen; not IPv6's flow label. */
  isFrom(senders: Buffer, at: number): boolean {
    const remote = this.#remote.bytes
    if (senders[at + 2] !== remote[2] || senders[at + 3] !== remote[3]) return false
    const [from, to] = this.#remoteLength === 16 ? [4, 8] : [8, 24]
    for (let i = from; i < to; i++) if (senders[at + i] !== remote[i]) return false
    return true
  }

  /** A datagram of our client, at `at` in `bytes`. */
  receive(bytes: Buffer, at: number, length: number, nowMs: number): void {
    const block = ackBlock(bytes, at, length)
    if (block >= 0) {
      this.#obey(this.#machine.ack(block, nowMs))
      return
    }
    const packet = decodePacket(bytes.subarray(at, at + length))
    if (packet.type !== 'error') return
    const end = this.#machine.error(packet.code)
    this.#settle(end === 'probed' ? end : 'aborted', `client: ${packet.message || `error ${packet.code}`}`)
  }

  abort(text: string, quietly: boolean): void {
    if (this.#over) return
    if (!quietly) this.#say(errorPacket(errorCode.undefined, text))
    this.#settle('aborted', text)
  }

  arrived(): void {
    if (!this.#over) this.#send()
  }

  /** Only ever an ERROR packet that the main thread has made. */
  failed(error: unknown): void {
    if (this.#over) return
    if (error instanceof Uint8Array) this.#say(error)
    this.#settle('failed')
  }

  /**
   * What is neither held back nor sent in smaller pieces is as good as lost on the way, and will be sent again in time.
   * In pieces: a packet may be larger than the path's MTU and has to be fragmented, or the card cannot checksum.
   */
  unsent(packet: number, full: boolean): void {
    if (this.#over || packet === notData) return
    if (full) this.#block(packet)
    else if (this.#batch > 1) {
      this.#batch = 1
      this.#sendPackets(packet)
    }
  }

  unblocked(): void {
    const at = this.#blockedAt
    this.#blockedAt = 0
    if (at === 0 || this.#over) return
    this.#machine.resume(performance.now())
    this.#sendPackets(at)
  }

  /** It waits for its turn. That the client does not answer meanwhile is not its fault. */
  #block(packet: number): void {
    if (this.#blockedAt === 0) this.#blockedMs = performance.now()
    this.#blockedAt = this.#blockedAt === 0 ? packet : Math.min(this.#blockedAt, packet)
    this.#machine.hold()
    this.#means.blocked(this)
  }

  #obey(verdict: Verdict): void {
    if (verdict === 'wait') return
    if (verdict === 'send') this.#send()
    else this.#settle(verdict)
  }

  #send(): void {
    const machine = this.#machine
    if (machine.to === 0) {
      if (this.#oack) this.#say(this.#oack)
      return
    }
    const content = this.#content
    content.release(machine.ackedBytes)
    if (!content.ready(Math.min(machine.to * machine.blksize, machine.size), this)) {
      machine.hold()
      return
    }
    if (machine.deadlineMs === Number.POSITIVE_INFINITY) machine.resume(performance.now())
    this.#blockedAt = 0
    this.#sendPackets(machine.from)
  }

  /** The window from a packet on, in as few pieces as possible. All but the very last packet of a file are equally long. */
  #sendPackets(first: number): void {
    const { outbox, outlet, full } = this.#means
    if (full) {
      this.#block(first)
      return
    }
    const content = this.#content
    const { blksize, size, to } = this.#machine
    for (let packet = first; packet <= to; ) {
      const next = Math.min(packet + this.#batch, to + 1)
      const start = outbox.room(outlet, (next - packet) * (blksize + 4))
      // Making room, it has sent what was there, and may have found the socket full: what follows has to wait, too.
      if (this.#blockedAt > 0) return
      let at = start
      for (let n = packet; n < next; n++) {
        const position = (n - 1) * blksize
        const octets = Math.min(blksize, size - position)
        writeDataHeader(outbox.bytes, at, n)
        content.copyTo(position, octets, outbox.memory, at + 4)
        at += octets + 4
      }
      const segment = next - packet > 1 ? blksize + 4 : 0
      outbox.put(at - start, segment, this.#remote, this.#remoteLength, this, packet)
      packet = next
    }
  }

  #say(packet: Uint8Array): void {
    const { outbox, outlet } = this.#means
    outbox.bytes.set(packet, outbox.room(outlet, packet.length))
    outbox.put(packet.length, 0, this.#remote, this.#remoteLength, this, notData)
  }

  #settle(end: Settled['end'], detail?: string): void {
    if (this.#over) return
    this.#over = true
    this.#content.leave(this)
    const bytes = this.#machine.ackedBytes
    this.#means.settled(this, { type: 'settled', job: this.job, end, bytes, detail })
  }
}
