import { defined } from '../../defined.ts'
import { isKnownArch, platformFor } from '../arch.ts'
import type { PlatformImages } from '../description.ts'
import { type Ini, type IniSection, listOf } from './ini.ts'
import { treePath } from './paths.ts'
import { excerpt, type Notes } from './text.ts'

/** The sections `[images-<platform>]` of a `.treeinfo`: kernel, initrd and other images of each platform. */
export function readPlatforms(ini: Ini, arch: string, notes: Notes): Map<string, PlatformImages> {
  const platforms = new Map<string, PlatformImages>()
  for (const section of ini.sections.values()) {
    const platform = /^images-(.+)$/i.exec(section.name)?.[1]?.trim()
    if (platform === undefined) continue
    const name = withoutArch(platform, arch)
    const before = platforms.get(name)
    if (before) notes.add(`[${section.name}] is platform ${name} once more; merged`, section.line)
    const images = readImages(section, notes)
    platforms.set(name, platformImages(images, before))
    if (!images.has('kernel')) notes.add(`[${section.name}] names no kernel`, section.line)
    if (!images.has('initrd')) notes.add(`[${section.name}] names no initrd`, section.line)
  }
  adoptOtherSpelling(platforms, arch, notes)
  return platforms
}

/**
 * Pungi 4 of Fedora 21 wrote [images-lpae-armhfp] for the platform lpae; productmd drops the arch as well.
 */
function withoutArch(platform: string, arch: string): string {
  return arch !== '' && platform.endsWith(`-${arch}`) ? platform.slice(0, -arch.length - 1) : platform
}

/** Key -> path. Keys keep their spelling, except those of kernel and initrd. */
function readImages(section: IniSection, notes: Notes): Map<string, string> {
  const images = new Map<string, string>()
  for (const { key, value, line } of section.entries.values()) {
    const path = treePath(value, `${key} of [${section.name}]`, notes, line)
    const imageKey = /^(kernel|initrd)$/i.test(key) ? key.toLowerCase() : key
    if (path === undefined) notes.add(`${excerpt(key)} of [${section.name}] is empty`, line)
    else images.set(imageKey, path)
  }
  return images
}

function platformImages(images: ReadonlyMap<string, string>, before?: PlatformImages): PlatformImages {
  const kernel = images.get('kernel') ?? before?.kernel
  const initrd = images.get('initrd') ?? before?.initrd
  const others = [...images].filter(([key]) => key !== 'kernel' && key !== 'initrd')
  return {
    ...defined({ kernel, initrd }),
    others: Object.fromEntries([...Object.entries(before?.others ?? {}), ...others]),
  }
}

/**
 * Gives the platform of `[images-i386]` the name i686 as well when the tree says `arch = i686`: every client
 * asks for the platform that is named like the tree's own arch.
 */
function adoptOtherSpelling(platforms: Map<string, PlatformImages>, arch: string, notes: Notes): void {
  if (platforms.has(arch)) return
  const other = platformFor(Object.fromEntries(platforms), arch)
  const images = other === undefined ? undefined : platforms.get(other)
  if (!images) return
  platforms.set(arch, images)
  notes.add(`there is no [images-${arch}]; [images-${other}] is taken for it`)
}

/** The arch among the names of the platforms, when there is exactly one. */
export function soleArch(platforms: ReadonlyMap<string, PlatformImages>): string | undefined {
  const names = [...platforms.keys()].filter(isKnownArch)
  return names.length === 1 ? names[0] : undefined
}

/** Compares the list of platforms in `[tree]` or `[general]` with the sections that are there. */
export function noteListedPlatforms(
  ini: Ini,
  { platforms, arch }: { readonly platforms: ReadonlyMap<string, PlatformImages>; readonly arch: string },
  notes: Notes,
): void {
  const entry = ini.entry('tree', 'platforms') ?? ini.entry('general', 'platforms')
  const listed = listOf(entry)
  for (const name of listed)
    if (!platforms.has(name))
      notes.add(`platform ${name} is listed, but there is no [images-${name}]`, entry?.line)
  if (arch !== '' && !platforms.has(arch) && !listed.includes(arch)) notes.add(`there is no [images-${arch}]`)
}
