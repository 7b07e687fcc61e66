import { defined } from '../../defined.ts'
import { isKnownArch } from '../arch.ts'
import type { Description, DescriptorEra } from '../description.ts'
import { isVariantMadeUp } from './generated.ts'
import { type Ini, listOf, numberOf, parseIni, textOf } from './ini.ts'
import { repositoryPath, treePath } from './paths.ts'
import { createNotes, excerpt, type Notes } from './text.ts'
import { readChecksums } from './treeinfo-checksums.ts'
import { noteListedPlatforms, readPlatforms, soleArch } from './treeinfo-platforms.ts'
import { readRepositories } from './treeinfo-repositories.ts'

/**
 * Reads `.treeinfo` of every era (productmd doc/treeinfo-1.x.rst, and the forms before productmd):
 *
 * - 0.0, no `[header]`: `[general]`, `[images-*]`, `[stage2]`, from Fedora Core 6 and RHEL 5 on.
 * - 0.3: `[product]`, `[tree]`, `[variant-*]`, `[addon-*]` beside it; RHEL 6 and 7.
 * - 1.0 to 1.2: `[release]` in place of `[product]`, `[media]`; `[general]` kept for old readers.
 * - XenServer and XCP-ng: `[platform]`, `[branding]` and `[build]`, of which `[branding]` names the product.
 *
 * The eras differ in which sections they have; the same section always means the same. So one reader takes
 * what it finds. productmd itself refuses a tenth of the trees in the wild for a missing variant or a header
 * without type; nothing is refused here.
 *
 * @returns undefined when this is not a treeinfo at all.
 */
export function readTreeinfo(file: string, text: string): Description | undefined {
  const notes = createNotes(file)
  const ini = parseIni(text, notes)
  if (!looksLikeTreeinfo(ini)) return undefined
  const era = readHeader(ini, notes)
  const { family, version, variant } = readRelease(ini)
  const { arch, platforms } = readTree(ini, notes)
  const isXenServer = ini.sections.has('branding')
  if (isXenServer)
    notes.add('the installer runs on Xen (boot/xen.gz): this tree names no kernel that boots without it')
  noteContradictions(ini, notes)
  if (family === '') notes.add('names no family: libosinfo and virt-install cannot tell what this tree is')
  if (arch === '') notes.add('names no arch')
  noteListedPlatforms(ini, { platforms, arch }, notes)
  const stage2 = readStage2(ini, notes)
  const repositories = isVariantMadeUp(text) ? [] : readRepositories(ini, variant, notes)
  const checksums = readChecksums(ini, notes)
  return {
    era,
    family,
    version,
    variant,
    arch,
    platforms: Object.fromEntries(platforms),
    repositories,
    checksums,
    ...stage2,
    ...defined({ timestamp: readTimestamp(ini), disc: readMedia(ini) }),
    problems: notes.list(),
  }
}

/**
 * Whether an INI file is a treeinfo. Trees also have `media.repo` and other INI files, so a section must
 * have a key that only a treeinfo has.
 */
function looksLikeTreeinfo(ini: Ini): boolean {
  const has = (section: string, ...keys: string[]) =>
    keys.some((key) => ini.entry(section, key) !== undefined)
  if (has('general', 'family', 'arch', 'platforms', 'packagedir', 'totaldiscs')) return true
  if (has('tree', 'arch', 'platforms', 'variants')) return true
  if (has('stage2', 'mainimage', 'instimage')) return true
  if (textOf(ini.entry('header', 'type')).startsWith('productmd.treeinfo')) return true
  // XenServer and XCP-ng have sections of their own, and `[general]` only in some releases.
  if (has('branding', 'name') && has('branding', 'version')) return true
  const sections = [...ini.sections.values()]
  return sections.some(({ name, entries }) => /^images-./i.test(name) && entries.size > 0)
}

const eras: ReadonlyMap<string, DescriptorEra> = new Map([
  ['0.0', 'treeinfo-0.0'],
  ['0.3', 'treeinfo-0.3'],
  ['1.0', 'treeinfo-1.0'],
  ['1.1', 'treeinfo-1.1'],
  ['1.2', 'treeinfo-1.2'],
])

