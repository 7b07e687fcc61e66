import { canonicalMac } from '../net/mac.ts'
import { canonicalUuid } from '../net/uuid.ts'

/** For whom a boot loader asks its configuration. */
export type LoaderLookup =
  | { readonly kind: 'mac'; readonly mac: string }
  /** As asked: PXELINUX sends the raw byte order. */
  | { readonly kind: 'uuid'; readonly uuid: string }
  /** 1 to 8 hex digits, upper case; all 8 are one IPv4 address. */
  | { readonly kind: 'ip-prefix'; readonly hex: string }
  /** `platform` is the rest of U-Boot's `default-<arch>[-<soc>[-<board>]]`. */
  | { readonly kind: 'default'; readonly platform?: string }

export interface LoaderName {
  readonly loader: 'pxelinux' | 'grub'
  /** The folder that the loader takes for its own, without slashes at the ends; '' is the root. */
  readonly folder: string
  readonly lookup: LoaderLookup
}

/**
 * Understands a path as one that a boot loader asks when it looks for its configuration, or gives undefined.
 *
 * PXELINUX 6 and U-Boot, below the folder of the boot file:
 * `pxelinux.cfg/` + UUID, `01-<mac>`, `0A63003A` shortened digit by digit to `0`, `default-<arch>...` (U-Boot only), `default`.
 * GRUB 2.06 and newer, below its prefix: `grub.cfg-<uuid>`, `grub.cfg-01-<mac>`, `grub.cfg-0A63003A` ... `grub.cfg-0`, `grub.cfg`.
 */
export function parseLoaderName(path: string): LoaderName | undefined {
  const parts = path.split('/').filter((part) => part !== '')
  const name = parts.pop()
  if (name === undefined) return undefined
  if (parts.at(-1) === 'pxelinux.cfg') {
    const lookup = parsePxelinuxName(name)
    return lookup && { loader: 'pxelinux', folder: parts.slice(0, -1).join('/'), lookup }
  }
  const lookup = parseGrubName(name)
  return lookup && { loader: 'grub', folder: parts.join('/'), lookup }
}

/** A name below `pxelinux.cfg/`. */
export function parsePxelinuxName(name: string): LoaderLookup | undefined {
  if (name === 'default') return { kind: 'default' }
  if (name.startsWith('default-') && name.length > 'default-'.length)
    return { kind: 'default', platform: name.slice('default-'.length) }
  return parseIdentity(name)
}

/** `grub.cfg` and its per-machine forms. */
export function parseGrubName(name: string): LoaderLookup | undefined {
  if (name === 'grub.cfg') return { kind: 'default' }
  return name.startsWith('grub.cfg-') ? parseIdentity(name.slice('grub.cfg-'.length)) : undefined
}

function parseIdentity(name: string): LoaderLookup | undefined {
  if (/^[0-9a-f]{1,8}$/i.test(name)) return { kind: 'ip-prefix', hex: name.toUpperCase() }
  const mac = canonicalMac(name)
  if (mac !== undefined) return { kind: 'mac', mac }
  const uuid = canonicalUuid(name)
  return uuid === undefined ? undefined : { kind: 'uuid', uuid }
}
