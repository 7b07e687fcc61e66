import { type Port, Tenants } from '../transfer/ports.ts'
import { errorCode, errorPacket } from '../wire/packet.ts'
import type { Inbox, Outbox, Outlet } from './datagrams.ts'
import type { NativeContent } from './native-content.ts'
import { type CarryMessage, type Means, NativeTransfer, type Settled } from './native-transfer.ts'
import { type NativeUdp, type Pinned, readable, writable } from './system-calls.ts'

/** Asked for; what one gets without privilege (212,992 on most machines) is enough for all the ACKs of a port. */
const roomBytes = 4 * 1024 * 1024

/** What all ports of the thread share. */
export interface PortMeans {
  readonly udp: NativeUdp
  readonly epoll: number
  readonly inbox: Inbox
  readonly outbox: Outbox
  /** When a job's client was last heard. */
  heard(job: number, nowMs: number): void
  settled(port: SharedPort, transfer: NativeTransfer, message: Settled): void
}

/**
 * A port that many transfers share: one call hears fifty clients, and one call answers them. What comes from an address
 * that never had a transfer here is answered with ERROR 5 (RFC 1350 section 4).
 */
export class SharedPort implements Port, Outlet, Means {
  readonly fd: number
  readonly local: string
  readonly udp: NativeUdp
  readonly outbox: Outbox
  readonly outlet: Outlet = this
  readonly #means: PortMeans
  readonly #family: 4 | 6
  readonly #tenants = new Tenants<number, NativeTransfer>()
  readonly #blocked = new Set<NativeTransfer>()
  readonly #stranger: Pinned<Buffer>
  /** From then on the descriptor's number may be somebody else's. */
  #closed = false

  /** @throws Error when there is no socket to be had. */
  constructor(message: CarryMessage, means: PortMeans) {
    const { udp } = means
    this.#means = means
    this.udp = udp
    this.outbox = means.outbox
    this.local = localOf(message)
    this.#family = message.family
    this.#stranger = udp.pinned(28)
    this.fd = udp.socket(message.family)
    if (this.fd < 0) throw new Error(`socket: errno ${udp.errno()}`)
    this.#stranger.bytes.set(message.local)
    if (
      udp.bind(this.fd, this.#stranger, message.local.length) < 0 ||
      udp.watch(means.epoll, this.fd, readable, 'add') < 0
    ) {
      const reason = udp.errno()
      udp.close(this.fd)
      throw new Error(`bind: errno ${reason}`)
    }
    udp.room(this.fd, roomBytes)
  }

  get size(): number {
    return this.#tenants.size
  }

  get spent(): boolean {
    return this.#tenants.spent
  }

  /** Whether packets wait for room in the socket. */
  get full(): boolean {
    return this.#blocked.size > 0
  }

  takes(message: CarryMessage): boolean {
    return this.local === localOf(message) && this.#tenants.takes(peerKey(message.remote, 0, this.#family))
  }

  carry(message: CarryMessage, content: NativeContent): NativeTransfer {
    const transfer = new NativeTransfer(message, content, this)
    this.#tenants.enter(peerKey(transfer.remote, 0, this.#family), transfer)
    return transfer
  }

  /** Takes what has come in and answers it; how much that was. */
  receive(): number {
    const { inbox, outbox } = this.#means
    if (this.#closed) return 0
    const count = inbox.receive(this.fd)
    if (count === 0) return 0
    const nowMs = performance.now()
    for (let i = 0; i < count; i++) {
      const sender = inbox.sender(i)
      const key = peerKey(inbox.senders, sender, this.#family)
      const transfer = this.#tenants.find(key)
      if (transfer?.isFrom(inbox.senders, sender)) {
        this.#means.heard(transfer.job, nowMs)
        transfer.receive(inbox.bytes, inbox.start(i), inbox.lengthOf(i), nowMs)
      } else if (!this.#tenants.hasLeft(key) && answerable(inbox, i)) this.#refuse(inbox.senders, sender)
    }
    outbox.flush()
    return count
  }

  /** The socket has room again. */
  writable(): void {
    if (this.#closed) return
    const { udp, epoll, outbox } = this.#means
    const blocked = [...this.#blocked]
    this.#blocked.clear()
    udp.watch(epoll, this.fd, readable, 'modify')
    for (const transfer of blocked) transfer.unblocked()
    outbox.flush()
  }

  blocked(transfer: NativeTransfer): void {
    const { udp, epoll } = this.#means
    if (this.#blocked.size === 0) udp.watch(epoll, this.fd, readable + writable, 'modify')
    this.#blocked.add(transfer)
  }

  settled(transfer: NativeTransfer, message: Settled): void {
    this.#tenants.leave(peerKey(transfer.remote, 0, this.#family))
    this.#blocked.delete(transfer)
    this.#means.settled(this, transfer, message)
  }

  close(): void {
    this.outbox.flush()
    this.#closed = true
    this.udp.close(this.fd)
  }

  #refuse(senders: Buffer, at: number): void {
    const { outbox } = this
    if (this.#closed) return
    const length = this.#family === 6 ? 28 : 16
    const packet = errorPacket(errorCode.unknownTransfer, 'unknown transfer ID')
    senders.copy(this.#stranger.bytes, 0, at, at + length)
    outbox.bytes.set(packet, outbox.room(this, packet.length))
    outbox.put(packet.length, 0, this.#stranger, length, nobody, 0)
    outbox.flush()
  }
}

const nobody = { unsent: (): void => undefined }

/** An ERROR is never answered, or two servers could talk for ever; nor is what is no packet at all. */
function answerable(inbox: Inbox, i: number): boolean {
  return inbox.lengthOf(i) >= 4 && inbox.bytes[inbox.start(i) + 1] !== 5
}

function localOf({ local }: CarryMessage): string {
  return Buffer.from(local).toString('latin1')
}

/**
 * A client's port and IPv4 address in one number of 48 bits, without garbage. Of an IPv6 address it is only a digest: who
 * has the same one as somebody else gets another port of ours.
 */
function peerKey(sockaddr: Uint8Array, at: number, family: 4 | 6): number {
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
