import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
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
 * Watches config.yaml and loads it anew when it changes. A broken edit changes nothing but says so, with every
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
  let lastLoad: Promise<void> = Promise.resolve()

  async function load(): Promise<void> {
    if (closed) return
    try {
      // Named even when it is the default: a file that has vanished must not turn everything into defaults.
      const loaded = await loadConfigFile({ file: shown, cwd: options.cwd })
      if (closed) return
      options.onLoaded(loaded)
      const counts = `${loaded.guests.length} guests, ${loaded.profiles.size} profiles`
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

  let loadedState = await fileState(path)
  let lastState = loadedState

  async function look(): Promise<void> {
    const state = await fileState(path)
    const quiet = state === lastState
    lastState = state
    if (quiet && state !== loadedState) {
      loadedState = state
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

/** Differs whenever the file may have: another inode, another time to the nanosecond, another size, or none. */
async function fileState(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
