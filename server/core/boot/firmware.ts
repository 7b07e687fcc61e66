import { unservedArchs, whyUnserved } from './unserved-archs.ts'

/**
 * What asks for network boot. `Firmware` decides which loader is sent. It does not tell the architecture of
 * the kernel: a BIOS says nothing about it, and an x64 machine boots i386 trees, too.
 */

export type UefiCpu = 'ia32' | 'x64' | 'arm32' | 'arm64' | 'riscv64' | 'loongarch64'

export type Firmware =
  | 'bios'
  /** UEFI that loads by TFTP. */
  | `uefi-${UefiCpu}`
  /** UEFI HTTP Boot: it wants a URL. */
  | `uefi-http-${UefiCpu}`
  /** iPXE runs already, as ROM or as a loader that was sent: it wants a script. */
  | 'ipxe-bios'
  | 'ipxe-uefi'
  | 'raspberry-pi'
  /** U-Boot's own `dhcp` command. It takes the first offer, and ours has no address, so it gets no reply. */
  | 'u-boot'

/** What a DHCP request says about the machine that sent it. */
export interface ClientFacts {
  /** Canonical; absent when the network is not Ethernet. */
  readonly mac?: string
  /** Canonical, in the byte order that the kernel shows. */
  readonly uuid?: string
  /** Option 93, as numbers; empty when it was not sent. */
  readonly archs: readonly number[]
  /** Option 60. */
  readonly vendorClass?: string
  /** Option 77. */
  readonly userClasses: readonly string[]
  /** Features in option 175; absent unless the client is gPXE or iPXE. */
  readonly etherboot?: ReadonlySet<string>
}

/**
 * IANA, "Processor Architecture Types" (RFC 5970 section 3.3, also for option 93 of RFC 4578). 7 and 9 were
 * mixed up in the first print of RFC 4578: x64 firmware says either. `unserved-archs.ts` names those without a loader.
 */
const uefiByArch: ReadonlyMap<number, UefiCpu> = new Map([
  [6, 'ia32'],
  [7, 'x64'],
  [9, 'x64'],
  [10, 'arm32'],
  [11, 'arm64'],
  [27, 'riscv64'],
  [39, 'loongarch64'],
  // The same CPUs with HTTP Boot; 17 (EBC) is used for x64 beside 16, as 9 beside 7.
  [15, 'ia32'],
  [16, 'x64'],
  [17, 'x64'],
  [18, 'arm32'],
  [19, 'arm64'],
  [28, 'riscv64'],
  [40, 'loongarch64'],
])

const biosArch = 0
/** What the registry calls "ARM rpiboot". Boards so far say 0. */
const raspberryPiArch = 41
/** arm and arm64 U-Boot, by TFTP and by HTTP. */
const uBootArchs: ReadonlySet<number> = new Set([21, 22, 23, 24])

/**
 * The first half of a Raspberry Pi's MAC (IEEE registry, "Raspberry Pi (Trading) Ltd" and its foundation).
 * Its boot ROM claims to be an x86 BIOS (option 93: 0), and only the MAC tells it from one.
 */
const raspberryPiMacs: ReadonlySet<string> = new Set([
  'b8:27:eb',
  'dc:a6:32',
  'e4:5f:01',
  '28:cd:c1',
  'd8:3a:dd',
  '2c:cf:67',
  '88:a2:9e',
])

export interface Classified {
  readonly firmware: Firmware
  /** The facts that tell the firmware, for people. */
  readonly why: string
}

/**
 * The firmware of a client. Undefined for a client that does not ask for network boot (no option 60
 * `PXEClient` or `HTTPClient`, PXE 2.1 section 2.2.1), and for machines without any loader.
 */
