import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { LoaderCandidate } from '../core/loader/choice.ts'
import { type LoaderFile, loaderFiles, treeLoaderPlaces } from '../core/loader/files.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Tree } from '../core/tree/tree.ts'
import { diskSource } from '../files/disk.ts'
import { byName, renameEntry } from '../files/entry.ts'
import { baseName, type CleanPath, cleanPath, joinPath, parentPath, rootPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'

/**
 * The real path of a loader on the host's disk; undefined while its package is not installed. Links are
 * followed, because Debian installs shim behind a link.
 */
export async function hostPlace(file: LoaderFile): Promise<string | undefined> {
  for (const place of file.places) {
    const real = await realpath(place).catch(() => undefined)
    if (real !== undefined) return real
  }
  return undefined
}

/**
 * Makes the function that says whether a loader can be fetched from `source`. Below `/` the operator's files and those
 * of the host have the same names.
 */
export function loaderFinder(
  source: FileSource,
  tftpboot: () => string,
): (loader: LoaderCandidate, who: Requester) => Promise<boolean> {
  return async ({ urlPath, origin }, who) => {
    const from = origin === 'tftpboot' ? diskSource(tftpboot()) : source
    return (await from.stat(cleanPath(urlPath), who))?.kind === 'file'
  }
}

/**
 * The boot loaders of the host's own packages, at the root of the namespace under the names of `loaderFiles`.
 * Each request looks at the disk, so an installed or removed package counts at once.
 */
export function hostLoadersSource(files: readonly LoaderFile[] = loaderFiles): FileSource {
  const byPath = new Map(files.map((file) => [cleanPath(file.name), file]))
  const folders = new Map<string, FileSource>()
  const sourceOf = (folder: string): FileSource => {
    const source = folders.get(folder) ?? diskSource(folder)
    folders.set(folder, source)
    return source
  }
  const stat = async (path: CleanPath, who: Requester): Promise<Entry | undefined> => {
    const file = byPath.get(path)
    const real = file && (await hostPlace(file))
    if (!file || real === undefined) return undefined
    const entry = await sourceOf(dirname(real)).stat(cleanPath(basename(real)), who)
    return entry?.kind === 'file' ? renameEntry(entry, file.name) : undefined
  }
  return {
    stat,
    async list(path, who) {
      if (path !== rootPath) return undefined
      const entries = await Promise.all([...byPath.keys()].map((each) => stat(each, who)))
      return entries.filter((entry) => entry !== undefined).sort(byName)
    },
  }
}

/**
 * The signed loaders of each tree: its shim at `/<tree id>/shimx64.efi`, and its GRUB in the same folder,
 * where shim looks for it. Secure Boot needs them, because a kernel is started only by the GRUB of its own
 * distribution. Firmware and shim ask for whole paths, so the folders are neither found nor listed.
 */
export function treeLoadersSource(snapshot: () => Pick<Snapshot, 'trees'>, trees: FileSource): FileSource {
  return {
    async stat(path, who) {
      const tree = snapshot().trees.byId(parentPath(path).slice(1))
      if (tree?.state !== 'ready') return undefined
      for (const place of treeLoaderPlaces(baseName(path), kernelFolder(tree))) {
        const entry = await trees.stat(joinPath(joinPath(rootPath, tree.id), place), who)
        if (entry?.kind === 'file') return renameEntry(entry, baseName(path))
      }
      return undefined
    },
    list: async () => undefined,
  }
}

/** The folder of the kernel for the tree's own architecture, or else of its first kernel; '' for the root. */
function kernelFolder({ platforms, arch }: Tree): string {
  const own = Object.hasOwn(platforms, arch) ? platforms[arch] : undefined
  const kernel = own?.kernel ?? Object.values(platforms).find((images) => images.kernel !== undefined)?.kernel
  return kernel === undefined || !kernel.includes('/') ? '' : kernel.slice(0, kernel.lastIndexOf('/'))
}
