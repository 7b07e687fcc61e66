import { maxSendBlockedMs } from '../transfer/backend.ts'
import type { FileBufferWaiter } from '../transfer/file-buffer.ts'
import { Transfer, type TransferAction } from '../transfer/transfer.ts'
import { errorCode, errorPacket } from '../wire/error.ts'
import { ackBlock, decodePacket, writeDataHeader } from '../wire/packet.ts'
import { type Recipient, type SendBatch, type SendSocket, unsegmented } from './datagrams.ts'
import type { NativeFileBuffer } from './native-file-buffer.ts'
import { sockaddrBytes, sockaddrLength } from './sockaddr.ts'
import type { Pinned, SystemCalls } from './system-calls.ts'
import type { EndedMessage, StartMessage } from './worker-messages.ts'

/** The limits of one segmented send (UDP_SEGMENT): 64 packets, and the octets of one datagram. */
const maxSegments = 64
const maxSendBytes = 65_507
/**
 * The tag of an OACK or an ERROR. When it could not be sent, `unsent` does nothing: the timer repeats an
 * OACK, and an ERROR needs no repeat.
 */
const notData = 0

/** What a transfer uses of its port. */
export interface TransferContext {
  readonly calls: SystemCalls
  readonly sending: SendBatch
  /** The socket that the transfer shares with others. */
  readonly socket: SendSocket
  /** Whether other transfers wait already for room in the socket's send buffer. */
  readonly sendBlocked: boolean
  /** The transfer waits for room. The port calls `unblocked` when there is some. */
  onBlocked(transfer: NativeTransfer): void
  onEnd(transfer: NativeTransfer, message: EndedMessage): void
}

/** One transfer by system calls: does what its state machine (transfer/transfer.ts) says. */
export class NativeTransfer implements FileBufferWaiter, Recipient {
  readonly job: number
  /** The client's address and port. */
  readonly sockaddr: Pinned
  readonly sockaddrLength: number
  readonly #file: NativeFileBuffer
  readonly #machine: Transfer
  readonly #context: TransferContext
  readonly #oack: Uint8Array | undefined
  /** Packets in one send; 1 where the kernel cannot cut a send into segments. */
  #packetsPerSend: number
  /** The first packet that waits because the socket is full, and since when; 0 while none waits. */
  #blockedAt = 0
  #blockedSinceMs = 0
  #over = false

