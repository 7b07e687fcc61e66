import type { RemoteInfo } from 'node:dgram'
import { LRUCache } from 'lru-cache'
import type { ClientFacts } from '../../core/boot/firmware.ts'
import { failureMessage } from '../../core/failure.ts'
import type { NetworkBootRequest, NetworkOffer, NetworkReply } from '../../core/loader/network-offer.ts'
import type { EventSink } from '../../events/bus.ts'
import type { ListenAddress, Listener } from '../listener.ts'
import { RateLimit } from '../rate-limit.ts'
import type { Interfaces, ServedInterface } from './interfaces.ts'
import { defaultLimits, type ReplyLimits, ReplyRate } from './limits.ts'
import { type DhcpPacket, decodePacket, encodePacket } from './packet.ts'
import {
  type ClientPorts,
  destinationOf,
  type ReplyType,
  replyPacket,
  replyRoom,
  replyType,
  type ServerPort,
} from './reply.ts'
import { clientFacts, macOf } from './request.ts'
import { type DhcpPorts, DhcpSockets } from './sockets.ts'

/** Decides whether a machine gets an offer, and which. Undefined: no reply and no event. */
export type DecideOffer = (ask: NetworkBootRequest) => Promise<NetworkReply | undefined>

export interface DhcpListenerOptions {
  /** Names of the interfaces to reply on; empty means all but loopback. */
  readonly interfaces: readonly string[]
  /** `0.0.0.0`, or the one address to reply from. */
  readonly bind: string
  /** 67, except in tests. */
  readonly port: number
  readonly decide: DecideOffer
  readonly events: EventSink
  readonly limits?: Partial<ReplyLimits>
  /**
   * The boot-server, client and relay ports, for tests without privileges. The real ones are 4011, 68 and 67.
   */
  readonly ports?: Omit<DhcpPorts, 'dhcp'> & ClientPorts
  /** Where broadcasts go; 255.255.255.255, except in tests on loopback. */
  readonly broadcast?: string
  /** For tests. Default: the interfaces of this machine. */
  readonly localInterfaces?: () => Interfaces
}

const standardPorts = { bootServer: 4011, client: 68, relay: 67 } as const

/** Events about junk in one second: a flood must not fill the log. */
const noisePerSecond = 10

/** A packet that gets a reply, unless the decision is silence. */
interface BootRequest {
  readonly packet: DhcpPacket
  readonly serverPort: ServerPort
  readonly from: RemoteInfo
  readonly replyType: ReplyType
  readonly client: ClientFacts
}

/**
 * The ProxyDHCP service (PXE 2.1 section 2.2). It tells machines that ask for network boot what to load,
 * beside the DHCP server that gives them their addresses. It gives no addresses itself, and a machine that
 * does not ask for network boot gets no reply.
 */
export class DhcpListener implements Listener {
  readonly name = 'dhcp'
  readonly #options: DhcpListenerOptions
  readonly #ports: DhcpPorts & ClientPorts
  readonly #broadcast: string
  readonly #limits: ReplyLimits
  readonly #rate: ReplyRate
  readonly #noiseLimit = new RateLimit(noisePerSecond, 1000)
  readonly #sockets: DhcpSockets
  /** The machines and transaction numbers (xid) that an event was emitted for. */
  readonly #reported = new LRUCache<string, true>({ max: 4096 })
  #pending = 0
  #address: ListenAddress | undefined

  constructor(options: DhcpListenerOptions) {
    this.#options = options
    this.#ports = { dhcp: options.port, ...(options.ports ?? standardPorts) }
    this.#broadcast = options.broadcast ?? '255.255.255.255'
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#rate = new ReplyRate(this.#limits)
    this.#sockets = new DhcpSockets(
      { ...options, ports: this.#ports, broadcast: this.#broadcast },
      (bytes, from, serverPort, iface) => this.#onDatagram(bytes, from, serverPort, iface),
      (message) => options.events({ type: 'trouble', where: 'dhcp', message }),
      (to, message) => this.#noise(to, message),
    )
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  get hint(): string {
    const where = this.interfaces.map((iface) => `${iface.name} (${iface.address})`).join(', ')
    return `proxy, gives no addresses; replies on ${where || 'no interface yet'}`
  }

  get interfaces(): readonly ServedInterface[] {
    return this.#sockets.interfaces
  }

  async start(): Promise<void> {
    await this.#sockets.open()
    this.#address = { host: this.#options.bind, port: this.#sockets.port ?? this.#ports.dhcp }
  }

  async stop(): Promise<void> {
    this.#address = undefined
    this.#sockets.close()
  }

  /** The boot-server port (4011) on this interface, for tests that let the system choose it. */
  bootServerPort(iface: ServedInterface): number | undefined {
    return this.#sockets.bootServerPort(iface)
  }

  /** Handles one packet: classifies it, then decides and replies once for each interface. */
  #onDatagram(
    bytes: Buffer,
    from: RemoteInfo,
    serverPort: ServerPort,
    iface: ServedInterface | undefined,
  ): void {
    const request = this.#classify(bytes, from, serverPort)
    if (!request) return
    // Node does not tell by which interface a broadcast came. So we reply on every interface, each time with
    // our address there. Only the first decision counts the machine.
    const interfaces = iface ? [iface] : this.#sockets.interfaces
    for (const [index, each] of interfaces.entries()) {
      const isRepeat = index > 0
      void this.#reply(request, each, isRepeat)
    }
  }

