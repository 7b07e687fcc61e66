import { isKnownArch, platformFor } from '../arch.ts'
import type { Description, DescriptorEra, PlatformImages } from '../description.ts'
import type { Ini, IniEntry } from './ini.ts'
import { parseIni } from './ini.ts'
import { treePath } from './paths.ts'
import type { Notes } from './text.ts'
import { createNotes, excerpt, unquote } from './text.ts'
import { readChecksums } from './treeinfo-checksums.ts'
import { readRepositories } from './treeinfo-repositories.ts'

/**
 * Reads `.treeinfo` of every era (productmd doc/treeinfo-1.x.rst, and what was before it):
 *
 * - 0.0, no `[header]`: `[general]`, `[images-*]`, `[stage2]`, from Fedora Core 6 and RHEL 5 on.
 * - 0.3: `[product]`, `[tree]`, `[variant-*]`, `[addon-*]` beside it; RHEL 6 and 7.
 * - 1.0 to 1.2: `[release]` in place of `[product]`, `[media]`; `[general]` kept for old readers.
 *
 * The eras differ by what is there and never by what it means, so one reader takes what it finds. productmd itself
 * refuses a tenth of the trees in the wild for a missing variant or a header without type; nothing is refused here.
 * `[general]` wins over `[release]`: it is what libosinfo and virtinst match on.
 *
 * @returns undefined when this is no treeinfo at all.
 */
export function readTreeinfo(file: string, text: string): Description | undefined {
  const notes = createNotes(file)
  const ini = parseIni(text, notes)
  if (!looksLikeTreeinfo(ini)) return undefined
  const value = (section: string, key: string) => textOf(ini.entry(section, key))

  const first = (...from: readonly (readonly [string, string])[]) =>
    from.map(([section, key]) => value(section, key)).find((text) => text !== '') ?? ''

  const era = eraOf(ini, notes)
  const family = first(['general', 'family'], ['release', 'name'], ['product', 'name'], ['general', 'name'])
  const version = first(['general', 'version'], ['release', 'version'], ['product', 'version'])
  const listed = listOf(ini.entry('tree', 'platforms') ?? ini.entry('general', 'platforms'))
  const saidArch = first(['tree', 'arch'], ['general', 'arch'])
  const platforms = readPlatforms(ini, saidArch, notes)
  const arch = saidArch || soleArch(platforms) || listed.find(isKnownArch) || ''
  const variant = first(['general', 'variant']) || mainVariant(ini)

  noteContradictions(ini, notes)
  if (family === '') notes.add('names no family: libosinfo and virt-install cannot tell what this tree is')
  if (arch === '') notes.add('names no arch')
  notePlatforms(
    listed,
    platforms,
    arch,
    ini.entry('tree', 'platforms') ?? ini.entry('general', 'platforms'),
    notes,
  )

  const stage2 = readPath(ini, 'stage2', 'mainimage', notes)
  const instimage = readPath(ini, 'stage2', 'instimage', notes)
  const timestamp =
    numberOf(ini.entry('tree', 'build_timestamp')) ?? numberOf(ini.entry('general', 'timestamp'))
  const disc = readDisc(ini)
  const repositories = readRepositories(ini, variant, notes)
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
    ...(stage2 !== undefined && { stage2 }),
    ...(instimage !== undefined && { instimage }),
    ...(timestamp !== undefined && { timestamp }),
    ...(disc !== undefined && { disc }),
    problems: notes.list(),
  }
}

/** `media.repo` and other INI files lie beside trees too, so a section of ours must say something of ours. */
function looksLikeTreeinfo(ini: Ini): boolean {
  const has = (section: string, ...keys: string[]) =>
    keys.some((key) => ini.entry(section, key) !== undefined)
  if (has('general', 'family', 'arch', 'platforms', 'packagedir', 'totaldiscs')) return true
  if (has('tree', 'arch', 'platforms', 'variants')) return true
  if (has('stage2', 'mainimage', 'instimage')) return true
  if (has('header', 'type') && textOf(ini.entry('header', 'type')).startsWith('productmd.treeinfo'))
    return true
  for (const section of ini.sections.values())
    if (/^images-./i.test(section.name) && section.entries.size > 0) return true
  return false
}

const eras: Readonly<Record<string, DescriptorEra>> = {
  '0.0': 'treeinfo-0.0',
  '0.3': 'treeinfo-0.3',
  '1.0': 'treeinfo-1.0',
  '1.1': 'treeinfo-1.1',
  '1.2': 'treeinfo-1.2',
}

function eraOf(ini: Ini, notes: Notes): DescriptorEra {
  const entry = ini.entry('header', 'version')
  const version = textOf(entry)
  if (version === '') {
    if (!ini.sections.has('header')) return 'treeinfo-0.0'
    notes.add('[header] has no version; read as 1.2', ini.sections.get('header')?.line)
    return 'treeinfo-1.2'
  }
  const era = Object.hasOwn(eras, version) ? eras[version] : undefined
  if (era === undefined)
    notes.add(`header version ${excerpt(version)} is unknown; expected 0.3 to 1.2, read as 1.2`, entry?.line)
  if ((era === 'treeinfo-1.1' || era === 'treeinfo-1.2') && !textOf(ini.entry('header', 'type')))
    notes.add(`[header] has no type = productmd.treeinfo; productmd refuses that for ${version}`, entry?.line)
  return era ?? 'treeinfo-1.2'
}

