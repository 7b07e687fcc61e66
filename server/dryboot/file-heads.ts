import type { TestCpu } from '../core/boot/test-firmware.ts'
import { readWhole } from '../files/read-whole.ts'
import type { Entry } from '../files/source.ts'

/** How much of a file is read to see what it is. */
export const headBytes = 1024

/**
 * The first bytes of a file, at most `headBytes`. So much has to be readable before a client is promised the rest.
 *
 * @throws Failure, or the error of the system, when the file cannot be opened or read.
 */
export async function headOf(entry: Entry): Promise<Uint8Array> {
  return (await readWhole(entry, headBytes)).subarray(0, headBytes)
}

/** Whether a file that shall be a program or an image is a page, as a download of an error leaves it. */
export function isWebPage(head: Uint8Array): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 64)).toString('latin1')
  return /^\s*<(?:!doctype\s+html|html)\b/i.test(text)
}

/** What the head of a UEFI program says (Microsoft's PE/COFF specification). */
export interface EfiProgram {
  /** Undefined for another machine. */
  readonly cpu: TestCpu | undefined
  /** Whether it carries a signature, of whomever: only the firmware knows whom it believes. */
  readonly isSigned: boolean
}

const cpus: ReadonlyMap<number, TestCpu> = new Map([
  [0x8664, 'x64'],
  [0xaa64, 'arm64'],
])

/** Where the table of directories is in the optional header, by its magic number: PE32 and PE32+. */
const directoriesAt: ReadonlyMap<number, number> = new Map([
  [0x10b, 96],
  [0x20b, 112],
])
/** The directory of certificates is the fifth; each has an address and a size of 32 bits. */
const certificates = 4

/** Undefined for bytes that are no UEFI program. */
export function efiProgram(head: Uint8Array): EfiProgram | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  if (head.length < 0x40 || view.getUint16(0, true) !== 0x5a4d) return undefined
  const at = view.getUint32(0x3c, true)
  // The signature `PE\0\0`, 20 bytes of header, and the magic number of the optional header.
  if (at + 26 > head.length || view.getUint32(at, true) !== 0x4550) return undefined
  const optional = at + 24
  const directories = directoriesAt.get(view.getUint16(optional, true))
  const size = directories === undefined ? undefined : optional + directories + certificates * 8 + 4
  const isSigned = size !== undefined && size + 4 <= head.length && view.getUint32(size, true) > 0
  return { cpu: cpus.get(view.getUint16(at + 4, true)), isSigned }
}

/** The longest GRUB that is read for its maker; Debian's has 4 MB. */
export const mostGrubBytes = 16 * 1024 * 1024

/** Whose GRUB it is, and where that looks for its files. */
export interface GrubBuild {
  /** As SBAT names it: `debian`, `ubuntu`, `rh`; undefined without such an entry. */
  readonly vendor?: string
  /** `2.06-13+deb12u2` */
  readonly version?: string
  /** A folder of its own, whatever it was loaded from. */
  readonly prefix?: string
}

/**
 * What a GRUB image says of itself. Signed ones have SBAT entries (shim's SBAT.md), lines such as
 * `grub.debian,5,Debian,grub2,2.06-13+deb12u2,https://...`. Debian and Ubuntu build the prefix into theirs: `/grub`, or
 * `/debian-installer/amd64/grub` in that of an installer.
 */
export function grubBuild(image: Uint8Array): GrubBuild {
  const text = Buffer.from(image.buffer, image.byteOffset, image.byteLength).toString('latin1')
  const sbat = /^grub\.([a-z]+),\d+,[^,\n]*,[^,\n]*,([^,\n]+),/m.exec(text)
  const [, vendor, version] = sbat ?? []
  if (vendor === undefined || version === undefined) return {}
  if (vendor !== 'debian' && vendor !== 'ubuntu') return { vendor, version }
  const installers = /\0(\/debian-installer\/[a-z0-9]+\/grub)\0/.exec(text)?.[1]
  return { vendor, version, prefix: installers ?? '/grub' }
}
