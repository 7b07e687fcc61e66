import type { UefiCpu } from '../boot/firmware.ts'

/** A boot loader that asks treeboot for its configuration. */
interface Loader {
  /** The name of its configuration below `/boot/<guest>` and `/boot/by/<identities>`. */
  readonly configFile: string
  /** Its files by the firmware that starts them, best first, as paths of the namespace. */
  readonly files: Partial<Record<'bios' | UefiCpu, readonly string[]>>
  /**
   * Seconds after which it shall restart the machine when it can go on no more, as DHCP option 211 says it (RFC 5071
   * section 6). Absent for a loader that does not read that option.
   */
  readonly restartSeconds?: number
}

/**
 * The boot loaders, in the order in which they are sent by default. The configuration's `loader:`, the boot
 * paths, the DHCP offers and `treeboot loaders` are made from this table.
 *
 * iPXE is always first. It loads kernels by HTTP, several times as fast as TFTP. It asks treeboot for its
 * script even when another DHCP server gave the machine its address. And it can hand over to the local disk
 * (under UEFI by way of a GRUB, see render/ipxe.ts). The variants that use the firmware's own driver
 * (undionly, snponly) drive every card that the firmware could boot from.
 *
 * PXELINUX is BIOS only, TFTP only, and the oldest.
 *
 * Secure Boot starts shim and GRUB, but not iPXE, which distributions ship unsigned. Firmware does not say
 * whether Secure Boot is on. So iPXE is sent first; if it never asks for its script, the signed chain is sent
 * next time (machines/loader-memory.ts). GRUB is not first because Debian's 2.06 looks for its configuration
 * on the server of the DHCP ACK, never on a proxy.
 */
export const loaders = {
  ipxe: {
    configFile: 'ipxe',
    files: {
      bios: ['/undionly.kpxe'],
      ia32: ['/ipxe-i386.efi'],
      x64: ['/snponly.efi', '/ipxe.efi'],
      arm32: ['/snponly-arm32.efi'],
      arm64: ['/snponly-arm64.efi', '/ipxe-arm64.efi'],
      riscv64: ['/snponly-riscv64.efi'],
      loongarch64: ['/snponly-loong64.efi'],
    },
  },
  pxelinux: {
    configFile: 'pxelinux.cfg',
    files: { bios: ['/pxelinux.0', '/lpxelinux.0'] },
    // Five minutes without the option (6.04, core/pxelinux.asm). A minute is enough to read the screen.
    restartSeconds: 60,
  },
  grub: {
    configFile: 'grub.cfg',
    files: {
      bios: ['/boot/grub/i386-pc/core.0'],
      ia32: ['/shimia32.efi', '/grubia32.efi'],
      x64: ['/shimx64.efi', '/grubx64.efi'],
      arm32: ['/grubarm.efi'],
      arm64: ['/shimaa64.efi', '/grubaa64.efi'],
      riscv64: ['/grubriscv64.efi'],
      loongarch64: ['/grubloongarch64.efi'],
    },
  },
} as const satisfies Record<string, Loader>

export type LoaderKind = keyof typeof loaders

export const loaderKinds = Object.keys(loaders) as readonly LoaderKind[]

export function loaderFilesFor(kind: LoaderKind, firmware: 'bios' | UefiCpu): readonly string[] {
  const { files }: Loader = loaders[kind]
  return files[firmware] ?? []
}

/** Which loader a boot file is, from its name; undefined for a name that is not in the table. */
export function loaderOfBootFile(bootFile: string): LoaderKind | undefined {
  const name = `/${bootFile.slice(bootFile.lastIndexOf('/') + 1)}`
  return loaderKinds.find((each) =>
    Object.values<readonly string[]>(loaders[each].files)
      .flat()
      .some((file) => file.endsWith(name)),
  )
}

/** What option 211 tells the loader in a file, from its name; undefined for a loader that does not read it. */
export function restartSecondsOf(bootFile: string): number | undefined {
  const kind = loaderOfBootFile(bootFile)
  const loader: Loader | undefined = kind && loaders[kind]
  return loader?.restartSeconds
}

/** Which loader reads a file of this name below `/boot/<guest>`. */
export function loaderOfConfigFile(name: string): LoaderKind | undefined {
  return loaderKinds.find((kind) => loaders[kind].configFile === name)
}

/**
 * Which boot loader a machine is sent. `auto`: the best one for its firmware. `grub` is for Secure Boot: shim
 * starts GRUB, and both are signed.
 */
export type LoaderPreference = 'auto' | LoaderKind

export const loaderPreferences: readonly LoaderPreference[] = ['auto', ...loaderKinds]

/**
 * Whose loaders a machine is sent first (`loader-from:`). `tree`: the signed chain of its own tree. `tftpboot`: what
 * the operator put there. `host`: what packages of this host bring.
 */
export const loaderOrigins = ['tree', 'tftpboot', 'host'] as const

export type LoaderOrigin = (typeof loaderOrigins)[number]
