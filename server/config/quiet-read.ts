import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readWhenQuiet } from '../host/when-quiet.ts'
import { definitionFilesState } from './definition-files.ts'
import { ConfigError } from './problems.ts'
import { type ConfigPlace, type ConfigTexts, defaultFileName, readConfigTexts } from './texts.ts'

/** The state of a missing file. */
export const absent = 'ENOENT'

/** A configuration that nobody wrote to while it was read. */
export interface QuietConfig {
  /** `configState` as it was before and after. */
  readonly state: string
  /** Rejects with the ConfigError of `readConfigTexts`. */
  readonly texts: Promise<ConfigTexts>
}

/**
 * Reads the files of a configuration when they are quiet. Half a save may well be a valid configuration, of no guests, or
 * of a guest without the line that keeps its disk.
 *
 * @param known The state that was read last.
 * @param pauseMs In milliseconds.
 * @throws ConfigError when they do not become quiet.
 */
export async function readQuietConfig(
  place: ConfigPlace,
  known: string,
  pauseMs: number,
): Promise<QuietConfig> {
  const read = async () => {
    const texts = readConfigTexts(place)
    await texts.catch(() => undefined)
    return { texts }
  }
  const quiet = await readWhenQuiet({ stateOf: () => configState(place), read, known, pauseMs })
  if (quiet) return { state: quiet.state, texts: quiet.found.texts }
  const message = 'changes all the time; treeboot reads it when it was left alone for a moment'
  throw new ConfigError([{ severity: 'error', where: place.file ?? defaultFileName, message }])
}

/** Returns a text that differs whenever config.yaml or a definition file beside it may differ. */
export async function configState({ file = defaultFileName, cwd }: ConfigPlace): Promise<string> {
  const path = resolve(cwd, file)
  const looks = ['folders', 'each-file'] as const
  const definitions = await Promise.all(looks.map((look) => definitionFilesState(path, look)))
  return [await fileState(path), ...definitions].join('\n')
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