function readPlatforms(ini: Ini, arch: string, notes: Notes): Map<string, PlatformImages> {
  const platforms = new Map<string, PlatformImages>()
  for (const section of ini.sections.values()) {
    const said = /^images-(.+)$/i.exec(section.name)?.[1]?.trim()
    if (said === undefined) continue
    // Pungi 4 of Fedora 21 wrote [images-lpae-armhfp] for the platform lpae; productmd drops the arch as well.
    const name =
      arch !== '' && said !== arch && said.endsWith(`-${arch}`) ? said.slice(0, -arch.length - 1) : said
    const before = platforms.get(name)
    if (before) notes.add(`[${section.name}] is platform ${name} once more; merged`, section.line)
    const images = new Map<string, string>()
    for (const entry of section.entries.values()) {
      const path = treePath(entry.value, `${entry.key} of [${section.name}]`, notes, entry.line)
      const key = /^(kernel|initrd)$/i.test(entry.key) ? entry.key.toLowerCase() : entry.key
      if (path === undefined) notes.add(`${excerpt(entry.key)} of [${section.name}] is empty`, entry.line)
      else images.set(key, path)
    }
    platforms.set(name, platformImages(images, before))
    if (!images.has('kernel')) notes.add(`[${section.name}] names no kernel`, section.line)
    if (!images.has('initrd')) notes.add(`[${section.name}] names no initrd`, section.line)
  }
  adoptOtherSpelling(platforms, arch, notes)
  return platforms
}

function platformImages(images: ReadonlyMap<string, string>, before?: PlatformImages): PlatformImages {
  const kernel = images.get('kernel') ?? before?.kernel
  const initrd = images.get('initrd') ?? before?.initrd
  const others = [...images].filter(([key]) => key !== 'kernel' && key !== 'initrd')
  return {
    ...(kernel !== undefined && { kernel }),
    ...(initrd !== undefined && { initrd }),
    others: Object.fromEntries([...Object.entries(before?.others ?? {}), ...others]),
  }
}

/** `arch = i686` with `[images-i386]`: everyone asks for the platform of the tree's own arch, so it gets that name too. */
function adoptOtherSpelling(platforms: Map<string, PlatformImages>, arch: string, notes: Notes): void {
  if (arch === '' || platforms.has(arch)) return
  const other = platformFor(Object.fromEntries(platforms), arch)
  const images = other === undefined ? undefined : platforms.get(other)
  if (!images) return
  platforms.set(arch, images)
  notes.add(`there is no [images-${arch}]; [images-${other}] is taken for it`)
}

function soleArch(platforms: ReadonlyMap<string, PlatformImages>): string | undefined {
  const names = [...platforms.keys()].filter(isKnownArch)
  return names.length === 1 ? names[0] : undefined
}

function notePlatforms(
  listed: readonly string[],
  platforms: ReadonlyMap<string, PlatformImages>,
  arch: string,
  entry: IniEntry | undefined,
  notes: Notes,
): void {
  for (const name of listed)
    if (!platforms.has(name))
      notes.add(`platform ${name} is listed, but there is no [images-${name}]`, entry?.line)
  if (arch !== '' && !platforms.has(arch) && !listed.includes(arch)) notes.add(`there is no [images-${arch}]`)
}

/** `[general] variant` is missing in Scientific Linux 5 and 6 and in SUSE's trees; a single variant is the one. */
function mainVariant(ini: Ini): string {
  const variants = listOf(ini.entry('tree', 'variants') ?? ini.entry('general', 'variants'))
  if (variants.length === 1) return variants[0] ?? ''
  return variants.find((id) => textOf(ini.entry(`variant-${id}`, 'repository')) === '.') ?? ''
}

function noteContradictions(ini: Ini, notes: Notes): void {
  const pairs = [
    ['version', 'release', 'version'],
    ['version', 'product', 'version'],
    ['arch', 'tree', 'arch'],
  ] as const
  for (const [key, section, other] of pairs) {
    const said = ini.entry('general', key)
    const also = ini.entry(section, other)
    if (said && also && textOf(said) !== '' && textOf(said) !== textOf(also))
      notes.add(
        `[general] ${key} is ${excerpt(said.value)}, [${section}] says ${excerpt(also.value)}`,
        said.line,
      )
  }
  for (const section of ini.sections.values())
    for (const entry of section.entries.values())
      if (/%(?![%(])/.test(entry.value))
        notes.add(`${excerpt(entry.key)} holds a bare %; virt-install fails on that`, entry.line)
}

function readPath(ini: Ini, section: string, key: string, notes: Notes): string | undefined {
  const entry = ini.entry(section, key)
  return entry && treePath(entry.value, `${key} of [${section}]`, notes, entry.line)
}

function readDisc(ini: Ini): { number: number; total: number } | undefined {
  const number = numberOf(ini.entry('media', 'discnum')) ?? numberOf(ini.entry('general', 'discnum'))
  const total = numberOf(ini.entry('media', 'totaldiscs')) ?? numberOf(ini.entry('general', 'totaldiscs'))
  return number === undefined ? undefined : { number, total: total ?? number }
}

function textOf(entry: IniEntry | undefined): string {
  return entry ? unquote(entry.value.replace(/\s+/g, ' ').trim()) : ''
}

/** `x86_64,xen`, with spaces or line breaks as they come. */
export function listOf(entry: IniEntry | undefined): string[] {
  return (entry?.value ?? '').split(/[,\s]+/).filter((part) => part !== '')
}

function numberOf(entry: IniEntry | undefined): number | undefined {
  const number = entry === undefined || entry.value.trim() === '' ? Number.NaN : Number(entry.value)
  return Number.isFinite(number) ? number : undefined
}
