import { canonicalArch } from '../tree/arch.ts'
import { type Firmware, firmwareNamed, uefiCpu } from './firmware.ts'

/**
 * The kinds of firmware with which a boot of a guest can be tried. Commands, documentation and the API are made from this
 * one list. A `Firmware` is what a packet says; these are what an operator asks for.
 */
export const testFirmwares = ['bios', 'uefi-x64', 'uefi-arm64', 'uefi-http', 'ipxe', 'direct'] as const

export type TestFirmware = (typeof testFirmwares)[number]

export function isTestFirmware(text: string): text is TestFirmware {
  return (testFirmwares as readonly string[]).includes(text)
}

/** The kinds of firmware that an emulated machine can have: all of these, and UEFI that starts only what is signed. */
export const vmFirmwares = [...testFirmwares, 'secure-boot'] as const

export type VmFirmware = (typeof vmFirmwares)[number]

/**
 * The kinds of firmware of the machines that somebody wants to be booted: without a word one with BIOS and one with UEFI.
 * Those that the tree's architecture does not have are left out later.
 */
export function machineFirmware({
  firmware,
  all,
  secureBoot,
}: {
  readonly firmware?: VmFirmware
  readonly all?: boolean
  readonly secureBoot?: boolean
}): readonly VmFirmware[] {
  if (all) return vmFirmwares.filter((name) => name !== 'uefi-http')
  if (firmware === undefined) return secureBoot ? ['secure-boot'] : ['bios', 'uefi-x64']
  return secureBoot && firmware === 'uefi-x64' ? ['secure-boot'] : [firmware]
}

/** The CPUs of the machines that are tried. */
export type TestCpu = 'x64' | 'arm64'

interface TestFirmwareRecord {
  /** For people. */
  readonly what: string
  /** What it says of itself by DHCP. Empty for a machine whose kernel is loaded without the network. */
  readonly by: Readonly<Partial<Record<TestCpu, Firmware>>>
}

const records: Readonly<Record<TestFirmware, TestFirmwareRecord>> = {
  bios: { what: 'BIOS with the PXE ROM of its card', by: { x64: 'bios' } },
  'uefi-x64': { what: 'UEFI on x64, by PXE', by: { x64: 'uefi-x64' } },
  'uefi-arm64': { what: 'UEFI on arm64, by PXE', by: { arm64: 'uefi-arm64' } },
  'uefi-http': { what: 'UEFI HTTP Boot', by: { x64: 'uefi-http-x64', arm64: 'uefi-http-arm64' } },
  ipxe: { what: 'iPXE in the ROM of the card, as in QEMU', by: { x64: 'ipxe-bios', arm64: 'ipxe-uefi' } },
  direct: { what: 'a hypervisor that loads kernel and initrd itself', by: {} },
}

export function testFirmwareText(name: TestFirmware): string {
  return records[name].what
}

/** The firmware on this CPU; on the other one where it exists there alone. Undefined for `direct`. */
export function firmwareOf(name: TestFirmware, cpu: TestCpu): Firmware | undefined {
  const { by } = records[name]
  return by[cpu] ?? by.x64 ?? by.arm64
}

/** The CPU of a machine that has this firmware and installs a tree of this architecture. */
export function cpuOf(name: TestFirmware, arch: string | undefined): TestCpu {
  const { by } = records[name]
  const wanted = canonicalArch(arch ?? '') === 'aarch64' ? 'arm64' : 'x64'
  const other = wanted === 'arm64' ? 'x64' : 'arm64'
  return by[wanted] === undefined && by[other] !== undefined ? other : wanted
}

/**
 * The firmware that machines of an architecture may have. Machines of other architectures than these are tried by their
 * kernel alone; without an architecture (there is no tree) a PC is assumed.
 */
export function testFirmwaresOf(arch: string | undefined): readonly TestFirmware[] {
  switch (canonicalArch(arch ?? 'x86_64').replace(/_v\d$/, '')) {
    case 'x86_64':
      return ['bios', 'uefi-x64', 'uefi-http', 'ipxe', 'direct']
    case 'i386':
      return ['bios', 'ipxe', 'direct']
    case 'aarch64':
      return ['uefi-arm64', 'uefi-http', 'ipxe', 'direct']
    default:
      return ['direct']
  }
}

/** The kind of firmware that a machine showed; undefined for one that cannot be tried. */
export function testFirmwareShown(shown: string): TestFirmware | undefined {
  const firmware = firmwareNamed(shown)
  if (firmware === 'ipxe-bios' || firmware === 'ipxe-uefi') return 'ipxe'
  return testFirmwares.find((name) => Object.values(records[name].by).includes(firmware ?? 'u-boot'))
}

/**
 * The architectures of the kernels that a machine with this firmware can start, by canonical name. An x64 machine starts
 * i386 kernels, too.
 */
export function kernelArchsOf(firmware: Firmware): readonly string[] {
  const cpu = uefiCpu(firmware)
  return cpu === 'arm64' ? ['aarch64'] : ['x86_64', 'i386']
}

/** What the firmware sends by DHCP to be known: options 93, 60 and 77. */
export interface DhcpIdentity {
  readonly arch: number
  readonly vendorClass: string
  readonly userClass?: 'iPXE'
}

/**
 * As seen on the wire: SeaBIOS 1.16, OVMF and AAVMF 2022.11, iPXE of 2019 (docs/network-boot.md). A BIOS without iPXE says
 * what QEMU's ROM says, but for option 77.
 */
export function dhcpIdentityOf(firmware: Firmware, cpu: TestCpu): DhcpIdentity | undefined {
  const uefiArch = cpu === 'arm64' ? 11 : 7
  const httpArch = cpu === 'arm64' ? 19 : 16
  const pxe = (arch: number, undi: string): DhcpIdentity => ({
    arch,
    vendorClass: `PXEClient:Arch:${String(arch).padStart(5, '0')}:UNDI:${undi}`,
  })
  switch (firmware) {
    case 'bios':
      return pxe(0, '002001')
    case 'uefi-x64':
    case 'uefi-arm64':
      return pxe(uefiArch, '003000')
    case 'uefi-http-x64':
    case 'uefi-http-arm64':
      return {
        arch: httpArch,
        vendorClass: `HTTPClient:Arch:${String(httpArch).padStart(5, '0')}:UNDI:003000`,
      }
    case 'ipxe-bios':
      return { ...pxe(0, '002001'), userClass: 'iPXE' }
    case 'ipxe-uefi':
      return { ...pxe(uefiArch, '003010'), userClass: 'iPXE' }
    default:
      return undefined
  }
}
