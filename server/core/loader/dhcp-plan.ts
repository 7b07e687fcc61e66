import type { Firmware } from '../boot/firmware.ts'

/** What a DHCP server must tell one kind of client. */
export interface DhcpRule {
  /** A short word for tags and classes. */
  readonly name: string
  readonly firmware: Firmware
  /** The values of option 93 that such clients send. */
  readonly archs: readonly number[]
  /** Whether the client loads by HTTP Boot: then the reply needs option 60 `HTTPClient`. */
  readonly http: boolean
  /** TFTP path or URL. */
  readonly bootFile: string
}

/** Everything that a DHCP server must know to do what the ProxyDHCP service does. */
export interface DhcpPlan {
  /** Our address: next-server, option 66. */
  readonly server: string
  /** Script for clients that run iPXE already. */
  readonly scriptUrl: string
  readonly rules: readonly DhcpRule[]
  /** Firmware for which treeboot found no loader file. */
  readonly missing: readonly Firmware[]
}

/** Kinds of clients that rules are written for, and the numbers by which option 93 names them. */
export const dhcpClientKinds: readonly Omit<DhcpRule, 'bootFile'>[] = [
  { name: 'bios', firmware: 'bios', archs: [0], http: false },
  { name: 'efi-ia32', firmware: 'uefi-ia32', archs: [6], http: false },
  // x64 firmware says either (`uefiByArch` in core/boot/firmware.ts).
  { name: 'efi-x64', firmware: 'uefi-x64', archs: [7, 9], http: false },
  { name: 'efi-arm64', firmware: 'uefi-arm64', archs: [11], http: false },
  { name: 'http-x64', firmware: 'uefi-http-x64', archs: [16], http: true },
  { name: 'http-arm64', firmware: 'uefi-http-arm64', archs: [19], http: true },
]