  constructor(message: StartMessage, file: NativeFileBuffer, context: TransferContext) {
    const { blksize, windowsize, timeoutMs, remote, oack } = message
    this.#context = context
    this.job = message.job
    this.#file = file
    this.#oack = oack
    this.#machine = new Transfer({
      size: file.size,
      blksize,
      windowsize,
      timeoutMs,
      oack: oack !== undefined,
    })
    this.sockaddr = context.calls.allocate(sockaddrBytes)
    this.sockaddr.bytes.set(remote)
    this.sockaddrLength = remote.length
    const packetsThatFit = Math.max(1, Math.floor(maxSendBytes / (blksize + 4)))
    this.#packetsPerSend = Math.min(windowsize, maxSegments, packetsThatFit)
    file.acquire()
  }

  start(nowMs: number): void {
    this.#act(this.#machine.start(nowMs))
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#machine.deadlineMs) this.#act(this.#machine.timer(nowMs))
    else if (this.#blockedAt > 0 && nowMs - this.#blockedSinceMs > maxSendBlockedMs) this.#end('silent')
  }

  /**
   * Whether the `struct sockaddr` at `at` has our client's port and address. IPv6's flow label does not
   * matter. The fields are where sockaddr.ts says.
   */
  isFrom(senders: Buffer, at: number): boolean {
    const own = this.sockaddr.bytes
    if (senders[at + 2] !== own[2] || senders[at + 3] !== own[3]) return false
    const ipv4 = this.sockaddrLength === sockaddrLength(4)
    const end = ipv4 ? 8 : 24
    for (let i = ipv4 ? 4 : 8; i < end; i++) if (senders[at + i] !== own[i]) return false
    return true
  }

  /** A datagram of our client, at `at` in `bytes`. */
  receive(bytes: Buffer, at: number, length: number, nowMs: number): void {
    const block = ackBlock(bytes, at, length)
    if (block >= 0) {
      this.#act(this.#machine.ack(block, nowMs))
      return
    }
    const packet = decodePacket(bytes.subarray(at, at + length))
    if (packet.type !== 'error') return
    const end = this.#machine.error(packet.code) === 'probed' ? 'probed' : 'aborted'
    this.#end(end, `client: ${packet.message || `error ${packet.code}`}`)
  }

  abort(reason: string): void {
    if (!this.#over) this.#send(errorPacket(errorCode.undefined, reason))
    this.drop(reason)
  }

  drop(reason: string): void {
    this.#end('aborted', reason)
  }

  moreRead(): void {
    if (!this.#over) this.#sendWindow()
  }

  /** `error` is an ERROR packet, made by the worker from the main thread's message. */
  readFailed(error: unknown): void {
    if (this.#over) return
    if (error instanceof Uint8Array) this.#send(error)
    this.#end('failed')
  }

  /**
   * The packets from `packet` on could not be sent. They wait while the socket is full. Otherwise they are
   * sent one by one, if they were sent as segments: a packet may be larger than the path's MTU and need
   * fragmentation, or the network card may not compute checksums. What still fails counts as lost on the way,
   * and will be repeated.
   */
  unsent(packet: number, socketFull: boolean): void {
    if (this.#over || packet === notData) return
    if (socketFull) this.#block(packet)
    else if (this.#packetsPerSend > 1) {
      this.#packetsPerSend = 1
      this.#sendPackets(packet)
    }
  }

  unblocked(): void {
    const packet = this.#blockedAt
    this.#blockedAt = 0
    if (packet === 0 || this.#over) return
    this.#machine.restartTimer(performance.now())
    this.#sendPackets(packet)
  }

  /** Waits for room in the socket. Meanwhile the client is not late. */
  #block(packet: number): void {
    if (this.#blockedAt === 0) this.#blockedSinceMs = performance.now()
    this.#blockedAt = this.#blockedAt === 0 ? packet : Math.min(this.#blockedAt, packet)
    this.#machine.stopTimer()
    this.#context.onBlocked(this)
  }

  #act(action: TransferAction): void {
    if (action === 'wait') return
    if (action === 'send') this.#sendWindow()
    else this.#end(action)
  }

  #sendWindow(): void {
    const machine = this.#machine
    if (machine.lastToSend === 0) {
      if (this.#oack) this.#send(this.#oack)
      return
    }
    const file = this.#file
    file.discardBefore(machine.ackedBytes)
    if (!file.ready(Math.min(machine.lastToSend * machine.blksize, machine.size), this)) {
      machine.stopTimer()
      return
    }
    // The timer stood still while the file was read.
    if (machine.deadlineMs === Number.POSITIVE_INFINITY) machine.restartTimer(performance.now())
    this.#blockedAt = 0
    this.#sendPackets(machine.firstToSend)
  }

  /**
   * Sends the window from a packet on, in as few sends as possible. Only the last packet of a file may be
   * shorter.
   */
  #sendPackets(first: number): void {
    const { sending, socket, sendBlocked } = this.#context
    if (sendBlocked) {
      this.#block(first)
      return
    }
    const { blksize, lastToSend } = this.#machine
    for (let packet = first; packet <= lastToSend; ) {
      const next = Math.min(packet + this.#packetsPerSend, lastToSend + 1)
      const start = sending.reserve(socket, (next - packet) * (blksize + 4))
      // To make room, `reserve` may have sent earlier packets of this window and found the socket full. Then
      // the rest waits too.
      if (this.#blockedAt > 0) return
      const length = this.#writePackets(packet, next, start)
      const segment = next - packet > 1 ? blksize + 4 : unsegmented
      sending.add(this, length, segment, packet)
      packet = next
    }
  }

  /** Writes the packets `first` to `next` - 1 to the send batch at `start`. Returns their octets. */
  #writePackets(first: number, next: number, start: number): number {
    const { sending } = this.#context
    const { blksize, size } = this.#machine
    let at = start
    for (let packet = first; packet < next; packet++) {
      const position = (packet - 1) * blksize
      const octets = Math.min(blksize, size - position)
      writeDataHeader(sending.bytes, at, packet)
      this.#file.copyOut(position, octets, at + 4)
      at += octets + 4
    }
    return at - start
  }

  /** Sends an OACK or an ERROR. */
  #send(packet: Uint8Array): void {
    const { sending, socket } = this.#context
    sending.bytes.set(packet, sending.reserve(socket, packet.length))
    sending.add(this, packet.length, unsegmented, notData)
  }

  #end(end: EndedMessage['end'], detail?: string): void {
    if (this.#over) return
    this.#over = true
    this.#file.release(this)
    const { ackedBytes: bytes, retries } = this.#machine
    this.#context.onEnd(this, { type: 'ended', job: this.job, end, bytes, retries, detail })
  }
}
