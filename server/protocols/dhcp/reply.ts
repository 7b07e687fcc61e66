import type { NetworkOffer } from '../../core/loader/network-offer.ts'
import { encodeMessageType, type MessageType, maxMessageSize, messageType } from './options/message.ts'
import { bytesOf, optionCode } from './options/option.ts'
import { decodePxe, encodePxe, pxeCode, raspberryPiMenu, useThisOffer } from './options/pxe-vendor.ts'
import { type DhcpPacket, defaultReplyBytes, encodeAddress } from './packet.ts'

/** Which of our two ports heard a packet: DHCP's own, or the one of PXE boot servers (PXE 2.1 section 2.2.3). */
export type Service = 'dhcp' | 'boot-server'

const noAddress = '0.0.0.0'
/** `file` holds 127 characters and a NUL; a longer name travels in option 67 alone. */
const fileRoom = 127
/** Headers of IP and UDP count in option 57. */
const headerBytes = 28
/** No more than one Ethernet frame, whatever the client would take. */
const mostReplyBytes = 1472

/**
 * What kind of answer a packet calls for: an OFFER to a DISCOVER, an ACK to a REQUEST or INFORM at port 4011. Everything
 * else on port 67 is between the client and its DHCP server, and no business of a proxy.
 */
export function answerType(packet: DhcpPacket, service: Service): 'offer' | 'ack' | undefined {
  if (packet.op !== 'request') return undefined
  const type = messageType(packet.options)
  if (type === 'discover') return service === 'dhcp' ? 'offer' : undefined
  return service === 'boot-server' && (type === 'request' || type === 'inform') ? 'ack' : undefined
}

/**
 * The answer. Boot data stands wherever some client looks for it: `siaddr` and `file` (shim reads nothing else), options
 * 66 and 67 (GRUB, and names too long for `file`), all of it in the OFFER already (Fedora's GRUB never looks at an ACK from
 * port 4011). iPXE takes a proxy's boot file only next to a `siaddr` that is not zero, even when the file is a URL.
 */
export function answerPacket(
  request: DhcpPacket,
  type: Extract<MessageType, 'offer' | 'ack'>,
  offer: NetworkOffer,
  serverAddress: string,
): DhcpPacket {
  return {
    op: 'reply',
    htype: request.htype,
    hops: 0,
    xid: request.xid,
    secs: 0,
    flags: request.flags,
    ciaddr: type === 'ack' ? request.ciaddr : noAddress,
    // A proxy gives no addresses.
    yiaddr: noAddress,
    siaddr: serverAddress,
    giaddr: request.giaddr,
    chaddr: request.chaddr,
    sname: serverAddress,
    file: offer.bootFile.length <= fileRoom ? offer.bootFile : '',
    options: answerOptions(request, type, offer, serverAddress),
  }
}

function answerOptions(
  request: DhcpPacket,
  type: MessageType,
  { style, bootFile }: NetworkOffer,
  serverAddress: string,
): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>([
    [optionCode.messageType, encodeMessageType(type)],
    [optionCode.serverId, encodeAddress(serverAddress)],
    // PXE 2.1 section 2.2.1 and UEFI 2.10 section 24.7.3.1: without it the offer is not for network boot.
    [optionCode.vendorClass, bytesOf(style === 'http' ? 'HTTPClient' : 'PXEClient')],
  ])
  if (style !== 'http') options.set(optionCode.vendorSpecific, vendorOptions(request, style))
  options.set(optionCode.tftpServerName, bytesOf(serverAddress))
  if (bootFile !== '') options.set(optionCode.bootFile, bytesOf(bootFile))
  // RFC 4578 section 2: in every packet of clients and of servers. RFC 3046 section 2.2: what a relay added goes back as it came.
  for (const code of [
    optionCode.clientArch,
    optionCode.networkInterface,
    optionCode.machineId,
    optionCode.relayAgent,
  ]) {
    const value = request.options.get(code)
    if (value) options.set(code, value)
  }
  return options
}

function vendorOptions(request: DhcpPacket, style: 'pxe' | 'raspberry-pi'): Uint8Array {
  const options = style === 'raspberry-pi' ? raspberryPiMenu() : useThisOffer()
  // PXE 2.1 section 2.2.4: an ACK names the boot item that was asked for.
  const asked = request.options.get(optionCode.vendorSpecific)
  const item = asked && decodePxe(asked)?.get(pxeCode.bootItem)
  if (item && item.length <= 255) options.set(pxeCode.bootItem, item)
  return encodePxe(options)
}

/** How long an answer this client takes: 548 octets, or what it says (RFC 2132 section 9.10). */
export function replyRoom(request: DhcpPacket): number {
  const says = maxMessageSize(request.options)
  return says === undefined
    ? defaultReplyBytes
    : Math.min(Math.max(says - headerBytes, defaultReplyBytes), mostReplyBytes)
}

export interface Destination {
  readonly address: string
  readonly port: number
}

export interface ClientPorts {
  readonly client: number
  readonly relay: number
}

/**
 * Where the answer goes (RFC 2131 section 4.1). A client without an address is reached by broadcast only: iPXE never sets
 * the broadcast flag, and there is no address to send to. One that asks at port 4011 has an address, and hears on
 * the port that it asked from: 68 (iPXE) or 4011 (EDK2).
 */
export function destinationOf(
  packet: DhcpPacket,
  service: Service,
  from: Destination,
  broadcast: string,
  ports: ClientPorts,
): Destination {
  if (packet.giaddr !== noAddress) return { address: packet.giaddr, port: ports.relay }
  if (service === 'boot-server' && from.address !== noAddress)
    return { address: from.address, port: from.port }
  return { address: broadcast, port: ports.client }
}
