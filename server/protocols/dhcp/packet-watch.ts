import { type ClientFacts, classifyFirmware } from '../../core/boot/firmware.ts'
import { defined } from '../../core/defined.ts'
import type { NetworkReply } from '../../core/loader/network-offer.ts'
import type { Event, EventSink } from '../../events/bus.ts'
import { RateLimit } from '../rate-limit.ts'
import { messageType } from './options/message.ts'
import { optionCode } from './options/option.ts'
import type { DhcpPacket } from './packet.ts'
import type { ReplyType, ServerPort } from './reply.ts'
import { clientFacts } from './request.ts'

type DhcpEvent = Extract<Event, { type: 'dhcp' }>

/** A packet that was answered, or was met with silence. */
export interface WatchedRequest {
  readonly packet: DhcpPacket
  readonly serverPort: ServerPort
  readonly from: { readonly address: string }
  readonly replyType: ReplyType
  readonly client: ClientFacts
}

/** Requests to other servers in one second that become events: they get no reply, so no other limit counts them. */
const othersPerSecond = 500
const noAddress = '0.0.0.0'
const ports: Record<ServerPort, number> = { dhcp: 67, 'boot-server': 4011 }

/** Tells, as events, which packets of machines that boot passed the service. */
export class PacketWatch {
  readonly #events: EventSink
  readonly #others = new RateLimit(othersPerSecond, 1000)

  constructor(events: EventSink) {
    this.#events = events
  }

  answered(request: WatchedRequest, decision: NetworkReply, ms: number): void {
    const { packet, serverPort, from, replyType, client } = request
    const offer = decision.kind === 'offer' ? decision.offer : undefined
    const answer = replyType === 'ack' ? 'confirmed' : 'offered'
    this.#events({
      type: 'dhcp',
      step: offer ? answer : 'silent',
      ...shared(packet, client, from.address),
      port: ports[serverPort],
      ms,
      detail: decision.why,
      ...defined({
        firmware: offer?.firmware,
        guest: decision.guest,
        file: offer?.bootFile,
        address: addressOf(packet, from.address),
      }),
    })
  }

  /**
   * A machine that boots asks a DHCP server for its address (RFC 2131 section 3.1, step 3). It broadcasts this, so that
   * all servers know whose offer it takes: option 54 names the server, option 50 the address.
   */
  asksOther(packet: DhcpPacket, serverPort: ServerPort, mac: string | undefined): void {
    if (serverPort !== 'dhcp' || packet.op !== 'request') return
    if (messageType(packet.options) !== 'request') return
    const client = clientFacts(packet, mac)
    const firmware = classifyFirmware(client)?.firmware
    if (firmware === undefined || !this.#others.admit(performance.now())) return
    this.#events({
      type: 'dhcp',
      step: 'leased',
      ...shared(packet, client, ''),
      port: ports.dhcp,
      ms: 0,
      firmware,
      ...defined({
        address: addressIn(packet, optionCode.requestedAddress) ?? addressOf(packet, noAddress),
        server: addressIn(packet, optionCode.serverId),
      }),
    })
  }
}

function shared(packet: DhcpPacket, { mac, uuid }: ClientFacts, from: string) {
  const client = mac ?? (from || Buffer.from(packet.chaddr).toString('hex'))
  return { client, xid: packet.xid, ...defined({ mac, uuid }) } satisfies Partial<DhcpEvent>
}

/** Behind a relay (`giaddr`) the sender's address is that of the relay. */
function addressOf({ ciaddr, giaddr }: DhcpPacket, from: string): string | undefined {
  if (ciaddr !== noAddress) return ciaddr
  return giaddr === noAddress && from !== noAddress ? from : undefined
}

function addressIn({ options }: DhcpPacket, code: number): string | undefined {
  const bytes = options.get(code)
  return bytes?.length === 4 ? bytes.join('.') : undefined
}
