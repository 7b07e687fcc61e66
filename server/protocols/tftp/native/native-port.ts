import { type TransferPort, TransfersByPeer } from '../transfer/ports.ts'
import { errorCode, errorPacket } from '../wire/error.ts'
import {
  type ReceiveBatch,
  type Recipient,
  type SendBatch,
  type SendSocket,
  unsegmented,
} from './datagrams.ts'
import type { NativeFileBuffer } from './native-file-buffer.ts'
import { NativeTransfer, type TransferContext } from './native-transfer.ts'
import { sockaddrBytes, sockaddrLength } from './sockaddr.ts'
import { readable, type SystemCalls, writable } from './system-calls.ts'
import type { EndedMessage, StartMessage } from './worker-messages.ts'

/**
 * The socket buffers that we ask for. Without privilege the kernel gives less (212,992 octets on most
 * machines), which is enough for the ACKs of a port.
 */
const socketBufferBytes = 4 * 1024 * 1024
/** The tag of an ERROR 5: its recipient ignores it. */
const noTag = 0

/** What all ports of the worker share. */
export interface PortContext {
  readonly calls: SystemCalls
  readonly epoll: number
  readonly received: ReceiveBatch
  readonly sending: SendBatch
  /** A packet of a job's client has come. */
  onPacket(job: number, nowMs: number): void
  onEnd(port: NativePort, transfer: NativeTransfer, message: EndedMessage): void
}

/**
 * A UDP port that many transfers share: one call receives the packets of fifty clients, and one call sends
 * the replies. A peer that never had a transfer here gets ERROR 5 (RFC 1350 section 4).
 */
export class NativePort implements TransferPort, SendSocket, TransferContext {
  readonly fd: number
  readonly calls: SystemCalls
  readonly sending: SendBatch
  readonly socket: SendSocket = this
  readonly #context: PortContext
  readonly #localAddress: string
  readonly #family: 4 | 6
  readonly #transfers = new TransfersByPeer<number, NativeTransfer>()
  readonly #blocked = new Set<NativeTransfer>()
  /** The recipient of ERROR 5: `sockaddr` is filled in for each peer. */
  readonly #unknownPeer: Recipient
  /** Once the port is closed, the number of its descriptor may belong to another file. */
  #closed = false

