import type { RemoteInfo } from 'node:dgram'
import type { ClientFacts } from '../../core/boot/firmware.ts'
import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import type { NetworkBootRequest, NetworkOffer, NetworkReply } from '../../core/loader/network-offer.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import type { EventSink } from '../../events/bus.ts'
import { lru } from '../../host/lru.ts'
import type { ListenAddress, Listener } from '../listener.ts'
import { RateLimit } from '../rate-limit.ts'
import type { Interfaces, ServedInterface } from './interfaces.ts'
import { defaultLimits, type ReplyLimits, ReplyRate } from './limits.ts'
import { type DhcpPacket, decodePacket, encodePacket } from './packet.ts'
import { PacketWatch } from './packet-watch.ts'
import { isProbe, ProxyProbe, type Rival } from './probe.ts'
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

export interface ProbeTiming {
  /** Between two searches; the first one is at the start. Default: an hour. */
  readonly everyMs?: number
  /** How long a search waits for offers, twice. Default: 2 seconds. */
  readonly waitMs?: number
  /** Where other servers receive, for tests. Default: where this one does. */
  readonly serverPort?: number
}

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
  /**
   * How other servers that offer network boot are searched for. Tests that speak to this service alone have
   * `never`.
   */
  readonly probe?: ProbeTiming | 'never'
  /** For tests. Default: the interfaces of this machine. */
  readonly localInterfaces?: () => Interfaces
}

/** A packet of a client without an address, and one that no relay has passed on. */
const noAddress = '0.0.0.0'

const standardPorts = { bootServer: 4011, client: 68, relay: 67 } as const

/** Another treeboot shall see that we are here. Nothing is booted. */
const probeOffer: NetworkOffer = { firmware: 'bios', style: 'pxe', bootFile: '' }

const hourMs = 3_600_000

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
  readonly #reported = lru<string, true>(4096)
  readonly #watch: PacketWatch
  readonly #probe: ProxyProbe
  #probing: NodeJS.Timeout | undefined
  /** By interface and address. */
  #rivals: ReadonlyMap<string, Rival> = new Map()
  #pending = 0
  #address: ListenAddress | undefined

  constructor(options: DhcpListenerOptions) {
    this.#options = options
    this.#ports = { dhcp: options.port, ...(options.ports ?? standardPorts) }
    this.#broadcast = options.broadcast ?? '255.255.255.255'
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#rate = new ReplyRate(this.#limits)
    this.#watch = new PacketWatch(options.events)
    const { waitMs } = options.probe === 'never' ? {} : (options.probe ?? {})
    this.#probe = new ProxyProbe({
      clientPort: this.#ports.client,
      broadcast: this.#broadcast,
      ...defined({ waitMs }),
    })
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
    const { probe = {} } = this.#options
    if (probe === 'never') return
    const { everyMs = hourMs, serverPort = this.#address.port } = probe
    void this.#lookForRivals(serverPort)
    this.#probing = setInterval(() => void this.#lookForRivals(serverPort), everyMs)
    this.#probing.unref()
  }

  refuseNew(): void {
    clearInterval(this.#probing)
    this.#address = undefined
    this.#sockets.close()
  }

  /** An offer is one packet. */
  transfers(): readonly [] {
    return []
  }

  async stop(): Promise<void> {
    this.refuseNew()
  }

  /** The boot-server port (4011) on this interface, for tests that let the system choose it. */
  bootServerPort(iface: ServedInterface): number | undefined {
    return this.#sockets.bootServerPort(iface)
  }

  get problems(): readonly SnapshotProblem[] {
    return [...this.#rivals.values()].map((rival) => ({
      severity: 'warning',
      where: `dhcp on ${rival.interface}`,
      message: rivalText(rival),
      remedy:
        'stop one of the two, or set dhcp.mode: off here: a machine follows either one, and two servers do not know what the other has installed',
    }))
  }

  /** Machines follow one of two proxies by chance, and each installs a guest that the other knows to be installed. */
  async #lookForRivals(serverPort: number): Promise<void> {
    try {
      const rivals = await this.#probe.find(this.interfaces, serverPort)
      if (!this.#address) return
      const found = new Map(rivals.map((rival) => [`${rival.interface} ${rival.address}`, rival]))
      for (const [key, rival] of found)
        if (!this.#rivals.has(key))
          this.#options.events({ type: 'trouble', where: 'dhcp', message: rivalText(rival) })
      this.#rivals = found
    } catch (error) {
      if (!this.#address) return
      const message = `cannot look for other servers that offer network boot: ${failureMessage(error)}`
      this.#options.events({ type: 'trouble', where: 'dhcp', message })
    }
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
    if (this.#probe.isOwn(packet)) return undefined
    const mac = macOf(packet)
    if (type === undefined) {
      this.#watch.asksOther(packet, serverPort, mac)
      return undefined
    }
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
    const startedMs = performance.now()
    try {
      if (isProbe(request.packet)) return this.#send(request, iface, probeOffer)
      const decision = await this.#decide(request, iface, isRepeat)
      if (!decision) return
      if (decision.kind === 'offer') this.#send(request, iface, decision.offer)
      if (!isRepeat) this.#watch.answered(request, decision, performance.now() - startedMs)
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
      clientAddress: packet.giaddr === noAddress && from.address !== noAddress ? from.address : '',
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

function rivalText({ address, interface: name, bootFile }: Rival): string {
  const what = bootFile === '' ? '' : ` (boot file ${bootFile})`
  return `another server offers network boot on ${name}: ${address}${what}`
}

function clientName({ client, from }: BootRequest): string {
  return client.mac ?? from.address
}

function describeDecision(decision: NetworkReply): string {
  if (decision.kind !== 'offer') return `no reply: ${decision.why}`
  const { offer, why } = decision
  return `${offer.bootFile || 'its own files'} for ${offer.firmware}: ${why}`
}
