import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { failureMessage } from '../core/failure.ts'
import type { EventSink } from '../events/bus.ts'
import { guestFilesState } from './guest-files.ts'
import { type LoadedConfig, loadConfigFile } from './load.ts'

export interface ConfigWatch {
  /** Reads the file now, as a change would; for SIGHUP. Resolves when the outcome has been told. */
  reload(): Promise<void>
  close(): Promise<void>
}

export interface ConfigWatchOptions {
  /** As for `loadConfigFile`. */
  readonly file?: string
  readonly cwd: string
  /** Called with every configuration that is whole; a broken one never gets here. What it throws is told as a broken edit. */
  readonly onLoaded: (loaded: LoadedConfig) => void
  readonly emit: EventSink
  /** How often to look; a change is loaded when two looks saw the same file. Default 250. */
  readonly pollMs?: number
}

/**
 * Watches config.yaml and `guests.d` beside it, and loads them anew when they change. A broken edit changes nothing but says so, with every
 * problem, as a `config` event `kept-last-good`; so does a file that vanishes. Resolves once the watch is in place.
 *
 * It looks at the file by its name a few times a second. Editors rename a new file over the old one, Kubernetes swaps
 * a symlink two folders away, NFS tells nobody: chokidar 5 missed the second rename over the same name, and a watch
 * on the folder misses the other two. One stat sees them all.
 */
export async function watchConfig(options: ConfigWatchOptions): Promise<ConfigWatch> {
  const shown = options.file ?? 'config.yaml'
  const path = resolve(options.cwd, shown)
  const pollMs = options.pollMs ?? 250
  let closed = false
  let existed = options.file !== undefined
  let lastLoad: Promise<void> = Promise.resolve()

  async function load(): Promise<void> {
    if (closed) return
    try {
      // Named when it was ever there: a file that has vanished must not turn everything into defaults.
      const loaded = await loadConfigFile({ ...(existed && { file: shown }), cwd: options.cwd })
      if (closed) return
      options.onLoaded(loaded)
      const counts = `guests: ${loaded.guests.length}, profiles: ${loaded.profiles.size}`
      options.emit({ type: 'config', outcome: 'loaded', message: `${shown} loaded: ${counts}` })
    } catch (error) {
      if (closed) return
      const message = `${shown} is not used, the last good configuration stays in force:\n${failureMessage(error)}`
      options.emit({ type: 'config', outcome: 'kept-last-good', message })
    }
  }

  /** One load at a time, in order. */
  function reload(): Promise<void> {
    lastLoad = lastLoad.then(load)
    return lastLoad
  }

  /** A folder shows what came and went by its own time; edits in place take a stat for each file, so more seldom. */
  let looks = 0
  let closeState = ''
  async function state(): Promise<string> {
    const file = await fileState(path)
    existed ||= file !== absent
    if (looks++ % closeEvery === 0) closeState = await guestFilesState(path, true)
    return [file, await guestFilesState(path, false), closeState].join('\n')
  }

  let loadedState = await state()
  let lastState = loadedState

  async function look(): Promise<void> {
    const now = await state()
    const quiet = now === lastState
    lastState = now
    if (quiet && now !== loadedState) {
      loadedState = now
      await reload()
    }
    if (!closed) timer = setTimeout(look, pollMs).unref()
  }
  let timer = setTimeout(look, pollMs).unref()

  return {
    reload,
    async close() {
      closed = true
      clearTimeout(timer)
      await lastLoad
    },
  }
}

/** Of how many looks one goes through every guest file. */
const closeEvery = 8
/** What `fileState` says of no file. */
const absent = 'ENOENT'

/** Differs whenever the file may have: another inode, another time to the nanosecond, another size, or none. */
async function fileState(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
