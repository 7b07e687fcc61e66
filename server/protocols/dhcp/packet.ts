import { isIPv4 } from 'node:net'
import { Failure } from '../../core/failure.ts'
import { requestLimits } from '../../core/limits/requests.ts'
import { fillField, readField, writeParts } from './options/fields.ts'
import { bytesOf, type DhcpOptions, optionCode, textOf } from './options/option.ts'

/** A DHCP packet, RFC 2131 section 2. Addresses are dotted; 0.0.0.0 means none. */
export interface DhcpPacket {
  readonly op: 'request' | 'reply'
  /** ARP's hardware types (RFC 1700): 1 is Ethernet. */
  readonly htype: number
  readonly hops: number
  readonly xid: number
  readonly secs: number
  readonly flags: number
  readonly ciaddr: string
  readonly yiaddr: string
  readonly siaddr: string
  readonly giaddr: string
  /** As long as `hlen` says, at most 16 octets. */
  readonly chaddr: Uint8Array
  /** '' when the field holds options instead of a name (option 52, overload). */
  readonly sname: string
  /** '' when the field holds options, as with `sname`. */
  readonly file: string
  /** Without pad, end and overload, which exist on the wire only. */
  readonly options: DhcpOptions
}

/** The result of decoding bytes that are not a DHCP packet: the reason. */
export interface Malformed {
  readonly malformed: string
}

/** RFC 2131 section 2, figure 1: the flag that asks for replies by broadcast. */
export const broadcastFlag = 0x8000

/** Offsets and sizes of fields: RFC 2131 figure 1. */
const at = { sname: 44, file: 108, cookie: 236, options: 240 } as const
const snameBytes = 64
const fileBytes = 128
/** The four octets before the options: 99, 130, 83, 99 (RFC 2131 section 3). */
const magicCookie = 0x63825363
/**
 * The shortest packet that we send: BOOTP's 300 octets (RFC 951). Some relays and ROMs drop shorter packets.
 */
const minPacketBytes = 300
/**
 * The longest packet that is read: more than any client sends, and more than an unfragmented frame carries.
 */
export const maxPacketBytes = requestLimits.dhcpPacket.bytes
/** A reply of this size fits every client: 576 octets with the headers of IP and UDP (RFC 2131 section 2). */
export const defaultReplyBytes = 548

/** Bits of option 52: the fields that hold options (RFC 2132 section 9.3). */
const overloadBits = { file: 1, sname: 2 } as const

/** Decodes any bytes to a packet, or to the reason why they are not a packet. Never throws. */
export function decodePacket(bytes: Uint8Array): DhcpPacket | Malformed {
  if (bytes.length < at.options || bytes.length > maxPacketBytes)
    return { malformed: `${bytes.length} octets; a DHCP packet has ${at.options} to ${maxPacketBytes}` }
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const op = view[0]
  if (op !== 1 && op !== 2) return { malformed: `op ${op}; expected 1 (request) or 2 (reply)` }
  const hlen = view.readUInt8(2)
  if (hlen > 16) return { malformed: `hardware address of ${hlen} octets; there is room for 16` }
  if (view.readUInt32BE(at.cookie) !== magicCookie)
    return { malformed: 'no DHCP magic cookie; plain BOOTP is not served' }
  const read = readOptions(view)
  if (typeof read === 'string') return { malformed: read }
  return {
    op: op === 1 ? 'request' : 'reply',
    htype: view.readUInt8(1),
    hops: view.readUInt8(3),
    xid: view.readUInt32BE(4),
    secs: view.readUInt16BE(8),
    flags: view.readUInt16BE(10),
    ciaddr: readAddress(view, 12),
    yiaddr: readAddress(view, 16),
    siaddr: readAddress(view, 20),
    giaddr: readAddress(view, 24),
    chaddr: view.subarray(28, 28 + hlen),
    ...read,
  }
}

function readOptions(view: Buffer): Pick<DhcpPacket, 'sname' | 'file' | 'options'> | string {
  const options = new Map<number, Uint8Array>()
  const [snameField, fileField] = [view.subarray(at.sname, at.file), view.subarray(at.file, at.cookie)]
  const damaged = readField(view.subarray(at.options), options)
  if (damaged !== undefined) return damaged
  const overload = overloadOf(options)
  if (typeof overload === 'string') return overload
  // RFC 2131, 4.1: first the file field, then sname.
  const fileHasOptions = (overload & overloadBits.file) !== 0
  const snameHasOptions = (overload & overloadBits.sname) !== 0
  const damagedFile = fileHasOptions ? readField(fileField, options) : undefined
  if (damagedFile !== undefined) return `${damagedFile} (in the file field)`
  const damagedSname = snameHasOptions ? readField(snameField, options) : undefined
  if (damagedSname !== undefined) return `${damagedSname} (in the sname field)`
  if (options.has(optionCode.overload)) return 'option overload inside an overloaded field'
  return {
    sname: snameHasOptions ? '' : textOf(snameField),
    file: fileHasOptions ? '' : textOf(fileField),
    options,
  }
}

