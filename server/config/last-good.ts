import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { Failure, failureMessage } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { writeAtomically } from '../host/atomic-write.ts'
import { type DefinitionFile, definitionOf } from './definition-files.ts'
import { type InForce, type LoadedConfig, loadConfigTexts } from './load.ts'
import { ConfigError } from './problems.ts'
import { type RefusedConfig, refusedConfig } from './refused.ts'
import { type ConfigPlace, type ConfigTexts, defaultFileName, readConfigTexts } from './texts.ts'

/**
 * The last configuration without errors is kept in the data folder, as text. A server that starts with a broken
 * config.yaml goes on with it, as one does that was running when the file broke.
 */

const recordName = 'last-good-config.json'

const recordSchema = z.object({
  version: z.literal(1),
  /** Absolute path of config.yaml. */
  config: z.string(),
  /** ISO 8601. */
  saved: z.string(),
  /** `config.yaml`, unless there was none, and the definition files: `guests.d/<name>.yaml`. */
  files: z.array(z.object({ name: z.string(), sha256: z.string(), text: z.string() })),
})
type LastGoodRecord = z.infer<typeof recordSchema>

/** A configuration that a server starts with. */
export interface StartConfig {
  readonly loaded: LoadedConfig
  readonly texts: ConfigTexts
  /** Set when the files are refused, and `loaded` is the last good configuration. */
  readonly refused?: RefusedConfig
}

/**
 * Reads `file`, or `config.yaml` in `cwd`, and the definition files beside it. `config.yaml` may be missing; then the
 * defaults are used. A definition file that is wrong has its last good text, as far as the record of the server can
 * be read.
 *
 * @param change What the definition files are to become, so that a caller can check a change before it is written.
 * @throws ConfigError with all problems of config.yaml; also when the `file` that the caller names cannot be read.
 */
export async function loadConfigFile(place: ConfigPlace, change?: FilesChange): Promise<LoadedConfig> {
  return (await loadConfigPlace(place, change)).loaded
}

export type FilesChange = (files: readonly DefinitionFile[]) => readonly DefinitionFile[]

async function loadConfigPlace(place: ConfigPlace, change?: FilesChange): Promise<InForce> {
  const texts = await readConfigTexts(place)
  const files = change ? change(texts.files) : texts.files
  const lastGood = async () => (await findLastGood(texts.shownName, texts.path)).found?.texts
  return loadConfigTexts({ ...texts, files }, lastGood)
}

/**
 * Reads the configuration for a start. When it has errors, or when config.yaml is gone, the last good one takes its
 * place.
 *
 * @throws ConfigError when there is no last good one either.
 */
export async function loadStartConfig(place: ConfigPlace): Promise<StartConfig> {
  try {
    const inForce = await loadConfigPlace(place)
    const { texts } = inForce
    return texts.text === undefined ? ((await startWithoutFile(texts)) ?? inForce) : inForce
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const shownName = place.file ?? defaultFileName
    const { found, refused } = await findLastGood(shownName, resolve(place.cwd, shownName))
    if (!found) throw new ConfigError([...error.problems, ...refused], { cause: error })
    return startWith(found, error)
  }
}

/** A running server keeps its configuration when the file is removed; so does its next start. */
async function startWithoutFile({ shownName, path }: ConfigTexts): Promise<StartConfig | undefined> {
  const { found } = await findLastGood(shownName, path)
  if (found?.texts.text === undefined) return undefined
  const missing = {
    severity: 'error' as const,
    where: shownName,
    message: 'is missing, and it was there before',
    remedy: 'put it back; an empty file has all defaults',
  }
  return startWith(found, new ConfigError([missing]))
}

async function startWith({ texts, savedMs }: LastGood, error: ConfigError): Promise<StartConfig> {
  // Without the last good one the operator needs to know only what is wrong with the present one.
  const { loaded } = await loadConfigTexts(texts).catch(() => {
    throw error
  })
  return { loaded, texts, refused: refusedConfig(texts.shownName, error, savedMs) }
}

/** A configuration from a record. */
interface LastGood {
  readonly texts: ConfigTexts
  readonly savedMs: number
}

