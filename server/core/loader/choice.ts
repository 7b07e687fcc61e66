import { type Firmware, loadsByHttp, type UefiCpu, uefiCpu } from '../boot/firmware.ts'
import type { LoaderPreference } from '../guest/guest.ts'
import { treeChainPlace } from './files.ts'

export type LoaderKind = Exclude<LoaderPreference, 'auto'>

/** One loader that would do, and why it stands where it stands in the list. */
export interface LoaderCandidate {
  readonly kind: LoaderKind
  /** In the namespace. */
  readonly place: string
  readonly why: string
}

export interface LoaderQuestion {
  readonly firmware: Firmware
  readonly preference: LoaderPreference
  /** The machine's tree, whose own signed chain comes before the host's. */
  readonly treeId?: string
  /** What this machine is known to start comes first, what it is known to refuse comes last. */
  readonly starts?: LoaderKind
  readonly refuses?: LoaderKind
}

/**
 * Loaders for each firmware, kinds in the order in which they are sent by default.
 *
 * iPXE first, everywhere: it loads kernels by HTTP, several times as fast as TFTP, asks for its script at the address that
 * we name, whoever gave it its own, and leaves BIOS and UEFI alike to their disks. The variants that use the firmware's
 * own driver (undionly, snponly) drive every card that the firmware could boot from.
 *
 * Shim and GRUB are what Secure Boot starts, and iPXE as distributions ship it is not signed. Firmware does not say
 * whether Secure Boot is on. So iPXE is sent first, and when it never speaks up, the signed chain next time
 * (loader-memory.ts). GRUB is not first because Debian's 2.06 looks for its configuration on the server of the DHCP ACK,
 * never on a proxy.
 *
 * PXELINUX is the oldest and last: BIOS only, TFTP only.
 */
const byFirmware = {
  bios: {
    ipxe: ['/undionly.kpxe'],
    pxelinux: ['/pxelinux.0', '/lpxelinux.0'],
    grub: ['/boot/grub/i386-pc/core.0'],
  },
  ia32: { ipxe: ['/ipxe-i386.efi'], grub: ['/shimia32.efi', '/grubia32.efi'], pxelinux: [] },
  x64: { ipxe: ['/snponly.efi', '/ipxe.efi'], grub: ['/shimx64.efi', '/grubx64.efi'], pxelinux: [] },
  arm32: { ipxe: ['/snponly-arm32.efi'], grub: ['/grubarm.efi'], pxelinux: [] },
  arm64: {
    ipxe: ['/snponly-arm64.efi', '/ipxe-arm64.efi'],
    grub: ['/shimaa64.efi', '/grubaa64.efi'],
    pxelinux: [],
  },
  riscv64: { ipxe: ['/snponly-riscv64.efi'], grub: ['/grubriscv64.efi'], pxelinux: [] },
  loongarch64: { ipxe: ['/snponly-loong64.efi'], grub: ['/grubloongarch64.efi'], pxelinux: [] },
} as const satisfies Record<'bios' | UefiCpu, Record<LoaderKind, readonly string[]>>

const defaultOrder: readonly LoaderKind[] = ['ipxe', 'pxelinux', 'grub']

/** The name of shim in a tree's own chain; other CPUs have no Secure Boot. */
const chainShim: Partial<Record<UefiCpu, string>> = { x64: 'shimx64.efi', arm64: 'shimaa64.efi' }

/**
 * Every loader that would do, best first. Which of them are there, the caller sees.
 *
 * A running iPXE has none: it takes a script. Only under BIOS PXELINUX follows it where the operator asks for that. GRUB
 * does not: QEMU's iPXE ROM of 2019 hands shim 16.1 a padded GRUB, and shim refuses it.
 */
export function loaderCandidates(question: LoaderQuestion): readonly LoaderCandidate[] {
  if (question.firmware === 'ipxe-bios' && question.preference === 'pxelinux')
    return byFirmware.bios.pxelinux.map((place) => ({ kind: 'pxelinux', place, why: 'loader: pxelinux' }))
  const cpu = uefiCpu(question.firmware)
  if (question.firmware !== 'bios' && cpu === undefined) return []
  const table = byFirmware[cpu ?? 'bios']
  return orderOf(question).flatMap(({ kind, why }) => {
    const shim = kind === 'grub' && cpu ? chainShim[cpu] : undefined
    const own =
      shim !== undefined && question.treeId !== undefined
        ? [{ kind, place: treeChainPlace(question.treeId, shim), why: `${why}; the chain of its own tree` }]
        : []
    return [...own, ...table[kind].map((place) => ({ kind, place, why }))]
  })
}

function orderOf(question: LoaderQuestion): { kind: LoaderKind; why: string }[] {
  const { preference, starts, refuses, firmware } = question
  const first = preference !== 'auto' ? preference : starts
  const why = (kind: LoaderKind): string => {
    if (kind === preference) return `loader: ${kind}`
    if (preference !== 'auto') return `loader: ${preference} is asked for, and there is none`
    if (kind === starts) return 'it started this before'
    if (refuses !== undefined && kind !== refuses)
      return `it was sent ${refuses} last time and never started it${firmware === 'bios' ? '' : ': Secure Boot, perhaps'}`
    return `the default for ${firmware}`
  }
  const weight = (kind: LoaderKind): number => (kind === first ? 0 : kind === refuses ? 2 : 1)
  return defaultOrder.toSorted((a, b) => weight(a) - weight(b)).map((kind) => ({ kind, why: why(kind) }))
}

/** How firmware names a loader: a path for TFTP, a URL for HTTP Boot. */
export function bootFileName(firmware: Firmware, place: string, httpBase: string): string {
  // No leading slash: PXELINUX and shim put their own folder together from it, and `x` is the same file as `/x`.
  return loadsByHttp(firmware) ? httpBase + place : place.slice(1)
}
