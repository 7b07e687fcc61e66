import { distros, recordOf } from './families.ts'
import type { EfiFolder } from './record.ts'

/** The folders below `EFI/` in which installed systems keep their loaders. */
const folders: readonly EfiFolder[] = distros.flatMap((distro) => recordOf(distro).efi ?? [])

/** The folders into which the packages of a host put shim and GRUB: `/boot/efi/EFI/<folder>`. */
export const packagedEfiFolders: readonly string[] = folders
  .filter(({ packaged }) => packaged)
  .map(({ folder }) => folder)

/** The file in which GRUB is installed in each folder. */
const grub = 'grub$cpu.efi'

/**
 * Where installed systems keep their first loader, in the order in which GRUB looks for them, each on all disks before
 * the next. Shims come before GRUBs, because Secure Boot refuses a GRUB without its shim. systemd-boot comes last.
 * `$cpu` stands for UEFI's name of the processor, see `efiCpus`.
 */
export const diskLoaders: readonly string[] = [
  ...folders.flatMap(({ folder, shim }) => (shim === undefined ? [] : [`/EFI/${folder}/${shim}`])),
  '/EFI/systemd/shim.efi',
  ...folders.map(({ folder }) => `/EFI/${folder}/${grub}`),
  '/EFI/systemd/systemd-boot$cpu.efi',
]

/**
 * Where GRUB looks when there is none of `diskLoaders`, each line on all disks before the next. `*` stands for folders
 * that no record names. Their shims come before the path for removable media (UEFI 2.10, 3.5.1.1): there shim's fallback
 * puts the disk in front of the network in the firmware's boot order.
 */
export const otherLoaders: readonly (readonly string[])[] = [
  ['/EFI/*/shim$cpu.efi', '/EFI/*/shim.efi'],
  // A FAT file system finds names in any case.
  ['/EFI/BOOT/BOOT$cpu.EFI'],
  [`/EFI/*/${grub}`],
]

/** UEFI's names of processors (UEFI 2.10, 3.5.1.1) where GRUB's `$grub_cpu` has another one. */
export const efiCpus: Readonly<Record<string, string>> = { x86_64: 'x64', i386: 'ia32', arm64: 'aa64' }
