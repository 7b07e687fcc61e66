import type { NetworkOffer } from '../../core/loader/network-offer.ts'
import { encodeMessageType, type MessageType, maxMessageSize, messageType } from './options/message.ts'
import { bytesOf, optionCode } from './options/option.ts'
import { decodePxe, encodePxe, pxeCode, raspberryPiMenu, useThisOffer } from './options/pxe-vendor.ts'
import { type DhcpPacket, defaultReplyBytes, encodeAddress } from './packet.ts'

/**
 * The port that a packet came to: port 67 of DHCP, or port 4011 of PXE boot servers (PXE 2.1 section 2.2.3).
 */
export type ServerPort = 'dhcp' | 'boot-server'

export type ReplyType = Extract<MessageType, 'offer' | 'ack'>

const noAddress = '0.0.0.0'
/** `file` has room for 127 characters and a NUL; a longer name is sent in option 67 alone. */
const fileRoom = 127
/** The headers of IP and UDP, which option 57 counts too. */
const headerBytes = 28
/** The longest reply that we send, even when the client takes more: it fits one Ethernet frame. */
const maxReplyBytes = 1472

/**
 * The type of the reply to a packet: an OFFER to a DISCOVER, an ACK to a REQUEST or INFORM at port 4011. All
 * other packets are between the client and its DHCP server, and get no reply from a proxy.
 */
export function replyType(packet: DhcpPacket, serverPort: ServerPort): ReplyType | undefined {
  if (packet.op !== 'request') return undefined
  const type = messageType(packet.options)
  if (type === 'discover') return serverPort === 'dhcp' ? 'offer' : undefined
  return serverPort === 'boot-server' && (type === 'request' || type === 'inform') ? 'ack' : undefined
}

/**
 * The reply packet. The boot data is in every place where a client may look for it: `siaddr` and `file` (shim
 * reads nothing else), `sname`, and options 66 and 67 (GRUB, and names too long for `file`). All of it is in
 * the OFFER already, because Fedora's GRUB never looks at an ACK from port 4011. iPXE takes a proxy's boot file
 * only with a `siaddr` that is not zero, even when the file is a URL.
 */
export function replyPacket(
  request: DhcpPacket,
  type: ReplyType,
  offer: NetworkOffer,
  serverAddress: string,
): DhcpPacket {
  return {
    op: 'reply',
    htype: request.htype,
    hops: 0,
    xid: request.xid,
    secs: 0,
    flags: replyFlags(request),
    ciaddr: type === 'ack' ? request.ciaddr : noAddress,
    // A proxy gives no address.
    yiaddr: noAddress,
    siaddr: serverAddress,
    giaddr: request.giaddr,
    chaddr: request.chaddr,
    sname: serverAddress,
    file: offer.bootFile.length <= fileRoom ? offer.bootFile : '',
    options: replyOptions(request, type, offer, serverAddress),
  }
}

const broadcastFlag = 0x8000

/**
 * A relay sends a reply without the broadcast flag to `yiaddr` (RFC 1542 section 4.1.2). A proxy gives no address, so
 * the flag is set: ISC dhcrelay 4.4 and dnsmasq 2.90 send to 0.0.0.0 without it, and the client hears nothing.
 */
function replyFlags({ flags, giaddr }: DhcpPacket): number {
  return giaddr === noAddress ? flags : flags | broadcastFlag
}

function replyOptions(
  request: DhcpPacket,
  type: ReplyType,
  { style, bootFile, restartSeconds }: NetworkOffer,
  serverAddress: string,
): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>([
    [optionCode.messageType, encodeMessageType(type)],
    [optionCode.serverId, encodeAddress(serverAddress)],
    // PXE 2.1 section 2.2.1 and UEFI 2.10 section 24.7.3.1: without it the offer is not for network boot.
    [optionCode.vendorClass, bytesOf(style === 'http' ? 'HTTPClient' : 'PXEClient')],
  ])
  // PXE's sub-options say how to search for boot servers. HTTP Boot does not search.
  if (style !== 'http') options.set(optionCode.vendorSpecific, vendorOptions(request, style))
  options.set(optionCode.tftpServerName, bytesOf(serverAddress))
  if (bootFile !== '') options.set(optionCode.bootFile, bytesOf(bootFile))
  // PXELINUX reads it in a proxy's reply, too, and since 4.0 without option 208 (6.04, core/fs/pxe/bios.c).
  if (restartSeconds !== undefined) options.set(optionCode.rebootTime, encodeUint32(restartSeconds))
  // RFC 4578 section 2: 93, 94 and 97 are in every packet of clients and of servers. RFC 3046 section 2.2:
  // the option of a relay goes back unchanged, as the last option.
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
  // PXE 2.1 section 2.2.4: an ACK names the boot item of the request.
  const requested = request.options.get(optionCode.vendorSpecific)
  const item = requested && decodePxe(requested)?.get(pxeCode.bootItem)
  if (item) options.set(pxeCode.bootItem, item)
  return encodePxe(options)
}

function encodeUint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/**
 * The longest reply that this client takes: 548 octets, or what its option 57 says (RFC 2132 section 9.10).
 */
export function replyRoom(request: DhcpPacket): number {
  const stated = maxMessageSize(request.options)
  return stated === undefined
    ? defaultReplyBytes
    : Math.min(Math.max(stated - headerBytes, defaultReplyBytes), maxReplyBytes)
}

/** An address and a UDP port that a datagram goes to, or came from. */
export interface Destination {
  readonly address: string
  readonly port: number
}

/** The ports of clients (68) and of relay agents (67); tests have others. */
export interface ClientPorts {
  readonly client: number
  readonly relay: number
}

/** Targets of replies that are not sent back to the sender: the broadcast address, and the port of relays. */
export interface ReplyTargets {
  readonly broadcast: Destination
  readonly relayPort: number
}

/** A request with its sender and the port that it came to. */
export interface Arrival {
  readonly packet: DhcpPacket
  readonly serverPort: ServerPort
  readonly from: Destination
}

/**
 * Where the reply goes (RFC 2131 section 4.1). A client without an address is reached by broadcast only: iPXE
 * never sets the broadcast flag, and there is no address to send to. A client that asks at port 4011 has an
 * address, and listens on the port that it asked from: 68 (iPXE) or 4011 (EDK2).
 */
export function destinationOf({ packet, serverPort, from }: Arrival, targets: ReplyTargets): Destination {
  if (packet.giaddr !== noAddress) return { address: packet.giaddr, port: targets.relayPort }
  if (serverPort === 'boot-server' && from.address !== noAddress)
    return { address: from.address, port: from.port }
  return targets.broadcast
}
