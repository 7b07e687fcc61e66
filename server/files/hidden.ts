import { behindLink } from './entry.ts'
import { baseName, below, type CleanPath, linkTarget, parentPath } from './path.ts'
import type { Entry, FileSource } from './source.ts'

/**
 * Hides one folder of a source: lookups of it and below it find nothing, and no listing names it. A symlink into
 * it is shown as what it leads to.
 */
export function withoutFolder(source: FileSource, folder: CleanPath): FileSource {
  const isHidden = (path: CleanPath): boolean => below(folder, path) !== undefined
  const isShown = (to: CleanPath | undefined): boolean => to !== undefined && !isHidden(to)
  return {
    async stat(path, who) {
      const entry = isHidden(path) ? undefined : await source.stat(path, who)
      return entry && showLink(entry, parentPath(path), isShown)
    },
    async list(path, who) {
      if (isHidden(path)) return undefined
      const entries = await source.list(path, who)
      const shown = entries && showLinks(entries, path, isShown)
      if (path !== parentPath(folder)) return shown
      return shown?.filter((entry) => entry.name !== baseName(folder))
    },
  }
}

/** Hides everything in one folder of a source but the entries of these names, and what is below them. */
export function withoutOthers(source: FileSource, folder: CleanPath, names: readonly string[]): FileSource {
  const isShown = (path: CleanPath | undefined): boolean => {
    if (path === undefined) return false
    const inside = below(folder, path)
    const [, name = ''] = inside?.split('/') ?? []
    return name === '' || names.includes(name)
  }
  return {
    async stat(path, who) {
      const entry = isShown(path) ? await source.stat(path, who) : undefined
      return entry && showLink(entry, parentPath(path), isShown)
    },
    async list(path, who) {
      if (!isShown(path)) return undefined
      const entries = await source.list(path, who)
      const shown = entries && showLinks(entries, path, isShown)
      return path === folder ? shown?.filter(({ name }) => names.includes(name)) : shown
    },
  }
}

/** Whether a target may be shown, by the path that it means; undefined: it leads above the root. */
export type IsShown = (to: CleanPath | undefined) => boolean

/** An entry of a folder, as a symlink only if its target may be shown. */
export function showLink(entry: Entry, folder: CleanPath, isShown: IsShown): Entry {
  if (entry.target === undefined || isShown(linkTarget(folder, entry.target))) return entry
  return behindLink(entry)
}

/** The entries of a folder. The same list when no link must be hidden, so that what is cached by it stays cached. */
export function showLinks(entries: readonly Entry[], folder: CleanPath, isShown: IsShown): readonly Entry[] {
  const shown = entries.map((entry) => showLink(entry, folder, isShown))
  return shown.every((entry, at) => entry === entries[at]) ? entries : shown
}
