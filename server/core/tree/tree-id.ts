import { distroOf } from '../distro/distro.ts'
import type { Description, Repository } from './tree.ts'

/**
 * The id of a tree when the operator chose none: `fedora-40-server-x86_64`, `debian-12-amd64`. Undefined when
 * the description has no family or no version.
 */
export function suggestTreeId(
  description: Pick<Description, 'family' | 'version' | 'variant' | 'arch'>,
): string | undefined {
  const distro = distroOf(description)
  const family = distro === 'other' ? slug(description.family) : distro
  const version = slug(description.version)
  if (family === '' || version === '') return undefined
  const variant = slug(description.variant)
  const parts = [family, version, variant === family ? '' : variant, slug(description.arch)]
  return parts.filter((part) => part !== '').join('-')
}

/**
 * A text for use in ids: lower case, with a dash for each run of characters that some loader, URL or shell
 * must escape. At most 60 characters: an id of four such parts fits into a file name (255 bytes).
 */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, '-')
    .replace(/^[-._]+|[-._]+$/g, '')
    .slice(0, 60)
}

/**
 * How many levels above a tree the folder is that holds the tree and all its repositories: 3 for a mirror of
 * EL 9, whose BaseOS names `../../../AppStream/x86_64/os`. When that folder is moved as a whole, such paths
 * stay valid.
 */
export function levelsAbove(repositories: readonly Pick<Repository, 'path'>[]): number {
  return Math.max(0, ...repositories.map(({ path }) => levelsUp(path)))
}

function levelsUp(path: string): number {
  let depth = 0
  let highest = 0
  for (const part of path.split('/')) {
    if (part === '..') depth--
    else if (part !== '' && part !== '.') depth++
    highest = Math.max(highest, -depth)
  }
  return highest
}
