/**
 * DHCP options by their code: RFC 2132, unless another RFC is named. The registry is IANA's "BOOTP Vendor
 * Extensions and DHCP Options". Only options that network boot needs have a name. All others are decoded and
 * encoded as they are.
 */
export const optionCode = {
  pad: 0,
  vendorSpecific: 43,
  requestedAddress: 50,
  overload: 52,
  messageType: 53,
  serverId: 54,
  maxMessageSize: 57,
  vendorClass: 60,
  tftpServerName: 66,
  bootFile: 67,
  /** RFC 3004 */
  userClass: 77,
  /** RFC 3046 */
  relayAgent: 82,
  /** RFC 4578 */
  clientArch: 93,
  /** RFC 4578 */
  networkInterface: 94,
  /** RFC 4578 */
  machineId: 97,
  /** Used by Etherboot, gPXE and iPXE; not assigned by IANA. */
  etherboot: 175,
  /** RFC 5071 */
  rebootTime: 211,
  end: 255,
} as const

/** Values by option code, in the order of the packet. The parts of a long option are joined (RFC 3396). */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>

/**
 * The value of an option as text, read as Latin-1 up to the first NUL. Some clients end their texts with a
 * NUL, some do not (RFC 2132 section 2).
 */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1')
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
