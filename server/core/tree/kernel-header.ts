import { treeLimits } from '../limits/trees.ts'
import { archIn, canonicalArch } from './arch.ts'

/**
 * The parts of a kernel file that tell its architecture. The kernel's version is in the first sectors of a bzImage, and
 * s390 has its mark behind the first 64 KiB.
 */
export const kernelParts = {
  head: { offset: 0, bytes: treeLimits.kernelHead.bytes },
  s390: { offset: 0x10008, bytes: 6 },
} as const

/**
 * The architectures, by canonical name, that the header of a kernel leaves possible: one as a rule, several where the
 * header does not tell them apart, none when it is not a header that we know.
 *
 * @param head The first bytes of the kernel; of one that is compressed as a whole (`Image.gz`), those of its contents.
 * @param s390 The bytes at `kernelParts.s390`; fewer where the file is shorter.
 */
export function kernelArchs(head: Uint8Array, s390: Uint8Array = new Uint8Array()): readonly string[] {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  for (const read of readers) {
    const archs = read(head, view)
    if (archs.length > 0) return archs
  }
  // arch/s390/boot/head.S: the entry point is followed by this mark. Without it a compressed kernel would not start.
  return textAt(s390, 0, 6) === 'S390EP' ? ['s390x'] : []
}

/** No header of a 32-bit ARM kernel tells whether it is for ARMv7 (armhf) or older processors (armel). */
const arm32: readonly string[] = ['armhfp', 'armel']

/**
 * Machines of the ELF header (gABI, chapter 4), followed by class (1: 32 bits, 2: 64) and byte order (1: little, 2: big)
 * where these make another architecture.
 */
const elfMachines: ReadonlyMap<string, readonly string[]> = new Map([
  ['3', ['i386']],
  ['20', ['ppc']],
  ['40', arm32],
  ['43', ['sparc64']],
  ['50', ['ia64']],
  ['62', ['x86_64']],
  ['183', ['aarch64']],
  ['8 1 1', ['mipsel']],
  ['8 2 1', ['mips64el']],
  ['21 2 1', ['ppc64le']],
  ['21 2 2', ['ppc64']],
  ['22 1 2', ['s390']],
  ['22 2 2', ['s390x']],
  ['243 2 1', ['riscv64']],
  ['258 2 1', ['loongarch64']],
  [`${0x9026}`, ['alpha']],
])

/** A plain `vmlinux`, as POWER boots it. */
function archOfElf(head: Uint8Array, view: DataView): readonly string[] {
  if (textAt(head, 0, 4) !== '\x7fELF' || head.length < 20) return []
  const machine = view.getUint16(18, head[5] === 1)
  return elfMachines.get(`${machine}`) ?? elfMachines.get(`${machine} ${head[4]} ${head[5]}`) ?? []
}

/**
 * A bzImage (Documentation/arch/x86/boot.rst). Since protocol 2.12 (Linux 3.8) `xloadflags` tells whether it has a
 * 64-bit entry. Before, the machine of its UEFI header does, or the version that it was built as: `2.6.32-5-amd64`.
 */
function archOfX86(head: Uint8Array, view: DataView): readonly string[] {
  if (textAt(head, 0x202, 4) !== 'HdrS' || head.length < 0x238) return []
  if (view.getUint16(0x206, true) >= 0x020c) return [view.getUint16(0x236, true) & 1 ? 'x86_64' : 'i386']
  const told = archOfPe(head, view)
  if (told.length > 0) return told
  const [release = ''] = textAt(head, view.getUint16(0x20e, true) + 0x200, 80).split(/[\s\0]/)
  const arch = canonicalArch(archIn(release) ?? (/(?:^|-)[3-6]86(?:-|$)/.test(release) ? 'i386' : ''))
  return arch === 'x86_64' || arch === 'i386' ? [arch] : ['x86_64', 'i386']
}

/** `Image` of arm64 (arch/arm64/booting.rst) and RISC-V (arch/riscv/boot-image-header.rst): a mark at 0x38. */
function archOfImage(head: Uint8Array, view: DataView): readonly string[] {
  const mark = textAt(head, 0x38, 4)
  if (mark === 'ARM\x64') return ['aarch64']
  // A 32-bit kernel is loaded 4 MiB behind the beginning of memory, a 64-bit one 2 MiB or, with XIP, anywhere else.
  if (mark === 'RSC\x05' || textAt(head, 0x30, 5) === 'RISCV')
    return view.getUint32(8, true) === 0x400000 ? ['riscv32'] : ['riscv64']
  return []
}

/** `zImage` of 32-bit ARM (arch/arm/boot/compressed/head.S), of either byte order. */
function archOfZimage(head: Uint8Array, view: DataView): readonly string[] {
  if (head.length < 0x28) return []
  const mark = view.getUint32(0x24, true)
  return mark === 0x016f2818 || mark === 0x18286f01 ? arm32 : []
}

/** Machines of PE/COFF (Microsoft's specification, "Machine Types"). */
const peMachines: ReadonlyMap<number, readonly string[]> = new Map([
  [0x014c, ['i386']],
  [0x01c0, arm32],
  [0x01c2, arm32],
  [0x01c4, arm32],
  [0x0200, ['ia64']],
  [0x5064, ['riscv64']],
  [0x6264, ['loongarch64']],
  [0x8664, ['x86_64']],
  [0xaa64, ['aarch64']],
])

/** A kernel that is a UEFI program: `Image` of LoongArch, `vmlinuz.efi` (EFI zboot), a unified kernel image. */
function archOfPe(head: Uint8Array, view: DataView): readonly string[] {
  if (textAt(head, 0, 2) !== 'MZ' || head.length < 0x40) return []
  const at = view.getUint32(0x3c, true)
  if (textAt(head, at, 4) !== 'PE\0\0' || at + 6 > head.length) return []
  return peMachines.get(view.getUint16(at + 4, true)) ?? []
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length))
}

/** A bzImage comes before other UEFI programs: its own header tells more. */
const readers: readonly ((head: Uint8Array, view: DataView) => readonly string[])[] = [
  archOfElf,
  archOfX86,
  archOfImage,
  archOfZimage,
  archOfPe,
]
