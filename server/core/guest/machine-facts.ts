import { cpuOfArchs, type Firmware, firmwareNamed, uefiCpu } from '../boot/firmware.ts'
import { defined } from '../defined.ts'
import { canonicalIp } from '../net/address.ts'
import { canonicalMac } from '../net/mac.ts'
import { canonicalSerial, canonicalUuid, isPlaceholderSerial, isPlaceholderUuid } from '../net/uuid.ts'
import type { UnknownMachine } from './seen-machine.ts'

/**
 * What a machine has shown of itself, for selectors. Everything is canonical, and absent while it was not shown. Facts
 * come late and not all come:
 *
 * - DHCP: the MAC, the UUID (option 97, not from every BIOS), the architecture (option 93) and the vendor class (option
 *   60). No address at port 67: the machine has none yet. Where another server answers DHCP, nothing of this.
 * - PXELINUX and GRUB: the UUID in one path and the MAC in the next, and the address. Debian's signed GRUB: the MAC alone.
 * - iPXE with our script: MAC and UUID in the path; by HTTP the serial number and the maker (SMBIOS type 1), too.
 * - A configuration for everybody (`pxelinux.cfg/default`): the address alone.
 */
export interface MachineFacts {
  readonly macs: readonly string[]
  /** `placeholder`: it was shown, and identifies no machine. */
  readonly uuid?: string
  readonly serial?: string
  /** What the CPU may be. A BIOS runs on x86_64 and on i386, and does not say on which. */
  readonly archs?: readonly string[]
  /** DHCP option 60. */
  readonly vendorClass?: string
  /** The maker of the system that SMBIOS names. */
  readonly maker?: string
  readonly address?: string
}

/** What requests showed, as sent. */
export interface RawFacts {
  readonly macs?: readonly string[] | undefined
  readonly uuid?: string | undefined
  readonly serial?: string | undefined
  readonly firmware?: string | undefined
  readonly archs?: readonly string[] | undefined
  readonly vendorClass?: string | undefined
  readonly maker?: string | undefined
  readonly address?: string | undefined
}

/** What `uuid` and `serial` are when a machine shows what its vendor left in thousands. No configuration can say it. */
export const placeholder = '\u0000'

export function machineFacts(raw: RawFacts): MachineFacts {
  const { macs = [], uuid, serial, vendorClass, maker, address } = raw
  const archs = raw.archs ?? archsOf(raw.firmware)
  const told = (text: string | undefined) => (text === undefined || text.trim() === '' ? undefined : text)
  return {
    macs: macs.map(canonicalMac).filter((mac) => mac !== undefined),
    ...defined({
      uuid: uuidFact(told(uuid)),
      serial: serialFact(told(serial)),
      archs,
      vendorClass: told(vendorClass),
      maker: told(maker),
      address: address === undefined ? undefined : canonicalIp(address),
    }),
  }
}

/** The facts of a machine of the inbox. Its vendor may be a vendor class or a maker. */
export function factsOfSeen({ mac, uuid, serial, firmware, vendor, address }: UnknownMachine): MachineFacts {
  const macs = mac === undefined ? [] : [mac]
  return machineFacts({ macs, uuid, serial, firmware, vendorClass: vendor, address })
}

function uuidFact(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  return isPlaceholderUuid(text) ? placeholder : canonicalUuid(text)
}

function serialFact(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  return isPlaceholderSerial(text) ? placeholder : canonicalSerial(text)
}

const archsOfCpu: Readonly<Record<string, readonly string[]>> = {
  ia32: ['i386'],
  x64: ['x86_64'],
  arm32: ['armhfp'],
  arm64: ['aarch64'],
  riscv64: ['riscv64'],
  loongarch64: ['loongarch64'],
}

const archsOfOthers: Partial<Record<Firmware, readonly string[]>> = {
  bios: ['x86_64', 'i386'],
  'ipxe-bios': ['x86_64', 'i386'],
  'raspberry-pi': ['aarch64', 'armhfp'],
}

/** The architectures that a firmware can tell of. */
export const shownArchs: readonly string[] = [...new Set(Object.values(archsOfCpu).flat())]

/** What the CPU under a firmware may be; undefined where it does not tell: `ipxe-uefi` runs on all of them. */
export function archsOf(firmware: string | undefined): readonly string[] | undefined {
  const named = firmware === undefined ? undefined : firmwareNamed(firmware)
  if (named === undefined) return undefined
  return archsOfCpu[uefiCpu(named) ?? ''] ?? archsOfOthers[named]
}

/** What a DHCP packet tells of the CPU. */
export function archsInDhcp(firmware: string, option93: readonly number[]): readonly string[] | undefined {
  return archsOf(firmware) ?? archsOfCpu[cpuOfArchs(option93) ?? '']
}
