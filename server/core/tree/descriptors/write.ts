import type { Description, PlatformImages, Repository } from '../description.ts'
import { withoutRoot } from './paths.ts'

/** One `key = value` line. */
type Line = readonly [key: string, value: string]
type Section = readonly [name: string, lines: readonly Line[]]

/**
 * Writes a `.treeinfo` 1.2 that every client can read: virtinst's strict ConfigParser with interpolation,
 * libosinfo's GKeyFile, productmd (which wants a release, a tree, a header with a type, and one section for
 * each variant, but needs no `[media]`), and the shell loop of dracut (`key = value`, first match). Sections
 * and keys are sorted as productmd sorts them.
 *
 * Nothing in a description can break out of its line: control characters become spaces, `%` is left out, keys
 * and section names keep only characters that all parsers agree on. What cannot be written safely is left
 * out.
 */
export function writeTreeinfo(description: Description): string {
  const tree = writableTree(description)
  const sections: readonly Section[] = [
    ['checksums', checksums(description)],
    ['general', general(tree)],
    ['header', header],
    ...tree.platforms.map(({ name, images }): Section => [`images-${name}`, imageLines(images)]),
    ['release', release(tree)],
    ['stage2', stage2(description)],
    ['tree', treeLines(tree)],
    ...tree.variants.map((variant): Section => [`variant-${variant.id}`, variantLines(variant)]),
  ]
  return sections
    .filter(([, lines]) => lines.length > 0)
    .map(([name, lines]) => `[${name}]\n${lines.map(([key, value]) => `${key} = ${value}\n`).join('')}`)
    .join('\n')
}

interface WritablePlatform {
  readonly name: string
  readonly images: PlatformImages
}

type WritableVariant = Pick<Repository, 'id' | 'name' | 'path'>

/** The values that several sections need, made safe to write. */
interface WritableTree {
  readonly arch: string
  readonly family: string
  readonly version: string
  /** As the description has it; `variants` has those that can be written. */
  readonly variant: string
  readonly timestamp: string
  readonly platforms: readonly WritablePlatform[]
  readonly variants: readonly WritableVariant[]
}

function writableTree(description: Description): WritableTree {
  return {
    arch: safeName(description.arch),
    family: safeText(description.family) || 'unknown',
    version: safeText(description.version) || '0',
    variant: safeText(description.variant),
    timestamp: String(Math.trunc(description.timestamp ?? 0)),
    platforms: platformsOf(description),
    variants: variantsOf(description),
  }
}

/** `[general]`: what readers from before productmd look for, libosinfo and virtinst among them. */
function general({ arch, family, version, variant, timestamp, platforms, variants }: WritableTree): Line[] {
  const [main] = variants
  return [
    ['arch', arch],
    ['family', family],
    ['name', `${family} ${version}`],
    ['packagedir', ''],
    ['platforms', platforms.map(({ name }) => name).join(',')],
    ['repository', main?.path ?? '.'],
    ['timestamp', timestamp],
    ['variant', variant || (main?.id ?? '')],
    ['variants', variants.map(({ id }) => id).join(',')],
    ['version', version],
  ]
}

const header: readonly Line[] = [
  ['type', 'productmd.treeinfo'],
  ['version', '1.2'],
]

function release({ family, version }: WritableTree): Line[] {
  return [
    ['name', family],
    ['short', shortName(family)],
    ['version', version],
  ]
}

function treeLines({ arch, timestamp, platforms, variants }: WritableTree): Line[] {
  return [
    ['arch', arch],
    ['build_timestamp', timestamp],
    ['platforms', platforms.map(({ name }) => name).join(',')],
    ['variants', variants.map(({ id }) => id).join(',')],
  ]
}

function variantLines({ id, name, path }: WritableVariant): Line[] {
  return [
    ['id', id],
    ['name', safeText(name) || id],
    ['packages', path === '.' ? 'Packages' : `${path}/Packages`],
    ['repository', path],
    ['type', 'variant'],
    ['uid', id],
  ]
}