  /** @throws Error when no socket can be opened. */
  constructor(message: StartMessage, context: PortContext) {
    const { calls } = context
    this.#context = context
    this.calls = calls
    this.sending = context.sending
    this.#localAddress = localAddressOf(message)
    this.#family = message.family
    this.#unknownPeer = {
      sockaddr: calls.allocate(sockaddrBytes),
      sockaddrLength: sockaddrLength(message.family),
      unsent: () => undefined,
    }
    this.fd = this.#open(message.local)
  }

  #open(local: Uint8Array): number {
    const { calls, epoll } = this.#context
    const fd = calls.socket(this.#family)
    if (fd < 0) throw new Error(`socket: errno ${calls.errno()}`)
    const sockaddr = calls.allocate(sockaddrBytes)
    sockaddr.bytes.set(local)
    if (calls.bind(fd, sockaddr, local.length) < 0 || calls.watch(epoll, fd, readable, 'add') < 0) {
      const reason = calls.errno()
      calls.close(fd)
      throw new Error(`bind: errno ${reason}`)
    }
    calls.setBufferSize(fd, socketBufferBytes)
    return fd
  }

  get size(): number {
    return this.#transfers.size
  }

  get exhausted(): boolean {
    return this.#transfers.exhausted
  }

  /** Whether transfers wait for room in the socket's send buffer. Only epoll tells when it has room. */
  get sendBlocked(): boolean {
    return this.#blocked.size > 0
  }

  accepts(message: StartMessage): boolean {
    return (
      this.#localAddress === localAddressOf(message) &&
      this.#transfers.accepts(peerKey(message.remote, this.#family))
    )
  }

  add(message: StartMessage, file: NativeFileBuffer): NativeTransfer {
    const transfer = new NativeTransfer(message, file, this)
    this.#transfers.add(this.#keyOf(transfer), transfer)
    return transfer
  }

  /** Receives what has come, and sends the replies. Returns the number of datagrams received. */
  receive(): number {
    const { received, sending } = this.#context
    if (this.#closed) return 0
    const count = received.receive(this.fd)
    if (count === 0) return 0
    const nowMs = performance.now()
    for (let i = 0; i < count; i++) {
      const sender = received.senderStart(i)
      const key = peerKey(received.senders, this.#family, sender)
      const transfer = this.#transfers.find(key)
      if (transfer?.isFrom(received.senders, sender)) {
        this.#context.onPacket(transfer.job, nowMs)
        transfer.receive(received.bytes, received.start(i), received.lengthOf(i), nowMs)
      } else if (!this.#transfers.hadPeer(key) && deservesReply(received, i))
        this.#refuse(received.senders, sender)
    }
    sending.flush()
    return count
  }

  /** The socket has room again. */
  writable(): void {
    if (this.#closed) return
    const { calls, epoll, sending } = this.#context
    const blocked = [...this.#blocked]
    this.#blocked.clear()
    calls.watch(epoll, this.fd, readable, 'modify')
    for (const transfer of blocked) transfer.unblocked()
    sending.flush()
  }

  onBlocked(transfer: NativeTransfer): void {
    const { calls, epoll } = this.#context
    if (this.#blocked.size === 0) calls.watch(epoll, this.fd, readable + writable, 'modify')
    this.#blocked.add(transfer)
  }

  onEnd(transfer: NativeTransfer, message: EndedMessage): void {
    this.#transfers.remove(this.#keyOf(transfer))
    this.#blocked.delete(transfer)
    this.#context.onEnd(this, transfer, message)
  }

  close(): void {
    this.sending.flush()
    this.#closed = true
    this.calls.close(this.fd)
  }

  #keyOf(transfer: NativeTransfer): number {
    return peerKey(transfer.sockaddr.bytes, this.#family)
  }

  #refuse(senders: Buffer, at: number): void {
    const { sending } = this
    if (this.#closed) return
    const packet = errorPacket(errorCode.unknownTransfer, 'unknown transfer ID')
    const { sockaddr, sockaddrLength: length } = this.#unknownPeer
    senders.copy(sockaddr.bytes, 0, at, at + length)
    sending.bytes.set(packet, sending.reserve(this, packet.length))
    sending.add(this.#unknownPeer, packet.length, unsegmented, noTag)
    sending.flush()
  }
}

/**
 * Whether an unknown peer gets an ERROR. A reply to an ERROR (opcode 5) could make two servers reply to each
 * other for ever, and a datagram of less than four octets is not a packet.
 */
function deservesReply(received: ReceiveBatch, i: number): boolean {
  return received.lengthOf(i) >= 4 && received.bytes[received.start(i) + 1] !== 5
}

function localAddressOf({ local }: StartMessage): string {
  return Buffer.from(local).toString('latin1')
}

/**
 * A client's port and IPv4 address in one number of 48 bits, without garbage. For an IPv6 address it holds
 * only a hash: of two clients with the same hash, the second gets another port of ours.
 *
 * The client's `struct sockaddr` begins at `at`; sockaddr.ts says where its fields are.
 */
function peerKey(sockaddr: Uint8Array, family: 4 | 6, at = 0): number {
  const port = ((sockaddr[at + 2] ?? 0) << 8) | (sockaddr[at + 3] ?? 0)
  let host = word(sockaddr, at + 4)
  if (family === 6) {
    host = 0
    for (let i = 8; i < 24; i += 4)
      host = Math.imul(host ^ word(sockaddr, at + i), 0x9e3779b1) ^ (host >>> 15)
  }
  return port * 2 ** 32 + (host >>> 0)
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  )
}