/**
 * The record of this config.yaml. The broken file says where the data folder is, as far as that can be read of it;
 * otherwise it is the default one.
 *
 * @returns Also the records that are there and cannot be used: who counts on one must be told.
 */
async function findLastGood(
  shownName: string,
  path: string,
): Promise<{ readonly found?: LastGood; readonly refused: readonly SnapshotProblem[] }> {
  const folders = new Set([await dataFolderIn(path), join(dirname(path), 'data')])
  const refused: SnapshotProblem[] = []
  const refuse = (folder: string, message: string): void => {
    refused.push({ severity: 'warning', where: join(folder, recordName), message, remedy })
  }
  for (const folder of folders) {
    if (folder === undefined) continue
    const record = await readRecord(folder).catch((error: unknown) => {
      refuse(folder, `the last good configuration cannot be used: ${whyNot(error)}`)
    })
    if (!record) continue
    if (record.config === path) return { found: lastGoodOf(record, shownName, path), refused }
    refuse(folder, `the last good configuration is that of ${record.config}, and not of this file`)
  }
  return { refused }
}

const remedy = 'mend the configuration; treeboot then keeps it anew'

function whyNot(error: unknown): string {
  return error instanceof SyntaxError || error instanceof z.ZodError
    ? 'the file is damaged'
    : failureMessage(error)
}

function lastGoodOf({ files, saved }: LastGoodRecord, shownName: string, path: string): LastGood {
  const definitions = files.flatMap(({ name, text }) => {
    const defines = definitionOf(name)
    return defines ? [{ ...defines, shownName: name, text }] : []
  })
  const text = files.find(({ name }) => name === basename(path))?.text
  return { texts: { shownName, path, text, files: definitions }, savedMs: Date.parse(saved) }
}

/** The data folder of a configuration that may have errors anywhere. */
export async function dataFolderOf({ cwd, file = defaultFileName }: ConfigPlace): Promise<string> {
  const path = resolve(cwd, file)
  return (await dataFolderIn(path)) ?? join(dirname(path), 'data')
}

/** `paths.data` of a file that may have errors anywhere. */
async function dataFolderIn(path: string): Promise<string | undefined> {
  try {
    const named = parseDocument(await readFile(path, 'utf8'), { logLevel: 'silent' }).getIn(['paths', 'data'])
    return typeof named === 'string' ? resolve(dirname(path), named) : undefined
  } catch {
    return undefined
  }
}

/** @throws Failure when the record is damaged, and an error of the system when it cannot be read. */
async function readRecord(dataFolder: string): Promise<LastGoodRecord | undefined> {
  const file = join(dataFolder, recordName)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const record = recordSchema.parse(JSON.parse(text))
  for (const { name, sha256, text: content } of record.files)
    if (digestOf(content) !== sha256) throw new Failure('invalid-data', `its ${name} was changed`)
  return record
}

/** Keeps a configuration for a later start. It holds password hashes, so only its owner may read the file. */
export async function keepLastGood(dataFolder: string, texts: ConfigTexts): Promise<void> {
  const own = texts.text === undefined ? [] : [{ name: basename(texts.path), text: texts.text }]
  const files = [
    ...own,
    ...texts.files.flatMap(({ shownName: name, text }) => (text === undefined ? [] : [{ name, text }])),
  ]
  const record: LastGoodRecord = {
    version: 1,
    config: texts.path,
    saved: new Date().toISOString(),
    files: files.map(({ name, text }) => ({ name, sha256: digestOf(text), text })),
  }
  const kept = await readRecord(dataFolder).catch(() => undefined)
  if (kept && kept.config === record.config && sameFiles(kept, record)) return
  await writeAtomically(join(dataFolder, recordName), `${JSON.stringify(record, undefined, 1)}\n`, {
    mode: 0o600,
  })
}

function sameFiles(a: LastGoodRecord, b: LastGoodRecord): boolean {
  const namesAndDigests = ({ files }: LastGoodRecord): string =>
    JSON.stringify(files.map(({ name, sha256 }) => [name, sha256]))
  return namesAndDigests(a) === namesAndDigests(b)
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
