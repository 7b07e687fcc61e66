/**
 * DHCP options by their code. RFC 2132 unless said otherwise; the registry is IANA's "BOOTP Vendor Extensions and DHCP
 * Options". Only what network boot needs has a name; any other code is carried as it is.
 */
export const optionCode = {
  pad: 0,
  vendorSpecific: 43,
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
  /** Etherboot's, of gPXE and iPXE; not assigned by IANA. */
  etherboot: 175,
  end: 255,
} as const

/** Values by option code, in the order of the packet. Parts of a long option are joined already (RFC 3396). */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>

/** Text in an option is bytes; what is not ASCII is shown as Latin-1. Clients end it with a NUL or do not (RFC 2132, 2). */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1')
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
