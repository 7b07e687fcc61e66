import { ipv4FromHex } from '../net/address.ts'
import { canonicalMac } from '../net/mac.ts'
import { canonicalUuid, isPlaceholderUuid } from '../net/uuid.ts'
import { type LoaderKind, loaderOfConfigFile } from './loaders.ts'

/** The machine, guest or network whose boot configuration a path names. */
export type BootPathOwner =
  /** A file that every machine asks for by the same name. */
  | { readonly kind: 'everybody' }
  /** A guest by its name in the configuration. */
  | { readonly kind: 'guest'; readonly name: string }
  /** The UUID is as sent: PXELINUX sends its raw byte order. */
  | { readonly kind: 'machine'; readonly macs: readonly string[]; readonly uuid?: string }
  | { readonly kind: 'address'; readonly ip: string }
  /** An address shortened digit by digit, as loaders try it: a network, not one machine. */
  | { readonly kind: 'network'; readonly hex: string }

/** A path that a boot loader asks for when it looks for its configuration. */
export interface BootPath {
  /** Which of `bootPathForms` the path has. */
  readonly form: BootPathForm['name']
  readonly loader: LoaderKind
  readonly owner: BootPathOwner
  /**
   * The folder that the loader takes as its own and puts before file names: without slashes at the ends, ''
   * for the root.
   */
  readonly folder: string
}

/** One form of the paths that loaders ask for. */
interface BootPathForm {
  readonly name: 'identity' | 'guest' | 'script' | 'pxelinux' | 'grub'
  /**
   * The form, for people. `...` stands for any folder: a loader looks below the one that it was started from.
   */
  readonly shown: string
  /** What such a file holds, for people. */
  readonly what: string
  readonly parse: (folders: readonly string[], file: string) => Omit<BootPath, 'form'> | undefined
}

/**
 * Scripts for an iPXE that was told only our address. EFI builds since 2023 look for `autoexec.ipxe` beside
 * themselves.
 */
const scripts: ReadonlySet<string> = new Set(['boot.ipxe', 'autoexec.ipxe'])

/**
 * Folders without boot configurations of ours: trees are served unchanged, and `/ks` and `/api` have other
 * contents.
 */
const otherContents: ReadonlySet<string> = new Set(['trees', 'ks', 'api'])

/** Every form, in the order in which they are tried. */
export const bootPathForms: readonly BootPathForm[] = [
  {
    name: 'identity',
    shown: '/boot/by/<mac|uuid>.../{ipxe,grub.cfg,pxelinux.cfg}',
    what: 'the plan of the machine with these identities, guest or not',
    parse: parseIdentityPath,
  },
  {
    name: 'guest',
    shown: '/boot/<guest>/{ipxe,grub.cfg,pxelinux.cfg}',
    what: 'what this guest would boot; looking at it is not a boot',
    parse: parseGuestPath,
  },
  {
    name: 'script',
    shown: '.../boot.ipxe, .../autoexec.ipxe',
    what: 'a script that reads /boot/by/<its own MAC>/<its own UUID>/ipxe',
    parse: (folders, file) =>
      scripts.has(file)
        ? { loader: 'ipxe', owner: { kind: 'everybody' }, folder: folders.join('/') }
        : undefined,
  },
  {
    name: 'pxelinux',
    shown: '.../pxelinux.cfg/<uuid|01-mac|IPHEX|default>',
    what: 'the plan of that guest, not found for any other machine; default: the plan of the guest at the asking address, else of unknown machines',
    parse: parsePxelinuxPath,
  },
  {
    name: 'grub',
    shown: '.../grub.cfg-<uuid|01-mac|IPHEX>, .../grub.cfg',
    what: 'as for PXELINUX; grub.cfg first sends each machine to /boot/by/<its own MAC>/grub.cfg',
    parse: parseGrubPath,
  },
]

