import { type FSWatcher, watch } from 'node:fs'
import { join, relative } from 'node:path'
import { itemsIn, stampOf } from '../../files/listing-source.ts'

/**
 * How many folders of one arriving tree are watched. Fedora's `Packages/` has 36 below it, a big DVD some
 * hundred.
 */
const maxFolders = 4096

/**
 * Watches every folder of one tree while it is being copied, and only then. A growing file causes an event of
 * its folder. A new file also changes the time of its folder, which can be seen on NFS, too. This uses Node's
 * own `watch`: chokidar would read the attributes of all 60,000 packages at every event, and here it is
 * enough to know that something changed.
 */
export class ArrivalWatch {
  readonly #root: string
  readonly #clock: () => number
  /** `mtimeMs` is the time that the last look has seen; 0 before the first. */
  readonly #folders = new Map<string, { mtimeMs: number; watcher: FSWatcher | undefined }>()
  /**
   * The item that the last event named, relative to the tree; undefined when no event came since the last
   * look.
   */
  #changed: string | undefined
  #isListening = false
  #isFirstLook = true

  constructor(root: string, clock: () => number) {
    this.#root = root
    this.#clock = clock
    this.#folders.set(root, { mtimeMs: 0, watcher: undefined })
  }

  /** Begins to listen for events. Until then, `look` only compares the times of folders. */
  listen(): void {
    this.#isListening = true
    for (const folder of this.#folders.keys()) this.#watch(folder)
  }

  /**
   * Looks at all folders. Returns the file or folder that changed last since the previous look, relative to
   * the tree, and when. The first look reports the time of the folder as the time of the change. Later looks
   * report the present time.
   */
  async look(): Promise<{ readonly path: string; readonly atMs: number } | undefined> {
    let newest: { path: string; atMs: number } | undefined
    // The iteration of a Map also visits what is added meanwhile, so new folders are read in the same look.
    for (const [folder, watched] of this.#folders) {
      const stamp = await stampOf(folder)
      if (!stamp?.folder) {
        watched.watcher?.close()
        this.#folders.delete(folder)
        continue
      }
      if (stamp.mtimeMs === watched.mtimeMs) continue
      watched.mtimeMs = stamp.mtimeMs
      const atMs = this.#isFirstLook ? stamp.mtimeMs : this.#clock()
      if (!newest || atMs > newest.atMs) newest = { path: this.#nameOf(folder), atMs }
      await this.#addBelow(folder)
    }
    this.#isFirstLook = false
    const changed = this.#changed
    this.#changed = undefined
    return changed === undefined ? newest : { path: changed, atMs: this.#clock() }
  }

  close(): void {
    for (const { watcher } of this.#folders.values()) watcher?.close()
    this.#folders.clear()
  }

  async #addBelow(folder: string): Promise<void> {
    for (const item of (await itemsIn(folder)) ?? []) {
      const path = join(folder, item.name)
      if (!item.isDirectory() || this.#folders.has(path) || this.#folders.size >= maxFolders) continue
      this.#folders.set(path, { mtimeMs: 0, watcher: undefined })
      if (this.#isListening) this.#watch(path)
    }
  }

  #watch(folder: string): void {
    const watched = this.#folders.get(folder)
    if (!watched || watched.watcher) return
    try {
      watched.watcher = watch(folder, { persistent: false }, (_event, name) => {
        this.#changed = this.#nameOf(name === null ? folder : join(folder, name))
      })
      // No watches are left, or the folder is gone: comparing times still works.
      watched.watcher.on('error', () => watched.watcher?.close())
    } catch {
      watched.watcher = undefined
    }
  }

  #nameOf(path: string): string {
    return relative(this.#root, path) || '.'
  }
}
