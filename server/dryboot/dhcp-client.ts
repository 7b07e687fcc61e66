import { randomInt } from 'node:crypto'
import type { DhcpIdentity } from '../core/boot/test-firmware.ts'
import type { NetworkReply } from '../core/loader/network-offer.ts'
import type { DecideNetworkBoot } from '../machines/network-boot.ts'
import { encodeMessageType, type MessageType } from '../protocols/dhcp/options/message.ts'
import { bytesOf, optionCode, textOf } from '../protocols/dhcp/options/option.ts'
import { encodeClientArchs, encodeMachineUuid } from '../protocols/dhcp/options/pxe-client.ts'
import { type DhcpPacket, decodePacket, encodePacket } from '../protocols/dhcp/packet.ts'
import { replyPacket, replyRoom, replyType, type ServerPort } from '../protocols/dhcp/reply.ts'
import { clientFacts } from '../protocols/dhcp/request.ts'
import type { TriedMachine } from './walk.ts'

/** The reply to a machine that asked, as it reads it in the packet. */
export type DhcpAnswer =
  | {
      readonly kind: 'offer'
      readonly bootFile: string
      readonly guest: string | undefined
      readonly why: string
    }
  | { readonly kind: 'silence'; readonly why: string }

/**
 * A machine that asks for network boot: at port 67, and with the offer once more at port 4011 (PXE 2.1 section 2.2). Its
 * packets and ours go through the codec and the decision of the service, and never to a socket: another DHCP server
 * would lease an address for this machine, and switches would learn its MAC in a wrong place.
 */
export class DhcpClient {
  readonly #decide: DecideNetworkBoot
  readonly #machine: TriedMachine
  readonly #serverAddress: string

  /** @param serverAddress IPv4. */
  constructor(decide: DecideNetworkBoot, machine: TriedMachine, serverAddress: string) {
    this.#decide = decide
    this.#machine = machine
    this.#serverAddress = serverAddress
  }

  /**
   * @throws Failure when the reply does not fit the packet.
   */
  async ask(identity: DhcpIdentity): Promise<DhcpAnswer> {
    const offered = await this.#send(identity, 'discover', 'dhcp')
    if (offered.kind === 'silence') return offered
    const confirmed = await this.#send(identity, 'request', 'boot-server')
    const isSame = confirmed.kind === 'offer' && confirmed.bootFile === offered.bootFile
    const other = confirmed.kind === 'offer' ? confirmed.bootFile : `no reply (${confirmed.why})`
    return isSame
      ? offered
      : { kind: 'silence', why: `port 67 offers ${offered.bootFile}, and port 4011 ${other}` }
  }

  /** What the machine would be told by another DHCP server that knows what we know: without a packet of ours. */
  async askOther(identity: DhcpIdentity): Promise<DhcpAnswer> {
    const decision = await this.#decideOn(this.#request(identity, 'discover'), false)
    if (decision?.kind !== 'offer') return decision ?? noBoot
    return { kind: 'offer', bootFile: decision.offer.bootFile, guest: decision.guest, why: decision.why }
  }

  async #send(identity: DhcpIdentity, type: MessageType, port: ServerPort): Promise<DhcpAnswer> {
    const packet = onTheWire(this.#request(identity, type))
    const reply = replyType(packet, port)
    const decision = reply && (await this.#decideOn(packet, reply === 'ack'))
    if (!reply || !decision) return noBoot
    if (decision.kind === 'silence') return decision
    return this.#read(packet, reply, decision)
  }

  #decideOn(packet: DhcpPacket, isFollowUp: boolean): Promise<NetworkReply | undefined> {
    return this.#decide({
      client: clientFacts(packet),
      serverAddress: this.#serverAddress,
      clientAddress: '',
      // No packet has this number, so this is another attempt than the last one of the machine itself.
      xid: -1,
      isFollowUp,
    })
  }

  /** What a client reads in the reply: `file`, and option 67 where the name is too long for that field. */
  #read(
    packet: DhcpPacket,
    type: 'offer' | 'ack',
    decision: Extract<NetworkReply, { kind: 'offer' }>,
  ): DhcpAnswer {
    const { offer, guest, why } = decision
    const reply = onTheWire(replyPacket(packet, type, offer, this.#serverAddress), replyRoom(packet))
    const named = reply.options.get(optionCode.bootFile)
    const bootFile = reply.file || (named ? textOf(named) : '')
    return { kind: 'offer', bootFile, guest, why }
  }

  #request({ arch, vendorClass, userClass }: DhcpIdentity, type: MessageType): DhcpPacket {
    const { mac, uuid } = this.#machine
    const options = new Map<number, Uint8Array>([
      [optionCode.messageType, encodeMessageType(type)],
      // RFC 4578 section 2: 93, 94 and 97 are in every request for network boot.
      [optionCode.maxMessageSize, Uint8Array.of(1472 >> 8, 1472 & 0xff)],
      [optionCode.vendorClass, bytesOf(vendorClass)],
      [optionCode.clientArch, encodeClientArchs([arch])],
      [optionCode.networkInterface, Uint8Array.of(1, 2, 1)],
      [optionCode.machineId, uuid === undefined ? new Uint8Array(17) : encodeMachineUuid(uuid)],
    ])
    // iPXE sends it bare, not in the list form of RFC 3004.
    if (userClass !== undefined) options.set(optionCode.userClass, bytesOf(userClass))
    return {
      op: 'request',
      htype: 1,
      hops: 0,
      xid: randomInt(2 ** 32),
      secs: 4,
      flags: 0x8000,
      ciaddr: '0.0.0.0',
      yiaddr: '0.0.0.0',
      siaddr: '0.0.0.0',
      giaddr: '0.0.0.0',
      chaddr: Buffer.from(mac.replaceAll(':', ''), 'hex'),
      sname: '',
      file: '',
      options,
    }
  }
}

const noBoot: DhcpAnswer = { kind: 'silence', why: 'the packet does not ask for network boot' }

/** The packet as the other side decodes it. */
function onTheWire(packet: DhcpPacket, room?: number): DhcpPacket {
  const decoded = decodePacket(encodePacket(packet, room))
  if ('malformed' in decoded) throw new RangeError(decoded.malformed)
  return decoded
}
