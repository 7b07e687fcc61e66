import type { Description, PlatformImages, Repository } from '../description.ts'

/**
 * Writes a `.treeinfo` 1.2 that every client can read: virtinst's strict ConfigParser with interpolation, libosinfo's
 * GKeyFile, productmd (which wants a release, a tree, a media-less header and one section for each variant), and the
 * shell loop of dracut (`key = value`, first match). Sections and keys are sorted as productmd sorts them.
 *
 * Nothing in a description can break out of its line: control characters become spaces, `%` is left out, keys and
 * section names keep only characters that all parsers agree on. What cannot be written safely is left out.
 */
export function writeTreeinfo(description: Description): string {
  const arch = word(description.arch)
  const family = text(description.family) || 'unknown'
  const version = text(description.version) || '0'
  const platforms = Object.entries(description.platforms)
    .map(([name, images]) => ({ name: word(name), images }))
    .filter(({ name, images }, i, all) => name !== '' && hasImages(images) && firstOf(all, i))
    .sort((a, b) => compare(a.name, b.name))
  const variants = variantsOf(description)
  const main = variants[0]
  const timestamp = String(Math.trunc(description.timestamp ?? 0))

  const sections: [string, [string, string][]][] = [
    ['checksums', checksums(description)],
    [
      'general',
      [
        ['arch', arch],
        ['family', family],
        ['name', `${family} ${version}`],
        ['packagedir', ''],
        ['platforms', platforms.map(({ name }) => name).join(',')],
        ['repository', main?.path ?? '.'],
        ['timestamp', timestamp],
        ['variant', text(description.variant) || (main?.id ?? '')],
        ['variants', variants.map(({ id }) => id).join(',')],
        ['version', version],
      ],
    ],
    [
      'header',
      [
        ['type', 'productmd.treeinfo'],
        ['version', '1.2'],
      ],
    ],
    ...platforms.map(({ name, images }): [string, [string, string][]] => [
      `images-${name}`,
      imageKeys(images),
    ]),
    [
      'release',
      [
        ['name', family],
        ['short', shortName(family)],
        ['version', version],
      ],
    ],
    ['stage2', stage2(description)],
    [
      'tree',
      [
        ['arch', arch],
        ['build_timestamp', timestamp],
        ['platforms', platforms.map(({ name }) => name).join(',')],
        ['variants', variants.map(({ id }) => id).join(',')],
      ],
    ],
    ...variants.map((variant): [string, [string, string][]] => [
      `variant-${variant.id}`,
      [
        ['id', variant.id],
        ['name', text(variant.name) || variant.id],
        ['packages', variant.path === '.' ? 'Packages' : `${variant.path}/Packages`],
        ['repository', variant.path],
        ['type', 'variant'],
        ['uid', variant.id],
      ],
    ]),
  ]
  return sections
    .filter(([, keys]) => keys.length > 0)
    .map(([name, keys]) => `[${name}]\n${keys.map(([key, value]) => `${key} = ${value}\n`).join('')}`)
    .join('\n')
}

function variantsOf(description: Description): (Pick<Repository, 'id' | 'name'> & { path: string })[] {
  const found = description.repositories
    .map(({ id, name, path }) => ({
      id: word(id || description.variant).replace(/-/g, ''),
      name,
      path: path === '.' ? '.' : relative(path),
    }))
    .filter(
      (variant, i, all) =>
        variant.id !== '' && variant.path !== '' && all.findIndex((each) => each.id === variant.id) === i,
    )
  if (found.length > 0) return found
  const id = word(description.variant).replace(/-/g, '') || 'Everything'
  return [{ id, name: id, path: '.' }]
}

function imageKeys(images: PlatformImages): [string, string][] {
  const keys = new Map<string, string>()
  for (const [key, path] of Object.entries(images.others)) keys.set(word(key).toLowerCase(), relative(path))
  keys.delete('')
  if (images.kernel !== undefined) keys.set('kernel', relative(images.kernel))
  if (images.initrd !== undefined) keys.set('initrd', relative(images.initrd))
  return [...keys].filter(([, path]) => path !== '').sort((a, b) => compare(a[0], b[0]))
}

function hasImages(images: PlatformImages): boolean {
  return imageKeys(images).length > 0
}

function firstOf(all: readonly { readonly name: string }[], at: number): boolean {
  return all.findIndex(({ name }) => name.toLowerCase() === all[at]?.name.toLowerCase()) === at
}

function stage2({ stage2, instimage }: Description): [string, string][] {
  const keys: [string, string][] = []
  if (instimage !== undefined && relative(instimage) !== '') keys.push(['instimage', relative(instimage)])
  if (stage2 !== undefined && relative(stage2) !== '') keys.push(['mainimage', relative(stage2)])
  return keys
}

/** A path is a key here: one with a delimiter in it would be cut there, and ConfigParser folds case, so both stay out. */
function checksums(description: Description): [string, string][] {
  const seen = new Set<string>()
  const lines: [string, string][] = []
  for (const path of Object.keys(description.checksums).sort(compare)) {
    const digest = description.checksums[path]
    const clean = relative(path)
    if (
      !digest ||
      clean === '' ||
      clean !== path ||
      /[=:]/.test(path) ||
      /^[[#;]/.test(path) ||
      seen.has(path.toLowerCase())
    )
      continue
    seen.add(path.toLowerCase())
    lines.push([path, `${digest.algorithm}:${digest.hex}`])
  }
  return lines
}

/** One line of text that no INI parser takes for anything else. */
function text(value: string): string {
  return value
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\ufeff]+/gu, ' ')
    .replace(/%/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** A name fit for a key or a section: letters, digits, `.`, `_`, `+` and `-`. */
function word(value: string): string {
  return value.replace(/[^A-Za-z0-9._+-]+/g, '')
}

/** A path relative to the tree, or '' when it cannot be written: it has a `%`, a control character, or spaces at its ends. */
function relative(path: string): string {
  const bare = path.replace(/^(?:\.?\/+)+/, '')
  return text(bare) === bare && !/^["']/.test(bare) ? bare : ''
}

function shortName(family: string): string {
  const initials = family.split(' ').filter((part) => part !== '' && part !== 'Linux')
  const short = initials.length > 2 ? initials.map((part) => part[0]).join('') : initials.join('')
  return word(short) || 'unknown'
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
