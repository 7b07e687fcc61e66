import { resolve } from 'node:path'
import { defined } from '../core/defined.ts'
import type { EventSink } from '../events/bus.ts'
import { guestFilesState } from './guest-files.ts'
import { type LoadedConfig, loadConfigTexts } from './load.ts'
import { type RefusedConfig, refusedConfig } from './refused.ts'
import { absent, configState, fileState, readSettled } from './settled.ts'
import { type ConfigPlace, type ConfigTexts, defaultFileName } from './texts.ts'

/** A watch that has begun. */
export interface ConfigWatch {
  /**
   * Loads the file now, without waiting for a change; for SIGHUP. A file that is just being saved is read when it is
   * quiet. Resolves when the result was emitted as an event.
   */
  reload(): Promise<void>
  close(): Promise<void>
}

export interface ConfigWatchOptions extends ConfigPlace {
  /** Whether a missing file is an error although nobody named it: it was there before. */
  readonly mustExist?: boolean
  /** `configState` from before the configuration in force was read. Default: that of now. */
  readonly since?: string
  /**
   * Called with each configuration without errors. An exception from it is reported like an error in the
   * file.
   */
  readonly onLoaded: (loaded: LoadedConfig, texts: ConfigTexts) => void
  /** Called with each configuration that has errors. */
  readonly onRefused?: (refused: RefusedConfig) => void
  readonly emit: EventSink
  /** Time between two checks. A change is loaded when two checks have seen the same file. Default 250. */
  readonly pollMs?: number
}

/**
 * Watches config.yaml and `guests.d` beside it, and loads them again when they change. When the new file has
 * errors or is removed, the last good configuration stays, and a `config` event `kept-last-good` lists all
 * problems. Resolves when the watch has begun.
 *
 * It calls stat with the name of the file a few times a second. Editors rename a new file over the old one,
 * Kubernetes switches a symlink two folders away, and NFS sends no notice. chokidar 5 missed the second
 * rename over the same name, and a watch on the folder misses the other two. A stat sees all three.
 */
export async function watchConfig(options: ConfigWatchOptions): Promise<ConfigWatch> {
  const shown = options.file ?? defaultFileName
  const path = resolve(options.cwd, shown)
  const pollMs = options.pollMs ?? 250
  let closed = false
  /** Whether a missing file is an error: the operator named the file, or the file existed before. */
  let mustExist = options.mustExist === true || options.file !== undefined
  let lastLoad: Promise<void> = Promise.resolve()

  async function load(): Promise<void> {
    if (closed) return
    try {
      // Without `file` a missing file means defaults. They must not come into force when a file is removed.
      const file = mustExist ? shown : undefined
      const before = await state('each-file')
      const read = await readSettled({ cwd: options.cwd, ...defined({ file }) }, loadedFiles, pollMs)
      loadedFiles = read.state
      // Of an edit in between the next check knows.
      loadedState = before
      const texts = await read.texts
      const loaded = await loadConfigTexts(texts)
      if (closed) return
      options.onLoaded(loaded, texts)
      const counts = `guests: ${loaded.guests.length}, profiles: ${loaded.profiles.size}`
      options.emit({ type: 'config', outcome: 'loaded', message: `${shown} loaded: ${counts}` })
    } catch (error) {
      if (closed) return
      const refused = refusedConfig(shown, error)
      options.onRefused?.(refused)
      options.emit({ type: 'config', outcome: 'kept-last-good', message: refused.message })
    }
  }

  /** Loads after all earlier loads have ended. */
  function reload(): Promise<void> {
    lastLoad = lastLoad.then(load)
    return lastLoad
  }

  /**
   * The time of the folder shows added and removed guest files. Edits in place show only in a stat of each
   * file, which is made less often.
   */
  let checks = 0
  let guestFileTimes = ''
  async function state(look: 'each-file' | 'some' = 'some'): Promise<string> {
    const file = await fileState(path)
    mustExist ||= file !== absent
    if (checks++ % eachFileEvery === 0 || look === 'each-file')
      guestFileTimes = await guestFilesState(path, 'each-file')
    return [file, await guestFilesState(path, 'folder'), guestFileTimes].join('\n')
  }

  let loadedFiles = await configState(path)
  let lastState = await state()
  let loadedState = options.since === undefined || options.since === loadedFiles ? lastState : ''
  if (options.since !== undefined) loadedFiles = options.since

  async function check(): Promise<void> {
    const now = await state()
    const isSettled = now === lastState
    lastState = now
    if (isSettled && now !== loadedState) await reload()
    if (!closed) timer = setTimeout(check, pollMs).unref()
  }
  let timer = setTimeout(check, pollMs).unref()

  return {
    reload,
    async close() {
      closed = true
      clearTimeout(timer)
      await lastLoad
    },
  }
}

/** One of so many checks looks at every guest file: with the default pause, every two seconds. */
const eachFileEvery = 8
