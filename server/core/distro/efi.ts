import { distros, recordOf } from './families.ts'
import type { EfiFolder } from './record.ts'

/** The folders below `EFI/` in which installed systems keep their loaders. */
const folders: readonly EfiFolder[] = distros.flatMap((distro) => recordOf(distro).efi ?? [])

/** The folders into which the packages of a host put shim and GRUB: `/boot/efi/EFI/<folder>`. */
export const packagedEfiFolders: readonly string[] = folders
  .filter(({ packaged }) => packaged)
  .map(({ folder }) => folder)

/**
 * Where installed systems keep their first loader, in the order in which GRUB looks for them. The paths for
 * removable media come last (UEFI 2.10, 3.5.1.1).
 */
export const diskLoaders: readonly string[] = [
  ...folders
    .filter(({ shim }) => shim)
    .flatMap(({ folder }) => [`/EFI/${folder}/shimx64.efi`, `/EFI/${folder}/shimaa64.efi`]),
  ...grubsWithoutShim('early'),
  ...grubsWithoutShim('late'),
  '/EFI/BOOT/BOOTX64.EFI',
  '/EFI/BOOT/BOOTAA64.EFI',
  '/EFI/BOOT/BOOTIA32.EFI',
]

function grubsWithoutShim(order: EfiFolder['grubAlone']): string[] {
  return folders.filter((each) => each.grubAlone === order).map(({ folder }) => `/EFI/${folder}/grubx64.efi`)
}
