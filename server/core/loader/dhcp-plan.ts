import type { Firmware } from '../boot/firmware.ts'

/** What a DHCP server must tell one kind of client. */
export interface DhcpRule {
  /** A short word for tags and classes. */
  readonly name: string
  readonly firmware: Firmware
  /** The values of option 93, or of DHCPv6 option 61, that such clients send. */
  readonly archs: readonly number[]
  /** Whether the client loads by HTTP Boot: then the reply needs the vendor class `HTTPClient`. */
  readonly http: boolean
  /** TFTP path or URL; a URL in DHCPv6, which has no other form (RFC 5970 section 3.1). */
  readonly bootFile: string
  /** For option 211; see `Loader` in loaders.ts. */
  readonly restartSeconds?: number
}

/** Everything that a DHCP server must know to do what the ProxyDHCP service does. */
export interface DhcpPlan {
  /** Our address: next-server, option 66. With an IPv6 address the plan is one for DHCPv6. */
  readonly server: string
  /** Script for clients that run iPXE already. */
  readonly scriptUrl: string
  readonly rules: readonly DhcpRule[]
  /** Firmware for which treeboot found no loader file. */
  readonly missing: readonly Firmware[]
}

/** Machines whose loaders only the operator can bring: no distribution of today packages them for other machines. */
const rareKinds: readonly Omit<DhcpRule, 'bootFile'>[] = [
  { name: 'efi-arm32', firmware: 'uefi-arm32', archs: [10], http: false },
  { name: 'efi-riscv64', firmware: 'uefi-riscv64', archs: [27], http: false },
  { name: 'efi-loong64', firmware: 'uefi-loongarch64', archs: [39], http: false },
  { name: 'http-ia32', firmware: 'uefi-http-ia32', archs: [15], http: true },
  { name: 'http-arm32', firmware: 'uefi-http-arm32', archs: [18], http: true },
  { name: 'http-riscv64', firmware: 'uefi-http-riscv64', archs: [28], http: true },
  { name: 'http-loong64', firmware: 'uefi-http-loongarch64', archs: [40], http: true },
]

/**
 * Kinds of clients that rules are written for, and the numbers by which option 93 names them: IANA, "Processor
 * Architecture Types", the same for DHCPv4 and DHCPv6.
 */
export const dhcpClientKinds: readonly Omit<DhcpRule, 'bootFile'>[] = [
  { name: 'bios', firmware: 'bios', archs: [0], http: false },
  { name: 'efi-ia32', firmware: 'uefi-ia32', archs: [6], http: false },
  // x64 firmware says either (`uefiByArch` in core/boot/firmware.ts).
  { name: 'efi-x64', firmware: 'uefi-x64', archs: [7, 9], http: false },
  { name: 'efi-arm64', firmware: 'uefi-arm64', archs: [11], http: false },
  { name: 'http-x64', firmware: 'uefi-http-x64', archs: [16, 17], http: true },
  { name: 'http-arm64', firmware: 'uefi-http-arm64', archs: [19], http: true },
  ...rareKinds,
]

/** For people: the kinds for which treeboot has no loader, each with its numbers; undefined when there are none. */
export function missingText({ missing }: DhcpPlan): string | undefined {
  const kinds = dhcpClientKinds.filter(({ firmware }) => missing.includes(firmware))
  const names = kinds.map(({ firmware, archs }) => `${firmware} (${archs.join(', ')})`)
  return names.length > 0 ? `treeboot has no loader for ${names.join(', ')}; see treeboot loaders` : undefined
}
