import type { RemoteInfo } from 'node:dgram'
import { LRUCache } from 'lru-cache'
import { failureMessage } from '../../core/failure.ts'
import type { NetworkAnswer, NetworkAsk } from '../../core/loader/network-offer.ts'
import type { EventSink } from '../../events/bus.ts'
import type { ListenAddress, Listener } from '../listener.ts'
import type { Interfaces, Side } from './interfaces.ts'
import { type AnswerLimits, AnswerRate, defaultLimits } from './limits.ts'
import { type DhcpPacket, decodePacket, encodePacket } from './packet.ts'
import {
  answerPacket,
  answerType,
  type ClientPorts,
  destinationOf,
  replyRoom,
  type Service,
} from './reply.ts'
import { clientFacts } from './request.ts'
import { type DhcpPorts, DhcpSockets } from './sockets.ts'

export type DecideOffer = (ask: NetworkAsk) => Promise<NetworkAnswer | undefined>

export interface DhcpListenerOptions {
  /** Interfaces to answer on; empty means every one but loopback. */
  readonly interfaces: readonly string[]
  /** `0.0.0.0`, or the one address to answer from. */
  readonly bind: string
  /** 67 unless a test has another. */
  readonly port: number
  readonly decide: DecideOffer
  readonly events: EventSink
  readonly limits?: Partial<AnswerLimits>
  /** For tests on loopback, where none of this is privileged: the real ones are 4011, 68 and 67. */
  readonly ports?: Omit<DhcpPorts, 'dhcp'> & ClientPorts
  readonly broadcast?: string
  readonly localInterfaces?: () => Interfaces
}

const standardPorts = { bootServer: 4011, client: 68, relay: 67 } as const

/** Lines of junk in one second that reach the log. */
const noisePerSecond = 10

/**
 * ProxyDHCP (PXE 2.1 section 2.2): tells machines that ask for network boot what to load, beside the DHCP server that gives
 * them their addresses. It gives none itself, and whoever does not ask for network boot hears nothing of it.
 */
export class DhcpListener implements Listener {
  readonly name = 'dhcp'
  readonly #options: DhcpListenerOptions
  readonly #ports: DhcpPorts & ClientPorts
  readonly #broadcast: string
  readonly #limits: AnswerLimits
  readonly #rate: AnswerRate
  readonly #sockets: DhcpSockets
  /** Machine and transaction that the log has a line of. */
  readonly #told = new LRUCache<string, true>({ max: 4096 })
  #pending = 0
  #noise = { sinceMs: Number.NEGATIVE_INFINITY, count: 0 }
  #address: ListenAddress | undefined

  constructor(options: DhcpListenerOptions) {
    this.#options = options
    this.#ports = { dhcp: options.port, ...(options.ports ?? standardPorts) }
    this.#broadcast = options.broadcast ?? '255.255.255.255'
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#rate = new AnswerRate(this.#limits)
    this.#sockets = new DhcpSockets(
      { ...options, ports: this.#ports, broadcast: this.#broadcast },
      (bytes, from, service, side) => this.#heard(bytes, from, service, side),
      (message) => options.events({ type: 'trouble', where: 'dhcp', message }),
      (to, message) => this.#note(to, message),
    )
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  get hint(): string {
    const where = this.sides.map((side) => `${side.interface} (${side.address})`).join(', ')
    return `proxy, gives no addresses; answers on ${where || 'no interface yet'}`
  }

  get sides(): readonly Side[] {
    return this.#sockets.sides
  }

  async start(): Promise<void> {
    await this.#sockets.open()
    this.#address = { host: this.#options.bind, port: this.#sockets.port ?? this.#ports.dhcp }
  }

  async stop(): Promise<void> {
    this.#address = undefined
    this.#sockets.close()
  }

  /** The second port on this side, for tests that let the system choose it. */
  bootServerPort(side: Side): number | undefined {
    return this.#sockets.bootServerPort(side)
  }

  #heard(bytes: Buffer, from: RemoteInfo, service: Service, side: Side | undefined): void {
    const packet = decodePacket(bytes)
    if ('malformed' in packet) {
      this.#note(from.address, packet.malformed)
      return
    }
    const type = answerType(packet, service)
    if (type === undefined) return
    const mac = Buffer.from(packet.chaddr).toString('hex')
    if (this.#pending >= this.#limits.pending || !this.#rate.admit(mac, performance.now())) {
      this.#note(from.address, 'more requests than are answered in this time')
      return
    }
    // A broadcast cannot be told to have come by one interface, so each side answers with its own address.
    const sides = side ? [side] : this.#sockets.sides
    for (const [at, each] of sides.entries()) void this.#answer(packet, type, service, each, from, at > 0)
  }

  async #answer(
    packet: DhcpPacket,
    type: 'offer' | 'ack',
    service: Service,
    side: Side,
    from: RemoteInfo,
    otherSide: boolean,
  ): Promise<void> {
    const client = clientFacts(packet)
    this.#pending++
    try {
      const answer = await this.#options.decide({
        client,
        serverAddress: side.address,
        clientAddress: from.address === '0.0.0.0' ? '' : from.address,
        xid: packet.xid,
        again: type === 'ack',
        otherSide,
      })
      if (!answer) return
      if (answer.kind === 'offer') {
        const reply = encodePacket(answerPacket(packet, type, answer.offer, side.address), replyRoom(packet))
        this.#sockets.send(
          reply,
          side,
          service,
          destinationOf(packet, service, from, this.#broadcast, this.#ports),
        )
      }
      if (type === 'offer') this.#tell(client.mac ?? from.address, packet.xid, answer)
    } catch (error) {
      this.#options.events({
        type: 'trouble',
        where: `dhcp answer to ${client.mac ?? from.address}`,
        message: failureMessage(error),
      })
    } finally {
      this.#pending--
    }
  }

  /** Once for each attempt of a machine: it repeats its request until an address is there as well. */
  #tell(client: string, xid: number, answer: NetworkAnswer): void {
    const key = `${client} ${xid}`
    if (this.#told.has(key)) return
    this.#told.set(key, true)
    const decision =
      answer.kind === 'offer'
        ? `${answer.offer.bootFile || 'its own files'} for ${answer.offer.firmware}: ${answer.why}`
        : `nothing from here: ${answer.why}`
    this.#options.events({
      type: 'boot',
      protocol: 'dhcp',
      client,
      decision,
      ...(answer.guest !== undefined && { guest: answer.guest }),
    })
  }

  #note(client: string, message: string): void {
    const nowMs = performance.now()
    if (nowMs - this.#noise.sinceMs >= 1000) this.#noise = { sinceMs: nowMs, count: 0 }
    if (++this.#noise.count > noisePerSecond) return
    this.#options.events({ type: 'noise', protocol: 'dhcp', client, message })
  }
}