/**
 * Parses a path that a boot loader asks for; undefined for any other path.
 *
 * PXELINUX 6 and U-Boot, below the folder of the boot file: `pxelinux.cfg/` + UUID, `01-<mac>`, `0A63003A`
 * shortened digit by digit to `0`, `default-<arch>...` (U-Boot only), `default`. GRUB 2.06 and newer, below
 * its prefix: `grub.cfg-<uuid>`, `grub.cfg-01-<mac>`, `grub.cfg-0A63003A` ... `grub.cfg-0`, `grub.cfg`. Our
 * own scripts ask for paths below `/boot/by`.
 */
export function parseBootPath(path: string): BootPath | undefined {
  const folders = path.split('/').filter((part) => part !== '')
  const file = folders.pop()
  if (file === undefined || otherContents.has(folders[0] ?? '')) return undefined
  for (const { name, parse } of bootPathForms) {
    const found = parse(folders, file)
    if (found) return { form: name, ...found }
    // The shared grub.cfg sends GRUB to /boot/by. If GRUB found the shared file there, too, it would read it
    // for ever.
    if (name === 'identity' && isIdentityFolder(folders)) return undefined
  }
  return undefined
}

function isIdentityFolder(folders: readonly string[]): boolean {
  return folders[0] === 'boot' && folders[1] === 'by' && folders.length >= 3
}

function parseIdentityPath(folders: readonly string[], file: string): Omit<BootPath, 'form'> | undefined {
  const loader = loaderOfConfigFile(file)
  if (!loader || !isIdentityFolder(folders)) return undefined
  const macs: string[] = []
  let uuid: string | undefined
  for (const part of folders.slice(2)) {
    const mac = canonicalMac(part)
    if (mac !== undefined) macs.push(mac)
    else if (isPlaceholderUuid(part)) continue
    else if (canonicalUuid(part) !== undefined) uuid = part
    else return undefined
  }
  return { loader, owner: machine(macs, uuid), folder: '' }
}

function parseGuestPath(folders: readonly string[], file: string): Omit<BootPath, 'form'> | undefined {
  const [boot, name] = folders
  const loader = loaderOfConfigFile(file)
  if (boot !== 'boot' || name === undefined || folders.length !== 2 || !loader) return undefined
  return { loader, owner: { kind: 'guest', name }, folder: '' }
}

function parsePxelinuxPath(folders: readonly string[], file: string): Omit<BootPath, 'form'> | undefined {
  if (folders.at(-1) !== 'pxelinux.cfg') return undefined
  const folder = folders.slice(0, -1).join('/')
  const isDefault = file === 'default' || (file.startsWith('default-') && file.length > 'default-'.length)
  const owner: BootPathOwner | undefined = isDefault ? { kind: 'everybody' } : ownerNamed(file)
  return owner && { loader: 'pxelinux', owner, folder }
}

function parseGrubPath(folders: readonly string[], file: string): Omit<BootPath, 'form'> | undefined {
  const folder = folders.join('/')
  if (file === 'grub.cfg') return { loader: 'grub', owner: { kind: 'everybody' }, folder }
  const owner = file.startsWith('grub.cfg-') ? ownerNamed(file.slice('grub.cfg-'.length)) : undefined
  return owner && { loader: 'grub', owner, folder }
}

/** The machine that a file name stands for: a MAC, a UUID, or 1 to 8 hex digits of an IPv4 address. */
function ownerNamed(name: string): BootPathOwner | undefined {
  if (/^[0-9a-f]{1,8}$/i.test(name)) {
    const ip = ipv4FromHex(name)
    return ip === undefined ? { kind: 'network', hex: name.toUpperCase() } : { kind: 'address', ip }
  }
  const mac = canonicalMac(name)
  if (mac !== undefined) return machine([mac], undefined)
  const uuid = canonicalUuid(name)
  return uuid === undefined ? undefined : machine([], uuid)
}

function machine(macs: readonly string[], uuid: string | undefined): BootPathOwner {
  return uuid === undefined ? { kind: 'machine', macs } : { kind: 'machine', macs, uuid }
}
