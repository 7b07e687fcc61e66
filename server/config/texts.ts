import { lstat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { readAtMost } from '../host/read-at-most.ts'
import { type DefinitionFile, readDefinitionFiles } from './definition-files.ts'
import { ConfigError, whyUnreadable } from './problems.ts'

/** Where a configuration is. */
export interface ConfigPlace {
  /** Default: `config.yaml` in `cwd`, which may be missing. */
  readonly file?: string
  readonly cwd: string
}

/** The files of a configuration as text, before anything of them is understood. */
export interface ConfigTexts {
  /** The name of the file in messages: `config.yaml`. */
  readonly shownName: string
  /** Absolute path of the file. */
  readonly path: string
  /** Undefined when there is no file, so that all settings are defaults. */
  readonly text: string | undefined
  /** Of guests, profiles and mirrors. */
  readonly files: readonly DefinitionFile[]
}

/** The configuration, when the caller names no file. */
export const defaultFileName = 'config.yaml'
const maxBytes = configurationLimits.configuration.bytes

/** @throws ConfigError when a file cannot be read; also when the `file` that the caller names is missing. */
export async function readConfigTexts(place: ConfigPlace): Promise<ConfigTexts> {
  const files = await definitionFilesOf(pathOf(place))
  return { ...(await readConfigText(place)), files }
}

/** The same of config.yaml alone. */
export async function readConfigText({ file, cwd }: ConfigPlace): Promise<Omit<ConfigTexts, 'files'>> {
  const shownName = file ?? defaultFileName
  const path = pathOf(defined({ file, cwd }))
  let bytes: Buffer | undefined
  try {
    bytes = await readAtMost(path, maxBytes)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && file === undefined) return { shownName, path, text: undefined }
    throw unreadable(shownName, await whyNotRead(path, error as NodeJS.ErrnoException), error)
  }
  if (!bytes) throw unreadable(shownName, `has more than ${maxBytes} bytes`)
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { shownName, path, text }
  } catch (cause) {
    throw unreadable(shownName, 'is not UTF-8 text; save it as UTF-8', cause)
  }
}

/** The folder of config.yaml, in which the folders of definitions are. */
export function configBase(place: ConfigPlace): string {
  return dirname(pathOf(place))
}

function pathOf({ file, cwd }: ConfigPlace): string {
  return resolve(cwd, file ?? defaultFileName)
}

async function whyNotRead(path: string, error: NodeJS.ErrnoException): Promise<string> {
  const isLink = await lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  )
  if (error.code !== 'ENOENT') return whyUnreadable(error)
  return isLink ? 'is a link to a file that does not exist' : 'does not exist; check the name after --config'
}

async function definitionFilesOf(path: string): Promise<readonly DefinitionFile[]> {
  try {
    return await readDefinitionFiles(path)
  } catch (error) {
    throw unreadable(dirname(path), failureMessage(error), error)
  }
}

function unreadable(where: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError([{ severity: 'error', where, message }], { cause })
}
