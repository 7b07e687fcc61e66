import { dirname, join, resolve } from 'node:path'
import { defined } from '../core/defined.ts'
import type { EventSink } from '../events/bus.ts'
import { definitionFilesState, definitionFolders } from './definition-files.ts'
import { type GitLock, standingGitLocks } from './git-lock.ts'
import { type LoadedConfig, loadConfigTexts } from './load.ts'
import { absent, fileState, readQuietConfig } from './quiet-read.ts'
import { type RefusedConfig, refusedConfig } from './refused.ts'
import { type ConfigPlace, type ConfigTexts, defaultFileName, readConfigTexts } from './texts.ts'

/** A watch that has begun. */
export interface ConfigWatch {
  /**
   * Loads the file now, without waiting for a change; for SIGHUP. Resolves when the result was emitted as an
   * event.
   */
  reload(): Promise<void>
  close(): Promise<void>
}

export interface ConfigWatchOptions extends ConfigPlace {
  /** Whether a missing file is an error although nobody named it: it was there before. */
  readonly mustExist?: boolean
  /**
   * Called with each configuration that comes into force, and its texts: of a definition file that is wrong the last
   * good one. An exception from it is reported like an error in config.yaml.
   */
  readonly onLoaded: (loaded: LoadedConfig, texts: ConfigTexts) => void
  /** Called with each configuration that has errors. */
  readonly onRefused?: (refused: RefusedConfig) => void
  readonly emit: EventSink
  /** Whether somebody is making a set of changes, of which a part may be seen now: the files are read when he is done. */
  readonly isHalfDone?: () => Promise<boolean>
  /** The texts in force: what a definition file that turns wrong has instead of its new text. */
  readonly inForce?: ConfigTexts
  /** What `configState` said before those texts were read: what changed since then is a change, too. */
  readonly since?: string
  readonly times?: Partial<WatchTimes>
}

/** All in milliseconds. */
export interface WatchTimes {
  /** The pause between two checks. */
  readonly pollMs: number
  /** A change is loaded when the files have been the same for this long. */
  readonly quietMs: number
  /** How long a lock of git counts. One that stands for longer was left by a git that crashed. */
  readonly gitLockMs: number
}

const defaultTimes: WatchTimes = { pollMs: 250, quietMs: 300, gitLockMs: 300_000 }
/** While files change, they are looked at as often as this, so that the quiet is seen. */
const pendingPollMs = 100
/** A check of ten thousand files takes a second while they are being written: it leaves the disk to who writes them. */
const restFactor = 2
const longestRestMs = 3_000

/**
 * Watches config.yaml and the definition files beside it, and loads them again when they change. When the new
 * config.yaml has errors or is removed, the last good configuration stays, and a `config` event `kept-last-good` lists
 * all problems. Resolves when the watch has begun.
 *
 * All that changes together is one change: it is read when it has been quiet for `quietMs`, and git does not hold its
 * lock on the repository that config.yaml is in. What changed while it was being read is not taken.
 *
 * It calls stat with the name of the file a few times a second. Editors rename a new file over the old one,
 * Kubernetes switches a symlink two folders away, and NFS sends no notice. chokidar 5 missed the second
 * rename over the same name, and a watch on the folder misses the other two. A stat sees all three.
 */
export async function watchConfig(options: ConfigWatchOptions): Promise<ConfigWatch> {
  const watch = new Watch(options)
  await watch.begin()
  return watch
}

class Watch implements ConfigWatch {
  readonly #options: ConfigWatchOptions
  readonly #times: WatchTimes
  readonly #shown: string
  readonly #path: string
  /** Whether a missing file is an error: the operator named the file, or the file existed before. */
  #mustExist: boolean
  #inForce: ConfigTexts | undefined
  #closed = false
  #lastLoad: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #checks = 0
  #fileTimes = ''
  /** The state that was loaded last, and that of the last check. */
  #loadedState = ''
  #lastState = ''
  #changedMs = 0
  /** The lock of git that changes wait for. */
  /** The locks of git that stood at the last look, and since when, by their identity. */
  #gitLocks: ReadonlyMap<string, number> = new Map()

  constructor(options: ConfigWatchOptions) {
    this.#options = options
    this.#times = { ...defaultTimes, ...options.times }
    this.#shown = options.file ?? defaultFileName
    this.#path = resolve(options.cwd, this.#shown)
    this.#mustExist = options.mustExist === true || options.file !== undefined
    this.#inForce = options.inForce
  }

  async begin(): Promise<void> {
    this.#lastState = await this.#state('each-file')
    this.#loadedState = this.#options.since ?? this.#lastState
    this.#changedMs = performance.now()
    this.#checkLater()
  }

