import { watch } from 'chokidar'
import { configurationLimits } from '../core/limits/configuration.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { readWhenQuiet } from '../host/when-quiet.ts'
import { readTemplates, type Templates, templatesState } from './templates.ts'

const neverQuiet = 'the templates change all the time; those that were read before are in force'

function busy(folder: string): SnapshotProblem {
  return { severity: 'error', where: folder, message: neverQuiet, remedy: 'leave them alone for a second' }
}

export interface LiveTemplatesOptions {
  readonly folder: string
  /** Called when `current` is another one. */
  readonly onChange: () => void
  /** How long all templates must be the same before they are read; in ms. */
  readonly quietMs: number
}

/**
 * The templates as they are on the disk. What is just being saved is not taken: a kickstart that is cut off at the end of a
 * line makes sense to the template engine, and may to an installer.
 */
export class LiveTemplates {
  readonly #options: LiveTemplatesOptions
  #current: Templates
  #state: string
  #closed = false
  #timer: NodeJS.Timeout | undefined
  #unwatch: () => Promise<void> = async () => undefined
  // One after the other: of two at once, the earlier one may end last, with what was there before. All who ask meanwhile
  // wait for one more.
  #reading: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  private constructor(options: LiveTemplatesOptions, current: Templates, state: string) {
    this.#options = options
    this.#current = current
    this.#state = state
  }

  /** Reads the templates, and watches them from now on. */
  static async open(options: LiveTemplatesOptions): Promise<LiveTemplates> {
    const { folder, quietMs } = options
    const { text, newestMs } = await templatesState(folder)
    const wasQuiet = Date.now() - newestMs > quietMs
    const live = new LiveTemplates(options, await readTemplates(folder), wasQuiet ? text : '')
    live.#unwatch = await watchTemplates(folder, () => live.#lookSoon())
    // What changed while it was read, or before the watch began.
    live.#lookSoon()
    return live
  }

  get current(): Templates {
    return this.#current
  }

  /** Reads the templates again when they are quiet. */
  look(): Promise<void> {
    this.#next ??= this.#reading
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        this.#reading = this.#read()
        return this.#reading
      })
    return this.#next
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#unwatch()
  }

  async #read(): Promise<void> {
    const { folder, quietMs, onChange } = this.#options
    const quiet = await readWhenQuiet({
      stateOf: async () => (await templatesState(folder)).text,
      read: () => readTemplates(folder),
      known: this.#state,
      pauseMs: quietMs,
    })
    if (quiet) {
      this.#state = quiet.state
      this.#current = quiet.found
    } else {
      const { texts, problems } = this.#current
      this.#current = {
        texts,
        problems: [...problems.filter(({ message }) => message !== neverQuiet), busy(folder)],
      }
      this.#lookSoon()
    }
    onChange()
  }

  #lookSoon(): void {
    clearTimeout(this.#timer)
    if (!this.#closed) this.#timer = setTimeout(() => void this.look(), this.#options.quietMs)
  }
}

/** chokidar misses what comes while it begins to watch a new folder; on a loaded machine that takes some 100 ms. */
const secondLookMs = 1000

/**
 * Calls back when something in the templates folder changed, and again a second after a folder came. Resolves when
 * the watch works, to a function that ends it.
 */
export async function watchTemplates(folder: string, onChange: () => void): Promise<() => Promise<void>> {
  const watcher = watch(folder, {
    ignoreInitial: true,
    followSymlinks: false,
    depth: configurationLimits.templates.depth,
  })
  let secondLook: NodeJS.Timeout | undefined
  watcher.on('all', (event) => {
    onChange()
    if (event !== 'addDir') return
    clearTimeout(secondLook)
    secondLook = setTimeout(onChange, secondLookMs)
  })
  // Without a watch, the periodic rescan finds the change.
  watcher.on('error', () => undefined)
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()))
  return () => {
    clearTimeout(secondLook)
    return watcher.close()
  }
}
