import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { Failure } from '../../../core/failure.ts'
import type { Job } from '../transfer/backend.ts'
import { type Port, Tenants } from '../transfer/ports.ts'
import { errorCode, errorPacket } from '../wire/packet.ts'
import type { PlainCarriage } from './node-backend.ts'

/** A dgram socket that many transfers share. */
export class PlainPort implements Port {
  readonly #local: string
  readonly #family: 4 | 6
  readonly #socket: Socket
  readonly #tenants = new Tenants<string, PlainCarriage>()
  #bound = false

  constructor({ localAddress, family }: Job, broken: (port: PlainPort) => void) {
    this.#local = localAddress
    this.#family = family
    // The address is a literal: answering at once keeps the packet out of the resolver and its detour.
    const lookup = (host: string, _: unknown, done: (e: null, address: string, family: number) => void) =>
      done(null, host, family)
    this.#socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', lookup: lookup as never })
    this.#socket.on('message', (bytes, from) => this.#received(bytes, from))
    this.#socket.on('error', (error) => {
      for (const each of [...this.#tenants])
        each.fail(new Failure('unavailable', error.message, { cause: error }))
      broken(this)
    })
    this.#socket.bind({ address: localAddress, port: 0 }, () => {
      this.#bound = true
      for (const each of this.#tenants) each.start()
    })
  }

  get size(): number {
    return this.#tenants.size
  }

  get spent(): boolean {
    return this.#tenants.spent
  }

  takes(job: Job): boolean {
    return job.localAddress === this.#local && job.family === this.#family && this.#tenants.takes(keyOf(job))
  }

  /** It is started now, or as soon as the port is open. */
  enter(carriage: PlainCarriage): void {
    this.#tenants.enter(keyOf(carriage.job), carriage)
    if (this.#bound) carriage.start()
  }

  leave(carriage: PlainCarriage): void {
    this.#tenants.leave(keyOf(carriage.job))
  }

  /** What becomes of it is nobody's business. */
  send(packet: Uint8Array, port: number, address: string): void {
    try {
      this.#socket.send(packet, port, address, () => undefined)
    } catch {
      // A socket that is not bound yet or is closed already has nothing to say any more.
    }
  }

  sendPart(bytes: Buffer, at: number, length: number, to: Job, sent: (error: Error | null) => void): void {
    this.#socket.send(bytes, at, length, to.remotePort, to.remoteAddress, sent)
  }

  close(): void {
    // Node sends what has been given to the socket before it closes it, if that is still waiting.
    setImmediate(() => {
      try {
        this.#socket.close()
      } catch {
        // Closed already, or never bound.
      }
    })
  }

  #received(bytes: Buffer, from: RemoteInfo): void {
    const key = `${from.port} ${from.address}`
    const carriage = this.#tenants.find(key)
    if (carriage) carriage.receive(bytes)
    // RFC 1350 section 4: a stranger is told so. An ERROR is never answered.
    else if (!this.#tenants.hasLeft(key) && bytes.length >= 4 && bytes[1] !== 5)
      this.send(errorPacket(errorCode.unknownTransfer, 'unknown transfer ID'), from.port, from.address)
  }
}

function keyOf({ remotePort, remoteAddress }: Job): string {
  return `${remotePort} ${remoteAddress}`
}
