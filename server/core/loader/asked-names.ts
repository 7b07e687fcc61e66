import { swapUuid } from '../net/uuid.ts'

/**
 * The names that boot loaders ask for by themselves, in their order, as the lab recorded them (docs/network-boot.md).
 * `boot-path.ts` is the other direction: what a name that is asked for means.
 */

/** What a loader knows of its machine when it looks for its configuration. Canonical; absent when it has none. */
export interface AskingMachine {
  readonly mac: string
  readonly uuid?: string
  /** IPv4 in dotted form. */
  readonly address?: string
}

/** The folder of a boot file, with its slash; '' for a name without one. A loader puts it before the names of its files. */
export function folderOf(bootFile: string): string {
  return bootFile.slice(0, bootFile.lastIndexOf('/') + 1)
}

/** PXELINUX loads its core module from the folder that it came from, and then looks for the configuration there. */
export const pxelinuxCore = 'ldlinux.c32'

/**
 * PXELINUX 6.04: the UUID with its first three groups in raw byte order, the MAC behind the type of its network, the
 * address in hex and shortened digit by digit, `default`.
 */
export function pxelinuxNames({ mac, uuid, address }: AskingMachine): readonly string[] {
  return [
    ...(uuid === undefined ? [] : [swapUuid(uuid)]),
    `01-${dashed(mac)}`,
    ...hexNames(address),
    'default',
  ].map((name) => `pxelinux.cfg/${name}`)
}

/** shim 16 looks for these beside itself, and goes on without them. */
export const shimExtras = ['revocations_sku.efi', 'revocations_sbat.efi', 'shim_certificate_0.efi'] as const

/** The lists of modules that GRUB reads below its prefix, by the CPU of the firmware. It goes on without them. */
export function grubLists(cpu: 'x64' | 'arm64'): readonly string[] {
  const target = cpu === 'x64' ? 'x86_64-efi' : 'arm64-efi'
  return ['command', 'fs', 'crypto', 'terminal'].map((name) => `${target}/${name}.lst`)
}

/**
 * GRUB 2.06 below its prefix. One whose prefix was built in, such as Debian's signed one, asks for `grub.cfg` alone, and so
 * does any GRUB that came by HTTP.
 */
export function grubNames({ mac, uuid, address }: AskingMachine, isPlain: boolean): readonly string[] {
  if (isPlain) return ['grub.cfg']
  return [
    ...(uuid === undefined ? [] : [`grub.cfg-${uuid}`]),
    `grub.cfg-01-${dashed(mac)}`,
    ...hexNames(address).map((name) => `grub.cfg-${name}`),
    'grub.cfg',
  ]
}

/** As SMBIOS has it where nobody has set one (7.2.1), and as QEMU says by default. */
const noUuid = '00000000-0000-0000-0000-000000000000'

/** What the script that every iPXE gets goes on to: see `ipxeEntryScript` (render/ipxe.ts). iPXE writes a MAC with dashes. */
export function ipxeOwnScript({ mac, uuid = noUuid }: AskingMachine): string {
  return `/boot/by/${dashed(mac)}/${uuid}/ipxe`
}

/** What the `grub.cfg` that every GRUB gets goes on to: `$net_default_mac` has colons. */
export function grubOwnConfig({ mac }: AskingMachine): string {
  return `/boot/by/${mac}/grub.cfg`
}

function dashed(mac: string): string {
  return mac.replaceAll(':', '-')
}

/** `0A63003A`, `0A63003`, ... `0`. None without an IPv4 address. */
function hexNames(address: string | undefined): readonly string[] {
  const parts = address?.split('.') ?? []
  if (parts.length !== 4) return []
  const hex = parts.map((part) => Number(part).toString(16).toUpperCase().padStart(2, '0')).join('')
  return Array.from(hex, (_, index) => hex.slice(0, hex.length - index))
}
