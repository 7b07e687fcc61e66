import type { Requester } from '../core/net/requester.ts'
import { generatedTreeinfo } from '../core/tree/descriptors/generated.ts'
import { repairTreeinfo } from '../core/tree/descriptors/repair.ts'
import { needsTreeinfo, netbootAliases } from '../core/tree/netboot-aliases.ts'
import type { Tree } from '../core/tree/tree.ts'
import { behindLink, byName, folderEntry, renameEntry } from '../files/entry.ts'
import { bytesEntry, textEntry } from '../files/memory.ts'
import { baseName, below, type CleanPath, cleanPath, parentPath, rootPath } from '../files/path.ts'
import { readWhole } from '../files/read-whole.ts'
import type { Entry, FileSource } from '../files/source.ts'

const treeinfoPaths: readonly CleanPath[] = [cleanPath('/.treeinfo'), cleanPath('/treeinfo')]
const originalSuffix = '.orig'
/** A larger file is served as it is: it cannot be a `.treeinfo`. */
const largestTreeinfo = 1024 * 1024

/**
 * The repaired descriptor for each entry of a descriptor that was read; undefined for one that needs no
 * repair.
 */
export type Repairs = WeakMap<Entry, Promise<Entry | undefined>>

/**
 * A tree with the files that clients need to find its kernel and initrd. They are served, and never written
 * into the operator's tree:
 *
 * - a `.treeinfo`, when the tree has neither one nor any other descriptor that clients know;
 * - the paths at which virt-install looks for the images of a Debian or Ubuntu medium;
 * - in place of a `.treeinfo` that some client cannot read, a repaired one; the original is at
 *   `.treeinfo.orig`.
 *
 * All other files are those of `real`, byte for byte. A file of `real` always hides an added one at the same
 * path.
 */
export function withTreeinfo(tree: Tree, real: FileSource, repairs: Repairs): FileSource {
  const added = addedTo(tree, real)

  /** The descriptor that clients get: repaired if it had to be. */
  const served = async (entry: Entry): Promise<Entry> => (await repaired(entry, tree, repairs)) ?? entry

  /** The descriptor before its repair, at `.treeinfo.orig`; undefined unless it was repaired. */
  const original = async (path: CleanPath, who: Requester): Promise<Entry | undefined> => {
    const from = treeinfoPaths.find((each) => path === `${each}${originalSuffix}`)
    const entry = from && (await real.stat(from, who))
    if (entry?.kind !== 'file' || (await repaired(entry, tree, repairs)) === undefined) return undefined
    return renameEntry(entry, baseName(path))
  }

  /**
   * The listing of the root: with the repaired descriptor, and the original beside it under its `.orig` name.
   */
  const withRepaired = async (entries: readonly Entry[], who: Requester): Promise<readonly Entry[]> => {
    const shown = new Map<string, Entry>()
    for (const entry of entries) {
      const isDescriptor = entry.kind === 'file' && treeinfoPaths.includes(cleanPath(entry.name))
      if (!isDescriptor) {
        shown.set(entry.name, entry)
        continue
      }
      const kept = await original(cleanPath(`${entry.name}${originalSuffix}`), who)
      if (kept && !entries.some(({ name }) => name === kept.name)) shown.set(kept.name, kept)
      shown.set(entry.name, await served(entry))
    }
    return [...shown.values()]
  }

  return {
    async stat(path, who) {
      const entry = await real.stat(path, who)
      if (entry) return entry.kind === 'file' && treeinfoPaths.includes(path) ? served(entry) : entry
      return (await original(path, who)) ?? added.stat(path, who)
    },
    async list(path, who) {
      const entries = await real.list(path, who)
      const more = await added.list(path, who)
      if (path !== rootPath && more.length === 0) return entries
      const here = path === rootPath ? await withRepaired(entries ?? [], who) : (entries ?? [])
      const names = new Set(here.map(({ name }) => name))
      const all = [...here, ...more.filter(({ name }) => !names.has(name))]
      return entries || all.length > 0 ? all.sort(byName) : undefined
    },
  }
}

/** The repaired descriptor; undefined when the entry needs no repair. */
function repaired(entry: Entry, tree: Tree, repairs: Repairs): Promise<Entry | undefined> {
  if (entry.size > largestTreeinfo) return Promise.resolve(undefined)
  let repair = repairs.get(entry)
  if (!repair) {
    repair = readWhole(entry).then((bytes) => {
      const better = repairTreeinfo(bytes, tree)
      return better && bytesEntry(entry.name, Buffer.from(better.text), entry.modifiedMs)
    })
    repairs.set(entry, repair)
    repair.catch(() => repairs.delete(entry))
  }
  return repair
}

/** The generated `.treeinfo` and the aliases, which are served where the tree itself has no file. */
function addedTo(tree: Tree, real: FileSource) {
  const aliases = tree.state === 'ready' ? netbootAliases(tree) : []
  const files = new Map(aliases.map((alias) => [cleanPath(`/${alias.path}`), alias] as const))
  const listed = aliases.filter((alias) => alias.listed).map(({ path }) => cleanPath(`/${path}`))
  const paths = aliases.map(({ path }) => path)
  const treeinfo =
    tree.state === 'ready' && needsTreeinfo(tree)
      ? textEntry('.treeinfo', generatedTreeinfo(tree, paths), tree.modifiedMs)
      : undefined
  const [treeinfoPath, otherPath] = treeinfoPaths

  const stat = async (path: CleanPath, who: Requester): Promise<Entry | undefined> => {
    // virt-install asks for `.treeinfo` first: a generated one would hide the tree's own `treeinfo`.
    if (path === treeinfoPath && treeinfo)
      return otherPath && (await real.stat(otherPath, who)) ? undefined : treeinfo
    const alias = files.get(path)
    if (alias) {
      const target = await real.stat(cleanPath(`/${alias.target}`), who)
      return target && renameEntry(behindLink(target), baseName(path))
    }
    const isFolder = [...files.keys()].some((file) => below(path, file) !== undefined)
    return isFolder && path !== rootPath ? folderEntry(baseName(path), tree.modifiedMs) : undefined
  }
  return {
    stat,
    async list(path: CleanPath, who: Requester): Promise<readonly Entry[]> {
      const names = new Set<CleanPath>()
      for (let file of listed) {
        // Up to the child of `path` that leads to the file; to the root when the file lies elsewhere.
        while (file !== rootPath && parentPath(file) !== path) file = parentPath(file)
        if (file !== rootPath) names.add(file)
      }
      if (path === rootPath && treeinfo && treeinfoPath) names.add(treeinfoPath)
      const entries = await Promise.all([...names].map((name) => stat(name, who)))
      return entries.filter((entry) => entry !== undefined)
    },
  }
}