function platformsOf(description: Description): WritablePlatform[] {
  return Object.entries(description.platforms)
    .map(([name, images]) => ({ name: safeName(name), images }))
    .filter(({ name, images }) => name !== '' && imageLines(images).length > 0)
    .filter((_platform, at, all) => isFirstOfName(all, at))
    .sort((a, b) => compare(a.name, b.name))
}

/** ConfigParser folds case, so names that differ in case alone are one name. */
function isFirstOfName(all: readonly { readonly name: string }[], at: number): boolean {
  return all.findIndex(({ name }) => name.toLowerCase() === all[at]?.name.toLowerCase()) === at
}

/** The repositories that can be written, each id once; a made-up one when there are none. */
function variantsOf(description: Description): WritableVariant[] {
  const found = description.repositories
    .map(({ id, name, path }) => ({ id: variantId(id || description.variant), name, path: safePath(path) }))
    .filter(({ id, path }) => id !== '' && path !== '')
    .filter((variant, at, all) => all.findIndex(({ id }) => id === variant.id) === at)
  if (found.length > 0) return found
  const id = variantId(description.variant) || 'Everything'
  return [{ id, name: id, path: '.' }]
}

/** A name fit for the id of a variant. productmd reads a dash in it as the border between parent and child. */
function variantId(value: string): string {
  return safeName(value).replace(/-/g, '')
}

function imageLines(images: PlatformImages): Line[] {
  const paths = new Map<string, string>()
  for (const [key, path] of Object.entries(images.others))
    paths.set(safeName(key).toLowerCase(), safePath(path))
  paths.delete('')
  if (images.kernel !== undefined) paths.set('kernel', safePath(images.kernel))
  if (images.initrd !== undefined) paths.set('initrd', safePath(images.initrd))
  return [...paths].filter(([, path]) => path !== '').sort((a, b) => compare(a[0], b[0]))
}

function stage2({ stage2, instimage }: Description): Line[] {
  const lines: Line[] = [
    ['instimage', safePath(instimage ?? '')],
    ['mainimage', safePath(stage2 ?? '')],
  ]
  return lines.filter(([, path]) => path !== '')
}

function checksums(description: Description): Line[] {
  const seen = new Set<string>()
  const lines: Line[] = []
  for (const path of Object.keys(description.checksums).sort(compare)) {
    const digest = description.checksums[path]
    const folded = path.toLowerCase()
    if (!digest || !canBeKey(path) || seen.has(folded)) continue
    seen.add(folded)
    lines.push([path, `${digest.algorithm}:${digest.hex}`])
  }
  return lines
}

/**
 * Whether a path can be a key in `[checksums]`: `=` and `:` would cut it, and `[`, `#` or `;` would begin a
 * section or a comment.
 */
function canBeKey(path: string): boolean {
  return path !== '' && safePath(path) === path && !/[=:]/.test(path) && !/^[[#;]/.test(path)
}

/** One line of text that no INI parser takes for anything else. */
function safeText(value: string): string {
  return value
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\ufeff]+/gu, ' ')
    .replace(/%/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** A name fit for a key or a section: letters, digits, `.`, `_`, `+` and `-`. */
function safeName(value: string): string {
  return value.replace(/[^A-Za-z0-9._+-]+/g, '')
}

/**
 * A path relative to the tree, or '' when it cannot be written: it has a `%`, a control character, blanks at
 * an end or beside each other, or a quote at its beginning, which readers may take off.
 */
function safePath(path: string): string {
  const bare = withoutRoot(path)
  return safeText(bare) === bare && !/^["']/.test(bare) ? bare : ''
}

/** productmd's `short`: the words without `Linux` as one, or their initials if there are more than two. */
function shortName(family: string): string {
  const words = family.split(' ').filter((part) => part !== 'Linux')
  const short = words.length > 2 ? words.map((word) => word[0]).join('') : words.join('')
  return safeName(short) || 'unknown'
}

/** No two names of a list are equal. */
function compare(a: string, b: string): number {
  return a < b ? -1 : 1
}
