import { internalRequester } from '../core/net/requester.ts'
import { baseName, type CleanPath, parentPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'

/** From this many files of one folder on, listing the folder once costs less than a `stat` for each file. */
const worthListing = 8

/** Finds many entries of one source. It lists a folder once when it holds many of them. */
export class EntryLookup {
  readonly #source: FileSource
  /** How many entries of each folder will be asked for. */
  readonly #wanted = new Map<CleanPath, number>()
  readonly #listed = new Map<CleanPath, Promise<ReadonlyMap<string, Entry>>>()

  constructor(source: FileSource, paths: Iterable<CleanPath>) {
    this.#source = source
    for (const path of paths)
      this.#wanted.set(parentPath(path), (this.#wanted.get(parentPath(path)) ?? 0) + 1)
  }

  /** Gives the same result as the source's `stat`. */
  async entry(path: CleanPath): Promise<Entry | undefined> {
    const folder = parentPath(path)
    if ((this.#wanted.get(folder) ?? 0) < worthListing) return this.#source.stat(path, internalRequester)
    let listing = this.#listed.get(folder)
    if (!listing) {
      listing = this.#list(folder)
      this.#listed.set(folder, listing)
    }
    return (await listing).get(baseName(path))
  }

  async #list(folder: CleanPath): Promise<ReadonlyMap<string, Entry>> {
    const entries = (await this.#source.list(folder, internalRequester)) ?? []
    return new Map(entries.map((entry) => [entry.name, entry]))
  }
}
