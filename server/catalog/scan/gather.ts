import { isTellingFolder, mayBeKernel } from '../../core/distro/layouts.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { Requester } from '../../core/net/requester.ts'
import {
  concludeTree,
  imagesOf,
  isComplete,
  readDescriptors,
  type TreeEvidence,
} from '../../core/tree/conclude.ts'
import { descriptorFormats, doubtfulNames, tellingNames } from '../../core/tree/descriptors/formats.ts'
import type { Description, TreeProblem } from '../../core/tree/tree.ts'
import { type CleanPath, joinPath } from '../../files/path.ts'
import type { Entry, FileSource } from '../../files/source.ts'

const self: Requester = { protocol: 'internal', address: '127.0.0.1' }

/** Folders that are looked into for one tree without a telling descriptor. */
const maxFolders = 96
const maxDepth = 6

/** What a listing tells the scanner about a folder, without opening anything. */
export type FolderVerdict = 'descriptor' | 'maybe' | 'no'

/**
 * Whether a folder with these names in it is worth `gatherEvidence`: `descriptor` when it holds one by its name,
 * `maybe` when its files might be a tree (`images/`, `casper/`, `isolinux/`, a kernel, ...), `no` otherwise.
 */
export function judgeFolder(names: Iterable<string>): FolderVerdict {
  let verdict: FolderVerdict = 'no'
  for (const name of names) {
    if (tellingNames.has(name)) return 'descriptor'
    if (doubtfulNames.has(name) || isTellingFolder(name) || mayBeKernel(name)) verdict = 'maybe'
  }
  return verdict
}

/**
 * Collects what `concludeTree` needs to judge the folder at `at`. A whole `.treeinfo` costs one stat, one read and one
 * stat for each image; only a tree without one has its telling folders listed.
 *
 * @param name how people call the tree (its id); where no descriptor tells, distribution and version are read from it.
 * @returns undefined when there is nothing that speaks of a tree.
 */
export async function gatherEvidence(
  source: FileSource,
  at: CleanPath,
  name: string = at.slice(1),
): Promise<TreeEvidence | undefined> {
  const hunt = createHunt(source, at, name)
  if (!(await hunt.take('.treeinfo'))) await hunt.take('treeinfo')
  const said = hunt.read()
  if (!said || !isComplete(said)) {
    await hunt.walk()
    for (const format of descriptorFormats)
      for (const path of format.paths) if (hunt.entries.has(path) && (await hunt.take(path))) break
  }
  const description = hunt.read()
  if (description) await hunt.measure(imagesOf(description))
  const evidence = hunt.evidence()
  return description || concludeTree(evidence) ? evidence : undefined
}

/** One tree being looked at: what was found so far, and the few ways to find more. */
function createHunt(source: FileSource, at: CleanPath, name: string) {
  const descriptors = new Map<string, Uint8Array>()
  const entries = new Map<string, Entry>()
  const named = new Set<string>()
  const problems: TreeProblem[] = []
  let description: Description | undefined
  let stale = true

  async function stat(path: string): Promise<Entry | undefined> {
    const known = entries.get(path)
    if (known && known.kind !== 'symlink') return known
    const entry = await source.stat(joinPath(at, path), self)
    if (entry?.kind === 'file') entries.set(path, entry)
    return entry
  }

  return {
    entries,

    /** Reads a descriptor into the evidence; false when there is none or it cannot be read. */
    async take(path: string): Promise<boolean> {
      if (descriptors.has(path)) return true
      const limit = descriptorFormats.find((format) => format.paths.includes(path))?.maxBytes ?? 0
      try {
        const entry = await stat(path)
        if (entry?.kind !== 'file') return false
        descriptors.set(path, await readEntry(entry, limit))
        named.add(path)
        stale = true
        return true
      } catch (error) {
        problems.push({ file: path, message: failureMessage(error) })
        return false
      }
    },

    read(): Description | undefined {
      if (stale) description = readDescriptors(descriptors)
      stale = false
      return description
    },

    /** Looks whether images exist. A path that is no path at all (control characters) counts as missing. */
    async measure(paths: readonly string[]): Promise<void> {
      await Promise.all(
        paths.map(async (path) => {
          named.add(path)
          await stat(path).catch(() => undefined)
        }),
      )
    },

    /** Lists the folder and all telling folders below it. */
    async walk(): Promise<void> {
      let level = ['']
      let left = maxFolders
      for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
        const folders = level.slice(0, left)
        left -= folders.length
        const listings = await Promise.all(folders.map((folder) => source.list(joinPath(at, folder), self)))
        level = []
        for (const [i, listing] of listings.entries()) {
          const folder = folders[i] ? `${folders[i]}/` : ''
          for (const entry of listing ?? []) {
            const path = `${folder}${entry.name}`
            if (entry.kind === 'folder' && isTellingFolder(entry.name)) level.push(path)
            else if (entry.kind === 'file') entries.set(path, entry)
            else if (entry.kind === 'symlink') {
              const behind = await source.stat(joinPath(at, path), self).catch(() => undefined)
              if (behind?.kind === 'file') entries.set(path, behind)
              // debian-installer's netboot folder links `current` to a dated folder; such a link may be followed once.
              else if (behind?.kind === 'folder' && isTellingFolder(entry.name)) level.push(path)
            }
          }
        }
      }
    },

    evidence(): TreeEvidence {
      let modifiedMs = 0
      for (const [path, entry] of entries)
        if (named.size === 0 || named.has(path)) modifiedMs = Math.max(modifiedMs, entry.modifiedMs)
      const sizes = new Map([...entries].map(([path, entry]) => [path, entry.size]))
      return { name, descriptors, sizes, modifiedMs, problems }
    },
  }
}

async function readEntry(entry: Entry, limit: number): Promise<Uint8Array> {
  if (entry.size > limit)
    throw new Failure(
      'too-large',
      `is ${entry.size} bytes; a descriptor of more than ${limit} bytes is not read`,
    )
  if (entry.content) return entry.content
  const file = await entry.open()
  try {
    const bytes = new Uint8Array(Math.min(file.size, limit))
    let filled = 0
    while (filled < bytes.length) {
      const read = await file.read(bytes, filled, bytes.length - filled, filled)
      if (read === 0) break
      filled += read
    }
    return bytes.subarray(0, filled)
  } finally {
    await file.close()
  }
}