/**
 * Removes the overload option and returns its value: which fields hold options, as bits. A string is the
 * reason why the option is invalid.
 */
function overloadOf(options: Map<number, Uint8Array>): number | string {
  const value = options.get(optionCode.overload)
  if (!value) return 0
  options.delete(optionCode.overload)
  const overload = value[0] ?? 0
  if (value.length === 1 && overload >= 1 && overload <= 3) return overload
  return `option overload ${Buffer.from(value).toString('hex')}; expected 01, 02 or 03`
}

/**
 * Encodes a packet of at most `maxBytes` octets. Options that do not fit go to `file` and `sname`, if these
 * are free.
 *
 * @throws Failure `too-large` when the options do not fit; `bad-request` for text that a field cannot hold.
 */
export function encodePacket(packet: DhcpPacket, maxBytes = defaultReplyBytes): Buffer {
  if (packet.chaddr.length > 16)
    throw new Failure('bad-request', `hardware address of ${packet.chaddr.length} octets; at most 16`)
  const parts = writeParts([...packet.options].filter(([code]) => !isWireOnly(code)))
  const endBytes = 1
  const needed = parts.reduce((sum, part) => sum + part.length, endBytes)
  const room = maxBytes - at.options
  const overloads = needed > room
  // Three octets for the overload option itself.
  const main = fillField(parts, overloads ? room - 3 : room)
  const inFile = parts.length > 0 && packet.file === '' ? fillField(parts, fileBytes) : undefined
  const inSname = parts.length > 0 && packet.sname === '' ? fillField(parts, snameBytes) : undefined
  if (parts.length > 0)
    throw new Failure('too-large', `the options need ${needed} octets; there is room for ${room}`)
  const overload = (inFile ? overloadBits.file : 0) | (inSname ? overloadBits.sname : 0)
  const field = overload === 0 ? main : Buffer.concat([Buffer.from([optionCode.overload, 1, overload]), main])
  const bytes = Buffer.alloc(Math.max(minPacketBytes, at.options + field.length))
  writeHeader(bytes, packet)
  bytes.set(inSname ?? textField(packet.sname, snameBytes, 'sname'), at.sname)
  bytes.set(inFile ?? textField(packet.file, fileBytes, 'file'), at.file)
  bytes.writeUInt32BE(magicCookie, at.cookie)
  bytes.set(field, at.options)
  return bytes
}

function isWireOnly(code: number): boolean {
  return code === optionCode.pad || code === optionCode.end || code === optionCode.overload
}

function writeHeader(bytes: Buffer, packet: DhcpPacket): void {
  bytes.writeUInt8(packet.op === 'request' ? 1 : 2, 0)
  bytes.writeUInt8(packet.htype, 1)
  bytes.writeUInt8(packet.chaddr.length, 2)
  bytes.writeUInt8(packet.hops, 3)
  bytes.writeUInt32BE(packet.xid, 4)
  bytes.writeUInt16BE(packet.secs, 8)
  bytes.writeUInt16BE(packet.flags, 10)
  bytes.set(encodeAddress(packet.ciaddr), 12)
  bytes.set(encodeAddress(packet.yiaddr), 16)
  bytes.set(encodeAddress(packet.siaddr), 20)
  bytes.set(encodeAddress(packet.giaddr), 24)
  bytes.set(packet.chaddr, 28)
}

/** RFC 2131 section 2: both fields end with a NUL. Longer text must be sent as an option. */
function textField(text: string, room: number, name: string): Uint8Array {
  if (!/^[\x01-\xff]*$/.test(text))
    throw new Failure(
      'bad-request',
      `${name} ${JSON.stringify(text)} has characters that a DHCP field cannot hold`,
    )
  if (text.length >= room)
    throw new Failure('too-large', `${name} of ${text.length} octets; at most ${room - 1}`)
  return bytesOf(text)
}

function readAddress(view: Buffer, offset: number): string {
  return `${view[offset]}.${view[offset + 1]}.${view[offset + 2]}.${view[offset + 3]}`
}

/** @throws Failure `bad-request` for text that is not a dotted IPv4 address. */
export function encodeAddress(address: string): Uint8Array {
  if (!isIPv4(address)) throw new Failure('bad-request', `${address} is not an IPv4 address`)
  return Uint8Array.from(address.split('.'), Number)
}
