import { realpath } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { Option } from 'commander'
import { bootTest } from '../boottest/gate.ts'
import { versionGate } from '../boottest/version-gate.ts'
import { loadConfigFile } from '../config/last-good.ts'
import type { Config } from '../config/schema.ts'
import { progressText } from '../core/boottest/progress.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { ImportOptions, ImportResult } from '../intake/import/import-tree.ts'
import { importReport } from '../intake/tree-report.ts'
import { shellWord } from '../render/quote.ts'
import { VersionStore } from '../versions/version-store.ts'
import { requireConfigHere } from './config-here.ts'
import { whyTooBusyHere } from './guest-store.ts'
import type { CommonOptions } from './options.ts'
import { type CliIo, exitCodes } from './output/io.ts'
import { progressLine, terminalOrNone } from './output/progress.ts'
import { policyOf, type SignatureOptions, signatureOptions } from './output/signatures.ts'
import { importEvent, importText } from './output/tree-report.ts'

/**
 * The common part of the commands `import` and `mirror`: options, progress, interruption, the report at the
 * end.
 */

export interface ImportCommandOptions extends CommonOptions, SignatureOptions {
  readonly id?: string
  readonly replace?: boolean
  readonly accept?: string
}

export const importOptions = (): readonly Option[] => [
  new Option(
    '--id <id>',
    'the id of the tree (default: made from its descriptors, such as fedora-40-server-x86_64)',
  ),
  new Option(
    '--replace',
    'when trees/<id> is a folder that was copied by hand: publish in its place, and keep the folder as an earlier version',
  ),
  new Option(
    '--accept <reason>',
    'publish although files are missing or damaged; the reason and your name are recorded',
  ),
  ...signatureOptions(),
]

export async function configOf(options: CommonOptions, io: CliIo): Promise<Config> {
  await requireConfigHere(options, io)
  const file = options.config === undefined ? {} : { file: options.config }
  return (await loadConfigFile({ ...file, cwd: io.cwd })).config
}

/** The store of published versions in the configured `trees/` folder. */
export async function versionStoreOf(options: CommonOptions, io: CliIo): Promise<VersionStore> {
  const { paths } = await configOf(options, io)
  const trees = await realpath(paths.trees).catch(() => undefined)
  if (trees === undefined)
    throw new Failure(
      'not-found',
      `${paths.trees}: expected a folder; make it, or set paths.trees in config.yaml`,
    )
  return new VersionStore(trees)
}

/**
 * The command as the user gave it, quoted for a shell. It keeps all options, because a resumed import without
 * them would have another result: another id, no `--accept`.
 */
export function commandLine(words: readonly string[], options: object): string {
  const flags = Object.entries(options).flatMap(([key, value]) => {
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    if (value === true) return [flag]
    // An option that can be repeated (--key) has a list of values.
    return [value].flat().flatMap((each) => (typeof each === 'string' ? [flag, each] : []))
  })
  return ['treeboot', ...words, ...flags].map(shellWord).join(' ')
}

/**
 * Runs an import and shows its progress. The first Ctrl-C stops it so that it can be resumed; the result is then
 * undefined.
 *
 * @param words The words of the command before its options, for the message after Ctrl-C.
 */
export async function runImport(
  options: ImportCommandOptions,
  io: CliIo,
  words: readonly string[],
  work: (options: ImportOptions) => Promise<ImportResult>,
): Promise<ImportResult | undefined> {
  const config = await configOf(options, io)
  const { archives: _, ...limits } = config.import
  const signatures = await policyOf(options, config, io)
  const line = progressLine(io, options.json ? 'json' : terminalOrNone())
  const aborter = new AbortController()
  const interrupt = (): void => aborter.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const by = userName()
  const whyNotNow = () => whyTooBusyHere(config)
  const bootGate = versionGate(config, (request, watch) => bootTest(request, { ...watch, whyNotNow }))
  try {
    const outcome = await work({
      by,
      onProgress(progress) {
        if (!progress.bootTest) return line.show(progress)
        line.end()
        io.err(`${progressText(progress.bootTest)}\n`)
      },
      onRetry: (retry) => line.retry(retry),
      signal: aborter.signal,
      ...limits,
      ...config.limits,
      ...defined({
        signatures,
        bootGate,
        id: options.id,
        replace: options.replace,
        accept: options.accept === undefined ? undefined : { by, why: options.accept },
      }),
    })
    line.end()
    report(outcome, options, io)
    return outcome
  } catch (error) {
    line.end()
    if (!aborter.signal.aborted) throw error
    io.err(
      `\ninterrupted: nothing was published; this command resumes the import:\n  ${commandLine(words, options)}\n`,
    )
    io.exit(exitCodes.failed)
    return undefined
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

function userName(): string {
  try {
    return process.env.SUDO_USER ?? userInfo().username
  } catch {
    // `userInfo` throws when the user id has no name on this machine, as in many containers.
    return 'unknown'
  }
}

/** At most this many notes are printed. */
const mostNotes = 20

function report(outcome: ImportResult, options: ImportCommandOptions, io: CliIo): void {
  for (const each of outcome.trees) {
    const { id, result } = each
    const version = result.outcome === 'published' ? result.record.version : null
    const tree = { id, version, report: importReport(each) }
    if (options.json) io.out(`${JSON.stringify(importEvent(tree, outcome.resumed))}\n`)
    else io.out(importText(tree))
    if (version === null) io.exit(exitCodes.badInput)
  }
  if (!options.json) printNotes(outcome.notes, io)
}

export function printNotes(notes: readonly string[], io: CliIo): void {
  for (const note of notes.slice(0, mostNotes)) io.err(`note: ${note}\n`)
}
