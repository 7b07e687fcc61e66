import { type DhcpOptions, optionCode } from './option.ts'

/** Types of DHCP messages by their number, RFC 2132 section 9.6. */
const messageTypes = [
  undefined,
  'discover',
  'offer',
  'request',
  'decline',
  'ack',
  'nak',
  'release',
  'inform',
] as const

export type MessageType = NonNullable<(typeof messageTypes)[number]>

/** Option 53: the type of the message. Undefined without the option, or when it is not a type of RFC 2132. */
export function messageType(options: DhcpOptions): MessageType | undefined {
  const value = options.get(optionCode.messageType)
  return value?.length === 1 ? messageTypes[value[0] ?? 0] : undefined
}

export function encodeMessageType(type: MessageType): Uint8Array {
  return Uint8Array.of(messageTypes.indexOf(type))
}

/**
 * Option 57, RFC 2132 section 9.10: the longest message that the client takes, with IP and UDP headers.
 * Undefined for less than 576, which the RFC forbids.
 */
export function maxMessageSize(options: DhcpOptions): number | undefined {
  const value = options.get(optionCode.maxMessageSize)
  if (value?.length !== 2) return undefined
  const size = ((value[0] ?? 0) << 8) | (value[1] ?? 0)
  return size >= 576 ? size : undefined
}
