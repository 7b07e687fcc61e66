/**
 * TFTP packets: decoding and encoding. RFC 1350 section 5 and appendix I, RFC 2347 (options, OACK). Numbers
 * are big-endian, and a NUL octet ends each text.
 */
import { requestLimits } from '../../../core/limits/requests.ts'

/**
 * The modes of RFC 1350 section 1. `mail` is a valid mode, although it is obsolete since that RFC and the
 * service refuses it.
 */
export type Mode = 'octet' | 'netascii' | 'mail'

/**
 * Options in the order they were sent. Names are in lower case here; on the wire they are case-insensitive.
 */
export type Options = ReadonlyMap<string, string>

export type Packet =
  | { readonly type: 'rrq'; readonly filename: string; readonly mode: Mode; readonly options: Options }
  | { readonly type: 'wrq'; readonly filename: string; readonly mode: Mode; readonly options: Options }
  | { readonly type: 'data'; readonly block: number; readonly data: Uint8Array }
  | { readonly type: 'ack'; readonly block: number }
  | { readonly type: 'error'; readonly code: number; readonly message: string }
  | { readonly type: 'oack'; readonly options: Options }

/**
 * Bytes that are not a TFTP packet, and why. `opcode`: their first two bytes; -1 for fewer than two bytes.
 */
export interface Malformed {
  readonly type: 'malformed'
  readonly opcode: number
  readonly reason: string
}

/**
 * The longest request. RFC 2347 limits it to 512 octets. Real file names with real option lists may be
 * longer, so we accept as much as an unfragmented Ethernet frame carries.
 */
export const maxRequestBytes = requestLimits.tftpRequest.bytes
/** The most data octets of a packet, without the four octets of its header (RFC 2348). */
export const maxDataBytes = 65464
/** The most options in one request: many more than any client is known to send. */
export const maxOptions = requestLimits.tftpRequest.entries

const opcodes = { rrq: 1, wrq: 2, data: 3, ack: 4, error: 5, oack: 6 } as const
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const looseText = new TextDecoder('utf-8', { ignoreBOM: true })

/** Decodes any bytes to a packet, or to the reason why they are not a packet. Never throws. */
export function decodePacket(bytes: Uint8Array): Packet | Malformed {
  const opcode = bytes.length >= 2 ? word(bytes, 0) : -1
  switch (opcode) {
    case opcodes.rrq:
      return decodeRequest('rrq', bytes)
    case opcodes.wrq:
      return decodeRequest('wrq', bytes)
    case opcodes.data:
      if (bytes.length < 4 || bytes.length > maxDataBytes + 4)
        return malformed(opcode, `DATA of ${bytes.length} octets; expected 4 to ${maxDataBytes + 4}`)
      return { type: 'data', block: word(bytes, 2), data: bytes.subarray(4) }
    case opcodes.ack:
      if (bytes.length !== 4) return malformed(opcode, `ACK of ${bytes.length} octets; expected 4`)
      return { type: 'ack', block: word(bytes, 2) }
    case opcodes.error:
      return decodeError(bytes)
    case opcodes.oack:
      return decodeOack(bytes)
    case -1:
      return malformed(opcode, `datagram of ${bytes.length} octets; a TFTP packet has at least 4`)
    default:
      return malformed(opcode, `opcode ${opcode}; expected 1 to 6`)
  }
}

/**
 * @throws RangeError when the packet cannot be encoded: a NUL in a text, a number out of range, or too long.
 */
export function encodePacket(packet: Packet): Uint8Array {
  switch (packet.type) {
    case 'rrq':
    case 'wrq': {
      if (packet.filename === '') throw new RangeError('a request needs a file name')
      const bytes = stringsPacket(opcodes[packet.type], [
        packet.filename,
        packet.mode,
        ...namesAndValues(packet.options),
      ])
      if (bytes.length > maxRequestBytes) throw new RangeError(`request of ${bytes.length} octets`)
      return bytes
    }
    case 'data': {
      if (packet.data.length > maxDataBytes) throw new RangeError(`DATA of ${packet.data.length} octets`)
      const bytes = fixedPacket(opcodes.data, packet.block, packet.data.length)
      bytes.set(packet.data, 4)
      return bytes
    }
    case 'ack':
      return fixedPacket(opcodes.ack, packet.block, 0)
    case 'error': {
      const message = Buffer.from(wireText(packet.message))
      const bytes = fixedPacket(opcodes.error, packet.code, message.length + 1)
      bytes.set(message, 4)
      return bytes
    }
    case 'oack':
      return stringsPacket(opcodes.oack, namesAndValues(packet.options))
  }
}

/**
 * The block number of the ACK that begins at `at` and has `length` octets; -1 for any other datagram. ACKs
 * come by the million, so they are not decoded to an object.
 */
