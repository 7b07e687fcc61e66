import { realpath } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { Option } from 'commander'
import { bootTest } from '../boottest/gate.ts'
import { versionGate } from '../boottest/version-gate.ts'
import { loadConfigFile } from '../config/last-good.ts'
import type { Config } from '../config/schema.ts'
import { progressText } from '../core/boottest/progress.ts'
import { defined } from '../core/defined.ts'
import { distroName, distroOf } from '../core/distro/distro.ts'
import { Failure } from '../core/failure.ts'
import type { Description } from '../core/tree/tree.ts'
import { bytes as size } from '../events/units.ts'
import type { ImportedTree, ImportOptions, ImportResult } from '../intake/import/import-tree.ts'
import { bootTestPlace, findingText } from '../intake/publish-tree.ts'
import { shellWord } from '../render/quote.ts'
import { VersionStore } from '../versions/version-store.ts'
import { requireConfigHere } from './config-here.ts'
import { whyTooBusyHere } from './guest-store.ts'
import type { CommonOptions } from './options.ts'
import { type CliIo, exitCodes } from './output/io.ts'
import { progressLine, terminalOrNone } from './output/progress.ts'
import { describeSignatures, policyOf, type SignatureOptions, signatureOptions } from './output/signatures.ts'
import { count } from './output/table.ts'

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

/** At most this many findings, and this many notes, are printed; further findings are only counted. */
const mostLines = 20

function report(outcome: ImportResult, options: ImportCommandOptions, io: CliIo): void {
  for (const each of outcome.trees) {
    if (options.json) io.out(`${JSON.stringify(eventOf(each, outcome.resumed))}\n`)
    else io.out(describe(each))
    if (each.result.outcome === 'refused') io.exit(exitCodes.badInput)
  }
  if (!options.json) for (const note of outcome.notes.slice(0, mostLines)) io.err(`note: ${note}\n`)
}

function eventOf({ id, result }: ImportedTree, resumed: boolean) {
  const { findings, signatures } = result
  return result.outcome === 'published'
    ? {
        event: 'published',
        id,
        version: result.record.version,
        files: result.record.files,
        bytes: result.record.bytes,
        resumed,
        findings,
        signatures,
      }
    : { event: 'refused', id, findings, signatures }
}

export function describe({ id, result }: ImportedTree): string {
  const errors = result.findings.filter((each) => each.severity === 'error').map(findingText)
  const faults = [
    ...errors.slice(0, mostLines).map((line) => `  ${line}\n`),
    errors.length > mostLines ? `  and ${errors.length - mostLines} more\n` : '',
  ].join('')
  if (result.outcome === 'refused') {
    const isBoot = result.findings.some((each) => each.severity === 'error' && each.path === bootTestPlace)
    const first = isBoot
      ? 'Repeat the command to test it again'
      : 'Get these files again and repeat the command'
    const remedy = `  ${first}, or publish the tree as it is with --accept "reason".\n`
    return `${id} NOT PUBLISHED: ${count(errors.length, 'fault')}\n${faults}${remedy}`
  }
  const { record, description } = result
  const name = description ? systemName(description) : 'tree'
  const warnings = result.findings.length - errors.length
  const warned = warnings > 0 ? `; ${count(warnings, 'warning')}, see treeboot verify ${id}` : ''
  const accepted = record.accepted ? `, in spite of ${count(errors.length, 'fault')}:\n${faults}` : '\n'
  const signed = describeSignatures(result.signatures)
  return `${id}: ${name}, version ${record.version}, ${record.files} files, ${size(record.bytes)}${warned}${accepted}${signed}`
}

function systemName(description: Description): string {
  const distro = distroOf(description)
  const name = distro === 'other' ? description.family : distroName(distro)
  return `${name} ${description.version} ${description.arch}`.trim()
}