/** `[header]`: the version of the format, since 0.3. */
function readHeader(ini: Ini, notes: Notes): DescriptorEra {
  const entry = ini.entry('header', 'version')
  const version = textOf(entry)
  if (version === '') {
    if (!ini.sections.has('header')) return 'treeinfo-0.0'
    notes.add('[header] has no version; read as 1.2', ini.sections.get('header')?.line)
    return 'treeinfo-1.2'
  }
  const era = eras.get(version)
  if (era === undefined)
    notes.add(`header version ${excerpt(version)} is unknown; expected 0.3 to 1.2, read as 1.2`, entry?.line)
  if ((era === 'treeinfo-1.1' || era === 'treeinfo-1.2') && !textOf(ini.entry('header', 'type')))
    notes.add(`[header] has no type = productmd.treeinfo; productmd refuses that for ${version}`, entry?.line)
  return era ?? 'treeinfo-1.2'
}

/**
 * `[general]`, `[release]` and `[product]`: what the tree is. `[general]` wins over the others, because
 * libosinfo and virtinst match on it.
 */
function readRelease(ini: Ini): Pick<Description, 'family' | 'version' | 'variant'> {
  const first = (...from: readonly (readonly [string, string])[]) =>
    from.map(([section, key]) => textOf(ini.entry(section, key))).find((text) => text !== '') ?? ''
  return {
    family: first(
      ['general', 'family'],
      ['release', 'name'],
      ['product', 'name'],
      ['general', 'name'],
      ['branding', 'name'],
    ),
    version: first(
      ['general', 'version'],
      ['release', 'version'],
      ['product', 'version'],
      ['branding', 'version'],
    ),
    variant: first(['general', 'variant']) || mainVariant(ini),
  }
}

/**
 * The variant of a tree without `[general] variant` (Scientific Linux 5 and 6, SUSE): its only variant, or
 * the one whose repository is the tree itself.
 */
function mainVariant(ini: Ini): string {
  const variants = listOf(ini.entry('tree', 'variants') ?? ini.entry('general', 'variants'))
  if (variants.length === 1) return variants[0] ?? ''
  const isTheTree = (id: string) => {
    const path = ini.entry(`variant-${id}`, 'repository')?.value ?? ''
    return path !== '' && repositoryPath(path) === '.'
  }
  return variants.find(isTheTree) ?? ''
}

/** `[tree]` and `[images-*]`: the arch, and the images of each platform. */
function readTree(ini: Ini, notes: Notes) {
  const namedArch = textOf(ini.entry('tree', 'arch')) || textOf(ini.entry('general', 'arch'))
  const platforms = readPlatforms(ini, namedArch, notes)
  const listed = listOf(ini.entry('tree', 'platforms') ?? ini.entry('general', 'platforms'))
  const arch = namedArch || soleArch(platforms) || listed.find(isKnownArch) || ''
  return { arch, platforms }
}

function readTimestamp(ini: Ini): number | undefined {
  return numberOf(ini.entry('tree', 'build_timestamp')) ?? numberOf(ini.entry('general', 'timestamp'))
}

/** `[stage2]`: the second stage of the installer. */
function readStage2(ini: Ini, notes: Notes): Pick<Description, 'stage2' | 'instimage'> {
  const path = (key: string) => {
    const entry = ini.entry('stage2', key)
    return entry && treePath(entry.value, `${key} of [stage2]`, notes, entry.line)
  }
  return defined({ stage2: path('mainimage'), instimage: path('instimage') })
}

/** `[media]`: which disc of a set this is. Trees of 0.0 have it in `[general]`. */
function readMedia(ini: Ini): Description['disc'] {
  const number = numberOf(ini.entry('media', 'discnum')) ?? numberOf(ini.entry('general', 'discnum'))
  const total = numberOf(ini.entry('media', 'totaldiscs')) ?? numberOf(ini.entry('general', 'totaldiscs'))
  return number === undefined ? undefined : { number, total: total ?? number }
}

function noteContradictions(ini: Ini, notes: Notes): void {
  const alsoSaidIn = [
    ['release', 'version'],
    ['product', 'version'],
    ['tree', 'arch'],
  ] as const
  for (const [section, key] of alsoSaidIn) {
    const general = ini.entry('general', key)
    const counterpart = ini.entry(section, key)
    if (general && counterpart && textOf(general) !== '' && textOf(general) !== textOf(counterpart))
      notes.add(
        `[general] ${key} is ${excerpt(general.value)}, [${section}] says ${excerpt(counterpart.value)}`,
        general.line,
      )
  }
  for (const section of ini.sections.values())
    for (const entry of section.entries.values())
      if (/%(?!\()/.test(entry.value.replaceAll('%%', '')))
        notes.add(`${excerpt(entry.key)} holds a bare %; virt-install fails on that`, entry.line)
}