export function ackBlock(bytes: Uint8Array, at = 0, length = bytes.length): number {
  if (length !== 4 || bytes[at] !== 0 || bytes[at + 1] !== opcodes.ack) return -1
  return word(bytes, at + 2)
}

/** Writes the four octets before the data of a DATA packet. Block numbers wrap from 65535 to 0. */
export function writeDataHeader(target: Uint8Array, at: number, block: number): void {
  target[at] = 0
  target[at + 1] = opcodes.data
  target[at + 2] = (block >>> 8) & 0xff
  target[at + 3] = block & 0xff
}

function decodeRequest(type: 'rrq' | 'wrq', bytes: Uint8Array): Packet | Malformed {
  const opcode = opcodes[type]
  if (bytes.length > maxRequestBytes)
    return malformed(opcode, `request of ${bytes.length} octets; at most ${maxRequestBytes}`)
  const parts = splitStrings(bytes)
  if (typeof parts === 'string') return malformed(opcode, parts)
  const [filename = '', modeText = '', ...optionTexts] = parts
  if (filename === '') return malformed(opcode, 'request without a file name')
  const mode = modeText.toLowerCase()
  if (mode !== 'octet' && mode !== 'netascii' && mode !== 'mail')
    return malformed(opcode, `mode ${JSON.stringify(modeText.slice(0, 40))}; expected octet or netascii`)
  const options = readOptions(optionTexts)
  if (typeof options === 'string') return malformed(opcode, options)
  return { type, filename, mode, options }
}

function decodeOack(bytes: Uint8Array): Packet | Malformed {
  const parts = bytes.length === 2 ? [] : splitStrings(bytes)
  if (typeof parts === 'string') return malformed(opcodes.oack, parts)
  const options = readOptions(parts)
  return typeof options === 'string' ? malformed(opcodes.oack, options) : { type: 'oack', options }
}

/**
 * Decodes an ERROR. Firmware often forgets its closing NUL. The text is for humans, so it need not be valid
 * UTF-8.
 */
function decodeError(bytes: Uint8Array): Packet | Malformed {
  if (bytes.length < 4) return malformed(opcodes.error, `ERROR of ${bytes.length} octets; expected 4 or more`)
  const end = bytes.indexOf(0, 4)
  const message = looseText.decode(bytes.subarray(4, end === -1 ? bytes.length : end))
  return { type: 'error', code: word(bytes, 2), message }
}

/**
 * Splits the NUL-terminated strings after the opcode, or says what is wrong. Octets after the last NUL are
 * refused.
 */
function splitStrings(bytes: Uint8Array): string[] | string {
  if (bytes[bytes.length - 1] !== 0) return 'text without its closing NUL'
  const parts: string[] = []
  for (let start = 2; start < bytes.length; ) {
    const end = bytes.indexOf(0, start)
    try {
      parts.push(strictText.decode(bytes.subarray(start, end)))
    } catch {
      return 'text that is not UTF-8'
    }
    start = end + 1
  }
  return parts
}

/**
 * Reads pairs of name and value. Old PXE ROMs pad with NULs: an empty name ends the list if only
 * empty strings follow.
 */
function readOptions(parts: readonly string[]): Map<string, string> | string {
  const options = new Map<string, string>()
  for (let i = 0; i < parts.length; i += 2) {
    const name = parts[i]?.toLowerCase() ?? ''
    const value = parts[i + 1]
    if (name === '') return parts.slice(i).every((part) => part === '') ? options : 'option without a name'
    if (value === undefined) return `option ${JSON.stringify(name.slice(0, 40))} without a value`
    if (options.size >= maxOptions) return `more than ${maxOptions} options`
    // RFC 2347 allows each option once. When it comes twice we take the first, as tftpd-hpa does.
    if (!options.has(name)) options.set(name, value)
  }
  return options
}

function* namesAndValues(options: Options): Generator<string> {
  for (const [name, value] of options) {
    if (name === '') throw new RangeError('an option needs a name')
    yield name
    yield value
  }
}

function stringsPacket(opcode: number, parts: Iterable<string>): Uint8Array {
  const chunks = [Buffer.from([0, opcode])]
  for (const part of parts) chunks.push(Buffer.from(`${wireText(part)}\0`))
  return Buffer.concat(chunks)
}

function wireText(value: string): string {
  if (value.includes('\0')) throw new RangeError('text with a NUL in it')
  return value
}

/** A packet that begins with a block number or an error code, with room for `extra` octets behind it. */
function fixedPacket(opcode: number, number: number, extra: number): Uint8Array {
  if (!Number.isInteger(number) || number < 0 || number > 0xffff) throw new RangeError(`number ${number}`)
  const bytes = new Uint8Array(4 + extra)
  bytes[1] = opcode
  bytes[2] = number >>> 8
  bytes[3] = number & 0xff
  return bytes
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function malformed(opcode: number, reason: string): Malformed {
  return { type: 'malformed', opcode, reason }
}