  /** Loads after all earlier loads have ended. */
  async reload(): Promise<void> {
    await this.#loadNext()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#lastLoad
  }

  #loadNext(expected?: string): Promise<boolean> {
    const load = this.#lastLoad.then(() => this.#load(expected))
    this.#lastLoad = load
    return load
  }

  /**
   * Returns whether a result was emitted.
   *
   * @param expected The state that is to be loaded. When it is another one after the files were read, some of them may
   *   have been read before the change and some behind it. Without it the files are read as soon as they are quiet.
   */
  async #load(expected: string | undefined): Promise<boolean> {
    if (this.#closed) return false
    const { cwd, emit, onLoaded, onRefused } = this.#options
    const isOther = async () => expected !== undefined && (await this.#state('each-file')) !== expected
    try {
      // Without `file` a missing file means defaults. They must not come into force when a file is removed.
      const file = this.#mustExist ? this.#shown : undefined
      const place = { cwd, ...defined({ file }) }
      const found = await (expected === undefined ? this.#readNow(place) : readConfigTexts(place))
      if (await isOther()) return false
      const { loaded, texts } = await loadConfigTexts(found, async () => this.#inForce)
      if (this.#closed) return false
      onLoaded(loaded, texts)
      this.#inForce = texts
      const counts = `guests: ${loaded.guests.length}, profiles: ${loaded.profiles.size}`
      emit({ type: 'config', outcome: 'loaded', message: `${this.#shown} loaded: ${counts}` })
    } catch (error) {
      if (this.#closed || (await isOther())) return false
      const refused = refusedConfig(this.#shown, error)
      onRefused?.(refused)
      emit({ type: 'config', outcome: 'kept-last-good', message: refused.message })
    }
    return true
  }

  /** What is edited afterwards differs from the state that is remembered here, and the next check sees it. */
  async #readNow(place: ConfigPlace): Promise<ConfigTexts> {
    const { state, texts } = await readQuietConfig(place, this.#loadedState, this.#times.quietMs)
    this.#loadedState = state
    return texts
  }

  /**
   * The times of the folders show added and removed files. Edits in place show only in a stat of each file, which is
   * made less often, and at each check while something changes.
   */
  async #state(look: 'folders' | 'each-file'): Promise<string> {
    const file = await fileState(this.#path)
    this.#mustExist ||= file !== absent
    if (look === 'each-file') this.#fileTimes = await definitionFilesState(this.#path, 'each-file')
    return [file, await definitionFilesState(this.#path, 'folders'), this.#fileTimes].join('\n')
  }

  #checkLater(tookMs = 0): void {
    if (this.#closed) return
    const { pollMs } = this.#times
    const pause = this.#lastState === this.#loadedState ? pollMs : Math.min(pollMs, pendingPollMs)
    const check = (): void => {
      const began = performance.now()
      void this.#check().finally(() => this.#checkLater(performance.now() - began))
    }
    this.#timer = setTimeout(check, Math.max(pause, Math.min(restFactor * tookMs, longestRestMs))).unref()
  }

  async #check(): Promise<void> {
    const isPending = this.#lastState !== this.#loadedState
    const now = await this.#state(isPending || this.#checks++ % eachFileEvery === 0 ? 'each-file' : 'folders')
    if (now !== this.#lastState) {
      this.#lastState = now
      this.#changedMs = performance.now()
      return
    }
    if (now === this.#loadedState || performance.now() - this.#changedMs < this.#times.quietMs) return
    if (await this.#gitIsWriting()) return
    if (await this.#options.isHalfDone?.()) return
    if (await this.#loadNext(now)) this.#loadedState = now
  }

  async #gitIsWriting(): Promise<boolean> {
    const folder = dirname(this.#path)
    const locks = await standingGitLocks([folder, ...definitionFolders.map((name) => join(folder, name))])
    const now = performance.now()
    this.#gitLocks = new Map(locks.map(({ identity }) => [identity, this.#gitLocks.get(identity) ?? now]))
    const sinceMs = ({ identity }: GitLock) => this.#gitLocks.get(identity) ?? now
    if (locks.some((lock) => now - sinceMs(lock) < this.#times.gitLockMs)) return true
    const message =
      'this lock of git stands for long, and the configuration is read in spite of it; remove it if no git runs'
    for (const { path: where } of locks) this.#options.emit({ type: 'trouble', where, message })
    return false
  }
}

/** One of so many checks looks at every definition file: with the default pause, every two seconds. */
const eachFileEvery = 8
