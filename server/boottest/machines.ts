import { existsSync } from 'node:fs'
import { testFirmwaresOf, type VmFirmware } from '../core/boot/test-firmware.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { findProgram } from '../emulator/child.ts'
import {
  firmwareImages,
  isKernelOnly,
  type KernelOnly,
  type MachineFirmware,
  qemuProgram,
} from '../emulator/machine.ts'

/**
 * How a machine gets its boot files. `lan`: as every machine does, by DHCP and TFTP or HTTP, on a network that only root can
 * make. The others are on QEMU's user network, which needs no root. `ipxe`: the iPXE in the card's ROM gets a
 * script from QEMU's TFTP server, and all else from us by HTTP. `tftp`: firmware that starts only what is signed, or has no
 * such ROM, gets shim, GRUB, kernel and initrd from that server. `qemu`: QEMU loads kernel and initrd itself.
 */
export interface TestMachine {
  readonly firmware: MachineFirmware
  readonly by: 'lan' | 'ipxe' | 'tftp' | 'qemu'
  /** The loader that is wanted on a network; default: the best. */
  readonly loader?: 'grub'
  /** The signed chain, as `treeChainPath` names it. */
  readonly chain?: { readonly shim: string; readonly grub: string; readonly packages: string }
}

const machines: Readonly<Record<Exclude<VmFirmware, 'uefi-http'>, TestMachine>> = {
  bios: { firmware: 'bios', by: 'ipxe' },
  ipxe: { firmware: 'bios', by: 'ipxe' },
  'uefi-x64': { firmware: 'uefi-ipxe', by: 'ipxe' },
  'secure-boot': {
    firmware: 'secure',
    by: 'tftp',
    chain: { shim: 'shimx64.efi', grub: 'grubx64.efi', packages: 'shim-signed and grub-efi-amd64-signed' },
  },
  'uefi-arm64': {
    firmware: 'arm64',
    by: 'tftp',
    chain: {
      shim: 'shimaa64.efi',
      grub: 'grubaa64.efi',
      packages: 'shim-signed:arm64 and grub-efi-arm64-signed:arm64',
    },
  },
  direct: { firmware: 'bios', by: 'qemu' },
}

/** On a network with a DHCP server, beside which treeboot answers. AAVMF has no HTTP Boot that could be chosen. */
const lanMachines: Readonly<Partial<Record<VmFirmware, TestMachine>>> = {
  bios: { firmware: 'bios', by: 'lan' },
  ipxe: { firmware: 'bios', by: 'lan' },
  'uefi-x64': { firmware: 'uefi', by: 'lan' },
  'uefi-http': { firmware: 'uefi-http', by: 'lan' },
  'secure-boot': { ...machines['secure-boot'], by: 'lan', loader: 'grub' },
  'uefi-arm64': { ...machines['uefi-arm64'], by: 'lan', loader: 'grub' },
}

/**
 * The machine for a firmware and a tree; in words, why there is none.
 *
 * @param noLan Why there is no network with DHCP and TFTP here; undefined when there is one.
 */
export function testMachine(firmware: VmFirmware, arch: string, noLan?: string): TestMachine | string {
  if (firmware === 'uefi-http') {
    if (isArm(arch)) return 'AAVMF cannot be told to boot by HTTP: test uefi-arm64'
    if (noLan !== undefined) return `UEFI HTTP Boot needs a network with DHCP: ${noLan}`
  }
  const onLan = noLan === undefined ? lanMachines[firmware] : undefined
  if (onLan) return onLan
  if (firmware === 'uefi-http') return 'no machine has it'
  if (firmware === 'direct' && isArm(arch)) return { firmware: 'arm64', by: 'qemu' }
  const plain = plainArch(arch)
  if (firmware === 'direct' && isKernelOnly(plain)) return { firmware: plain, by: 'qemu' }
  return machines[firmware]
}

/**
 * Those of the wanted kinds of firmware that machines of this architecture have. None is left where only others are wanted:
 * then the architecture's own.
 */
export function firmwareToTest(wanted: readonly VmFirmware[], arch: string): readonly VmFirmware[] {
  const own: readonly VmFirmware[] = testFirmwaresOf(arch)
  const all: readonly VmFirmware[] = own.includes('uefi-x64') ? [...own, 'secure-boot'] : own
  const both = wanted.filter((firmware) => all.includes(firmware))
  if (both.length > 0) return both
  return isArm(arch) ? ['uefi-arm64'] : [own.includes('bios') ? 'bios' : 'direct']
}

/** What machines of these architectures need beside QEMU, and where their first serial line is. */
const otherArchs: Readonly<
  Record<KernelOnly, { readonly packages: string; readonly file?: string; readonly serial: string }>
> = {
  ppc64le: { packages: 'qemu-system-ppc', file: '/usr/share/qemu/slof.bin', serial: 'hvc0' },
  s390x: { packages: 'qemu-system-misc', serial: 'ttysclp0' },
  riscv64: {
    packages: 'qemu-system-misc and opensbi',
    file: '/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin',
    serial: 'ttyS0',
  },
}

/** The console of a kernel that its machine shows. */
export function serialConsole(arch: string): string {
  const plain = plainArch(arch)
  if (isKernelOnly(plain)) return otherArchs[plain].serial
  return plain === 'aarch64' ? 'ttyAMA0' : 'ttyS0'
}

/** Why a machine with this firmware cannot be started on this host; undefined when nothing is known to be missing. */
export function whyNotHere({ firmware }: TestMachine, arch: string): string | undefined {
  const plain = plainArch(arch)
  const other = isKernelOnly(firmware) ? otherArchs[firmware] : undefined
  if (!other && !['x86_64', 'i386', 'aarch64', ''].includes(plain))
    return `no machine of ${plain} can be tested: the boot test has those of x86_64, i386, aarch64, ppc64le, s390x and riscv64`
  const program = qemuProgram(firmware)
  const system = other?.packages ?? (firmware === 'arm64' ? 'qemu-system-arm' : 'qemu-system-x86')
  if (findProgram(program) === undefined) return `${program} is not installed: install ${system}`
  if (findProgram('ip') === undefined) return 'ip is not installed: install iproute2'
  const missing = filesOf(firmware).find((file) => !existsSync(file))
  if (missing === undefined) return undefined
  const brings = firmware === 'arm64' ? 'qemu-efi-aarch64' : 'ovmf'
  return `${missing} is missing: install ${other?.packages ?? brings}`
}

function filesOf(firmware: MachineFirmware): readonly string[] {
  if (isKernelOnly(firmware)) return [otherArchs[firmware].file].filter((file) => file !== undefined)
  return firmware === 'bios' ? [] : firmwareImages[firmware]
}

/**
 * What a passed test says nothing of. The machine of an operator gets its address by DHCP, and its loader by TFTP or HTTP.
 *
 * @param noLan As of `testMachine`.
 */
export function untestedOf({ by, firmware, loader }: TestMachine, noLan = ''): string | undefined {
  if (by === 'qemu') return 'firmware, loader, DHCP and TFTP: QEMU loads the kernel itself'
  if (by !== 'lan') return `DHCP and TFTP: ${noLan}`
  if (loader === 'grub') return 'treeboot’s DHCP: signed GRUBs ask the server that gave the address'
  return firmware === 'bios' ? 'TFTP: QEMU’s network card has iPXE, which loads by HTTP' : undefined
}

function plainArch(arch: string): string {
  return canonicalArch(arch).replace(/_v\d$/, '')
}

function isArm(arch: string): boolean {
  return canonicalArch(arch) === 'aarch64'
}
