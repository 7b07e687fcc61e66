import type { Requester } from '../core/net/requester.ts'
import { lru } from '../host/lru.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { byName, folderEntry } from './entry.ts'
import { textEntry } from './memory.ts'
import { baseName, below, type CleanPath, cleanPath, rootPath } from './path.ts'
import type { Entry, FileSource } from './source.ts'

/**
 * A text made for one client, with the decision behind it and the claim before its first byte; see `Entry`.
 */
export interface GeneratedText extends Pick<Entry, 'decision' | 'claim'> {
  readonly text: string
}

/** The number of texts that one listing has made at once: requests for a single text come in between. */
const madeAtOnce = 16

export interface GeneratedOptions {
  /**
   * Makes the text at a path for the client that asks. Undefined when the path has no text. Rejects with a
   * Failure when the text cannot be made.
   */
  readonly text: (path: CleanPath, who: Requester) => Promise<GeneratedText | string | undefined>
  /**
   * The paths that a listing shows. Other paths that `text` knows (`01-<mac>` of any machine) are served but
   * not listed. Without this option a listing shows an empty root.
   */
  readonly paths?: (who: Requester) => readonly string[]
  /** The root shows none of `paths`: nobody may learn their names there, and whoever knows one gets what it has. */
  readonly hidesRoot?: true
  readonly now?: () => number
}

/** The number of texts whose time is kept. A text that is dropped gets a new time, and is at worst sent again. */
const rememberedTexts = 10_000

/**
 * Makes texts on request, for the client that asks. The time of a text is the moment at which it was first
 * made in this form. It moves forward whenever the text changes, so a client that sends `If-Modified-Since`
 * never keeps an old text, and HEAD and GET agree.
 */
export function generatedSource(options: GeneratedOptions): FileSource {
  const now = options.now ?? Date.now
  const startedMs = now()
  // The times only, not the texts: ten thousand of those would fill memory.
  const remembered = lru<CleanPath, Pick<Entry, 'etag' | 'modifiedMs'>>(rememberedTexts)

  /** The entry of a text, with its earlier time while the text is the same. */
  const dated = (path: CleanPath, text: string): Entry => {
    const entry = textEntry(baseName(path), text, now())
    const earlier = remembered.get(path)
    if (earlier?.etag === entry.etag) return { ...entry, modifiedMs: earlier.modifiedMs }
    remembered.set(path, { etag: entry.etag, modifiedMs: entry.modifiedMs })
    return entry
  }

  const make = async (path: CleanPath, who: Requester): Promise<Entry | undefined> => {
    const generated = await options.text(path, who)
    if (generated === undefined) return undefined
    const { text, ...more } = typeof generated === 'string' ? { text: generated } : generated
    const entry = dated(path, text)
    // Decision and claim belong to this request, and are not kept with the text.
    return 'decision' in more || 'claim' in more ? { ...entry, ...more } : entry
  }

  const listedPaths = (who: Requester): CleanPath[] => (options.paths?.(who) ?? []).map(cleanPath)
  const isFolder = (path: CleanPath, who: Requester): boolean =>
    path === rootPath || listedPaths(who).some((file) => file !== path && below(path, file) !== undefined)

  return {
    async stat(path, who) {
      const file = await make(path, who)
      if (file) return file
      return isFolder(path, who) ? folderEntry(baseName(path), startedMs) : undefined
    },
    async list(path, who) {
      if (!isFolder(path, who)) return undefined
      if (options.hidesRoot && path === rootPath) return []
      const { folders, files } = childrenOf(path, listedPaths(who))
      const found = new Map([...folders].map((name) => [name, folderEntry(name, startedMs)]))
      await forEachAtOnce(files, madeAtOnce, async ([name, file]) => {
        // A text may fail: its template is broken, or its tree is still being copied. It is left out, so that
        // its neighbours are listed and an NFS client does not retry for ever. A request for it returns the
        // reason.
        const entry = await make(file, who).catch(() => undefined)
        if (entry && !found.has(name)) found.set(name, entry)
      })
      return [...found.values()].sort(byName)
    },
  }
}

/** What a folder has, by name, of all listed paths. */
function childrenOf(
  folder: CleanPath,
  paths: readonly CleanPath[],
): { readonly folders: ReadonlySet<string>; readonly files: ReadonlyMap<string, CleanPath> } {
  const folders = new Set<string>()
  const files = new Map<string, CleanPath>()
  for (const path of paths) {
    const inside = below(folder, path)
    if (inside === undefined || inside === rootPath) continue
    const [, name = '', more] = inside.split('/')
    if (more !== undefined) folders.add(name)
    else files.set(name, path)
  }
  return { folders, files }
}