  /**
   * Undefined for a packet that gets no reply: junk, a packet for the DHCP server, or a request over the
   * limits.
   */
  #classify(bytes: Buffer, from: RemoteInfo, serverPort: ServerPort): BootRequest | undefined {
    const packet = decodePacket(bytes)
    if ('malformed' in packet) {
      this.#noise(from.address, packet.malformed)
      return undefined
    }
    const type = replyType(packet, serverPort)
    if (type === undefined) return undefined
    const mac = macOf(packet)
    if (!this.#admit(mac ?? Buffer.from(packet.chaddr).toString('hex'))) {
      this.#noise(from.address, 'more requests than the limits of the service allow')
      return undefined
    }
    return { packet, serverPort, from, replyType: type, client: clientFacts(packet, mac) }
  }

  #admit(client: string): boolean {
    return this.#pending < this.#limits.pending && this.#rate.admit(client, performance.now())
  }

  async #reply(request: BootRequest, iface: ServedInterface, isRepeat: boolean): Promise<void> {
    this.#pending++
    try {
      const decision = await this.#decide(request, iface, isRepeat)
      if (!decision) return
      if (decision.kind === 'offer') this.#send(request, iface, decision.offer)
      // An ACK repeats the offer of an attempt that has its event.
      if (request.replyType === 'offer') this.#report(request, decision)
    } catch (error) {
      const where = `dhcp reply to ${clientName(request)}`
      this.#options.events({ type: 'trouble', where, message: failureMessage(error) })
    } finally {
      this.#pending--
    }
  }

  #decide(
    request: BootRequest,
    iface: ServedInterface,
    isRepeat: boolean,
  ): Promise<NetworkReply | undefined> {
    const { packet, from, client } = request
    return this.#options.decide({
      client,
      serverAddress: iface.address,
      clientAddress: from.address === '0.0.0.0' ? '' : from.address,
      xid: packet.xid,
      isFollowUp: request.replyType === 'ack',
      isRepeat,
    })
  }

  #send(
    { packet, serverPort, from, replyType: type }: BootRequest,
    iface: ServedInterface,
    offer: NetworkOffer,
  ): void {
    const reply = encodePacket(replyPacket(packet, type, offer, iface.address), replyRoom(packet))
    const broadcast = { address: this.#broadcast, port: this.#ports.client }
    const to = destinationOf({ packet, serverPort, from }, { broadcast, relayPort: this.#ports.relay })
    this.#sockets.send(reply, iface, serverPort, to)
  }

  /**
   * One event for each attempt: a machine repeats its request, with the same xid, while it waits for an
   * address.
   */
  #report(request: BootRequest, decision: NetworkReply): void {
    const client = clientName(request)
    const key = `${client} ${request.packet.xid}`
    if (this.#reported.has(key)) return
    this.#reported.set(key, true)
    const { guest } = decision
    this.#options.events({
      type: 'boot',
      protocol: 'dhcp',
      client,
      decision: describeDecision(decision),
      ...(guest !== undefined && { guest }),
    })
  }

  #noise(client: string, message: string): void {
    if (!this.#noiseLimit.admit(performance.now())) return
    this.#options.events({ type: 'noise', protocol: 'dhcp', client, message })
  }
}

function clientName({ client, from }: BootRequest): string {
  return client.mac ?? from.address
}

function describeDecision(decision: NetworkReply): string {
  if (decision.kind !== 'offer') return `no reply: ${decision.why}`
  const { offer, why } = decision
  return `${offer.bootFile || 'its own files'} for ${offer.firmware}: ${why}`
}
