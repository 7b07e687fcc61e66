import { alpine } from './alpine.ts'
import { alt } from './alt.ts'
import { arch } from './arch.ts'
import { debian } from './debian.ts'
import { el } from './el.ts'
import { fedora } from './fedora.ts'
import { kali } from './kali.ts'
import { mageia } from './mageia.ts'
import { others } from './others.ts'
import type { DistroRecord, Family } from './record.ts'
import { suse } from './suse.ts'
import { ubuntu } from './ubuntu.ts'

const list = [fedora, el, debian, ubuntu, suse, kali, mageia, arch, alt, alpine, others] as const

/**
 * All families. The order counts where several could match: for the family in a descriptor and for layouts.
 * GRUB also tries the loaders `EFI/<folder>/` of a disk in this order.
 */
export const families: readonly Family[] = list

type KeysOf<T> = T extends unknown ? keyof T : never

/**
 * The distributions that treeboot tells apart, as `distro:` in config.yaml and in a lookup. `other` is any
 * tree that matches no record.
 */
export type Distro = KeysOf<(typeof list)[number]['distros']> | 'other'

/** Its pattern matches no family that a descriptor names. */
const other: DistroRecord = { name: 'other', family: /^$/, installer: 'unknown' }

const records: ReadonlyMap<string, DistroRecord> = new Map([
  ...families.flatMap((family) => Object.entries(family.distros)),
  ['other', other],
])

export const distros = [...records.keys()] as readonly Distro[]

export function isDistro(id: string): id is Distro {
  return records.has(id)
}

export function recordOf(distro: Distro): DistroRecord {
  return records.get(distro) ?? other
}

/** Whether two distributions are of one family, and so have the same layouts: SLES and openSUSE. */
export function areRelated(a: Distro, b: Distro): boolean {
  return families.some(({ distros }) => Object.hasOwn(distros, a) && Object.hasOwn(distros, b))
}
