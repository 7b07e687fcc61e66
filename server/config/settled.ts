import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { guestFilesState } from './guest-files.ts'
import { ConfigError } from './problems.ts'
import { type ConfigPlace, type ConfigTexts, defaultFileName, readConfigTexts } from './texts.ts'

/** The state of a missing file. */
export const absent = 'ENOENT'

/** So many pauses are waited for a configuration that changes all the time: five seconds. */
const mostPauses = 20

/** A configuration that nobody wrote to while it was read. */
export interface SettledRead {
  /** `configState` as it was before and after. */
  readonly state: string
  /** Rejects with the ConfigError of `readConfigTexts`. */
  readonly texts: Promise<ConfigTexts>
}

/**
 * Reads the files of a configuration when nothing has changed for a pause: `cp` and most editors empty a file before they
 * write it. What is there in between may well be a valid configuration, of no guests, or of a guest without the line that
 * keeps its disk.
 *
 * @param known The state that was read last: without a change nothing is waited for.
 * @param pauseMs In milliseconds.
 * @throws ConfigError when it does not become quiet.
 */
export async function readSettled(place: ConfigPlace, known: string, pauseMs: number): Promise<SettledRead> {
  const shownName = place.file ?? defaultFileName
  const path = resolve(place.cwd, shownName)
  let seen = known
  for (let n = 0; n < mostPauses; n++) {
    const state = await configState(path)
    if (state === seen) {
      const texts = readConfigTexts(place)
      await texts.catch(() => undefined)
      if ((await configState(path)) === state) return { state, texts }
    }
    seen = state
    await pause(pauseMs)
  }
  const message = 'changes all the time; treeboot reads it when it was left alone for a moment'
  throw new ConfigError([{ severity: 'error', where: shownName, message }])
}

/**
 * Returns a text that differs whenever config.yaml or a file of `guests.d` may differ.
 *
 * @param path Of config.yaml.
 */
export async function configState(path: string): Promise<string> {
  const looks = ['folder', 'each-file'] as const
  const guests = await Promise.all(looks.map((look) => guestFilesState(path, look)))
  return [await fileState(path), ...guests].join('\n')
}

/** Returns a text that differs whenever the file may differ: by inode, time in nanoseconds, size, or existence. */
export async function fileState(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
