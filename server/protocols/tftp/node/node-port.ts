import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { LookupOneOptions } from 'node:dns'
import { Failure } from '../../../core/failure.ts'
import { udpReceiveBytes } from '../../listener.ts'
import type { TransferJob } from '../transfer/backend.ts'
import { type TransferPort, TransfersByPeer } from '../transfer/ports.ts'
import { errorCode, errorPacket } from '../wire/error.ts'

/** What a port needs of a transfer that uses it (node-transfer.ts). */
export interface PortUser {
  readonly job: TransferJob
  /** The port is bound. */
  start(): void
  /** A datagram of the transfer's client has come. */
  receive(bytes: Buffer): void
  /** Called when one block has left Node's queue, or could not be sent. */
  readonly onBlockSent: (error: Error | null) => void
  /** The port is broken. */
  fail(error: unknown): void
}

/** A dgram socket that many transfers share. */
export class NodePort implements TransferPort {
  readonly #localAddress: string
  readonly #family: 4 | 6
  readonly #socket: Socket
  readonly #transfers = new TransfersByPeer<string, PortUser>()
  #bound = false

  constructor({ localAddress, family }: TransferJob, onBroken: (port: NodePort) => void) {
    this.#localAddress = localAddress
    this.#family = family
    const type = family === 6 ? 'udp6' : 'udp4'
    this.#socket = createSocket({ type, lookup: noLookup(family), recvBufferSize: udpReceiveBytes })
    this.#socket.on('message', (bytes, from) => this.#received(bytes, from))
    this.#socket.on('error', (error) => {
      for (const each of [...this.#transfers])
        each.fail(new Failure('unavailable', error.message, { cause: error }))
      onBroken(this)
    })
    this.#socket.bind({ address: localAddress, port: 0 }, () => {
      this.#bound = true
      for (const each of this.#transfers) each.start()
    })
  }

  get size(): number {
    return this.#transfers.size
  }

  get exhausted(): boolean {
    return this.#transfers.exhausted
  }

  accepts(job: TransferJob): boolean {
    return (
      job.localAddress === this.#localAddress &&
      job.family === this.#family &&
      this.#transfers.accepts(peerOf(job))
    )
  }

  /** Starts the transfer now, or as soon as the port is bound. */
  add(transfer: PortUser): void {
    this.#transfers.add(peerOf(transfer.job), transfer)
    if (this.#bound) transfer.start()
  }

  remove(transfer: PortUser): void {
    this.#transfers.remove(peerOf(transfer.job))
  }

  /** Sends an OACK or an ERROR. Errors are ignored: the client repeats its request, or we repeat the OACK. */
  send(packet: Uint8Array, port: number, address: string): void {
    try {
      this.#socket.send(packet, port, address, () => undefined)
    } catch {
      // The socket is not bound yet, or closed already.
    }
  }

  /** Sends a DATA packet of this transfer in place: `bytes` must not change until `onBlockSent`. */
  sendBlock(bytes: Buffer, at: number, length: number, { job, onBlockSent }: PortUser): void {
    this.#socket.send(bytes, at, length, job.remotePort, job.remoteAddress, onBlockSent)
  }

  close(): void {
    // Node first sends what the socket already has, if the socket is closed a little later.
    setImmediate(() => {
      try {
        this.#socket.close()
      } catch {
        // The socket was never bound, or is closed already.
      }
    })
  }

  #received(bytes: Buffer, from: RemoteInfo): void {
    const peer = `${from.port} ${from.address}`
    const transfer = this.#transfers.find(peer)
    if (transfer) transfer.receive(bytes)
    // RFC 1350 section 4: an unknown peer gets ERROR 5. An ERROR (opcode 5) gets no reply.
    else if (!this.#transfers.hadPeer(peer) && bytes.length >= 4 && bytes[1] !== 5)
      this.send(errorPacket(errorCode.unknownTransfer, 'unknown transfer ID'), from.port, from.address)
  }
}

function peerOf({ remotePort, remoteAddress }: TransferJob): string {
  return `${remotePort} ${remoteAddress}`
}

/**
 * A `lookup` that resolves nothing: the addresses are never names. Without it each packet goes through the
 * resolver.
 */
function noLookup(family: 4 | 6) {
  return (
    address: string,
    _options: LookupOneOptions,
    done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
  ): void => done(null, address, family)
}