export function classifyFirmware(facts: ClientFacts): Classified | undefined {
  const vendorClass = facts.vendorClass ?? ''
  if (/^u-boot/i.test(vendorClass)) return { firmware: 'u-boot', why: `option 60 ${vendorClass}` }
  const bootClass = /^(PXEClient|HTTPClient)/.exec(vendorClass)?.[1]
  if (bootClass === undefined) return undefined
  const archs = facts.archs.length > 0 ? facts.archs : archInClass(vendorClass)
  // iPXE's request to port 4011 has no architecture at all, and counts as UEFI. The reply is our script either way.
  const ipxe = archs[0] === biosArch ? 'ipxe-bios' : 'ipxe-uefi'
  if (facts.userClasses.includes('iPXE')) return { firmware: ipxe, why: 'option 77 iPXE' }
  // gPXE fills option 175, too, but cannot run our scripts, which use commands and settings that it lacks.
  if (facts.etherboot && !facts.userClasses.includes('gPXE'))
    return { firmware: ipxe, why: 'option 175, which only iPXE sends' }
  for (const arch of archs) {
    const firmware = firmwareOf(arch, bootClass === 'HTTPClient', facts.mac)
    if (firmware) return { firmware, why: `option 93 ${arch}, ${bootClass}` }
  }
  return undefined
}

/** A machine that asks for network boot and gets no loader. */
export interface Unserved {
  readonly why: string
  /** What stands in the place of its firmware; absent when it does not say what it is. */
  readonly shown?: string
}

/** Undefined for a client that does not ask for network boot. */
export function unservedClient({ vendorClass = '', archs }: ClientFacts): Unserved | undefined {
  if (!/^(PXEClient|HTTPClient)/.test(vendorClass)) return undefined
  const numbers = archs.length > 0 ? archs : archInClass(vendorClass)
  if (numbers.length === 0) return { why: 'it does not say what it is: no option 93' }
  const shown = unservedArchs(numbers)
  return { shown, why: whyUnserved(shown) ?? '' }
}

function firmwareOf(arch: number, byHttp: boolean, mac: string | undefined): Firmware | undefined {
  // HTTP Boot is a part of UEFI.
  if (arch === biosArch && byHttp) return undefined
  if (arch === biosArch) return raspberryPiMacs.has((mac ?? '').slice(0, 8)) ? 'raspberry-pi' : 'bios'
  if (arch === raspberryPiArch) return byHttp ? undefined : 'raspberry-pi'
  if (uBootArchs.has(arch)) return 'u-boot'
  const cpu = uefiByArch.get(arch)
  if (cpu === undefined) return undefined
  // The vendor class decides, because some firmware sends its PXE number together with HTTPClient.
  return byHttp ? `uefi-http-${cpu}` : `uefi-${cpu}`
}

/** `PXEClient:Arch:00007:UNDI:003010`: PXE 2.1 section 2.2.1. A boot server request may lack option 93. */
function archInClass(vendorClass: string): readonly number[] {
  const arch = /:Arch:(\d{5})\b/.exec(vendorClass)?.[1]
  return arch === undefined ? [] : [Number(arch)]
}

/** The CPU of UEFI firmware, whichever way it loads. */
export function uefiCpu(firmware: Firmware): UefiCpu | undefined {
  return /^uefi-(?:http-)?(.+)$/.exec(firmware)?.[1] as UefiCpu | undefined
}

/** The CPU that option 93 tells, also of UEFI on which iPXE runs already. */
export function cpuOfArchs(archs: readonly number[]): UefiCpu | undefined {
  return archs.map((arch) => uefiByArch.get(arch)).find((cpu) => cpu !== undefined)
}

export function runsIpxe(firmware: string): boolean {
  return firmware === 'ipxe-bios' || firmware === 'ipxe-uefi'
}

export function loadsByHttp(firmware: Firmware): boolean {
  return firmware.startsWith('uefi-http-')
}

const uefiCpus: ReadonlySet<string> = new Set(uefiByArch.values())

/** The firmware that a text names; undefined for a text that is none of ours. */
export function firmwareNamed(text: string): Firmware | undefined {
  const cpu = uefiCpu(text as Firmware)
  const isKnown = cpu === undefined ? otherFirmware.has(text) : uefiCpus.has(cpu)
  return isKnown ? (text as Firmware) : undefined
}

const otherFirmware: ReadonlySet<string> = new Set([
  'bios',
  'ipxe-bios',
  'ipxe-uefi',
  'raspberry-pi',
  'u-boot',
])
