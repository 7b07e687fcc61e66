import { type FSWatcher, watch } from 'chokidar'

/**
 * Watches single folders, and nothing below them. chokidar watches no files here: a change of a file is also
 * reported as a raw event of its folder, and a tree has 60,000 files but only a handful of folders that
 * matter.
 */
export class FolderWatch {
  /** Folder -> inode: a folder that was deleted and made again under the same name needs a new watch. */
  #watched: ReadonlyMap<string, number> = new Map()
  readonly #watcher: FSWatcher

  /**
   * @param onChange Called when an item of a folder changed, with the name of the item if the system gives
   *   one.
   * @param onTrouble Called when watching does not work; once for each error code.
   */
  constructor(onChange: (folder: string, name?: string) => void, onTrouble: (message: string) => void) {
    const reported = new Set<string>()
    this.#watcher = watch([], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => !this.#watched.has(path),
    })
    this.#watcher.on('raw', (_event, name, details) => {
      const { watchedPath } = details as { watchedPath: string }
      onChange(watchedPath, name || undefined)
    })
    this.#watcher.on('error', (error) => {
      const { code = 'unknown', message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || reported.has(code)) return
      reported.add(code)
      onTrouble(code === 'ENOSPC' ? watchLimitMessage : `changes may be noticed late: ${message}`)
    })
  }

  /** Watches exactly these real paths from now on. Returns those that were not watched before. */
  set(wanted: ReadonlyMap<string, number>): string[] {
    const before = this.#watched
    this.#watched = wanted
    const stale = [...before].filter(([folder, inode]) => wanted.get(folder) !== inode).map(([path]) => path)
    const fresh = [...wanted].filter(([folder, inode]) => before.get(folder) !== inode).map(([path]) => path)
    if (stale.length > 0) this.#watcher.unwatch(stale)
    if (fresh.length > 0) this.#watcher.add(fresh)
    return fresh
  }

  close(): Promise<void> {
    return this.#watcher.close()
  }
}

const watchLimitMessage =
  'the system has no file watches left, changes are noticed late; raise fs.inotify.max_user_watches with sysctl'
