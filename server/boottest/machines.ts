import { existsSync } from 'node:fs'
import { testFirmwaresOf, type VmFirmware } from '../core/boot/test-firmware.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { findProgram } from '../emulator/child.ts'
import { firmwareImages, type MachineFirmware, qemuProgram } from '../emulator/machine.ts'

/**
 * How a machine gets its boot files on QEMU's user network, which needs no root. `ipxe`: the iPXE in the card's ROM gets a
 * script from QEMU's TFTP server, and all else from us by HTTP. `tftp`: firmware that starts only what is signed, or has no
 * such ROM, gets shim, GRUB, kernel and initrd from that server. `qemu`: QEMU loads kernel and initrd itself.
 */
export interface TestMachine {
  readonly firmware: MachineFirmware
  readonly by: 'ipxe' | 'tftp' | 'qemu'
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

/** The machine for a firmware and a tree; in words, why there is none. */
export function testMachine(firmware: VmFirmware, arch: string): TestMachine | string {
  if (firmware === 'uefi-http')
    return 'QEMU’s user network does not answer UEFI HTTP Boot: leave uefi-http out of verify.boot-test.firmware'
  if (firmware === 'direct' && isArm(arch)) return { firmware: 'arm64', by: 'qemu' }
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

/** Why a machine with this firmware cannot be started on this host; undefined when nothing is known to be missing. */
export function whyNotHere({ firmware }: TestMachine, arch: string): string | undefined {
  const plain = canonicalArch(arch).replace(/_v\d$/, '')
  if (!['x86_64', 'i386', 'aarch64', ''].includes(plain))
    return `no machine of ${plain} can be tested: the boot test has those of x86_64, i386 and aarch64`
  const program = qemuProgram(firmware)
  const system = firmware === 'arm64' ? 'qemu-system-arm' : 'qemu-system-x86'
  if (findProgram(program) === undefined) return `${program} is not installed: install ${system}`
  if (findProgram('ip') === undefined) return 'ip is not installed: install iproute2'
  const missing = firmware === 'bios' ? undefined : firmwareImages[firmware].find((file) => !existsSync(file))
  if (missing === undefined) return undefined
  return `${missing} is missing: install ${firmware === 'arm64' ? 'qemu-efi-aarch64' : 'ovmf'}`
}

function isArm(arch: string): boolean {
  return canonicalArch(arch) === 'aarch64'
}
