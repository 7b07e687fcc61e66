import { realpath } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { Option } from 'commander'
import { loadConfigFile } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { distroName, distroOf } from '../../core/distro/distro.ts'
import { Failure } from '../../core/failure.ts'
import { bytes as size } from '../../events/units.ts'
import type { ImportedTree, ImportOptions, ImportResult } from '../../intake/import/import-tree.ts'
import { findingText } from '../../intake/publish-tree.ts'
import { shellWord } from '../../render/quote.ts'
import { VersionStore } from '../../versions/version-store.ts'
import type { CommonOptions } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { progressLine } from '../output/progress.ts'
import {
  describeSignatures,
  policyOf,
  type SignatureOptions,
  signatureOptions,
} from '../output/signatures.ts'

/** What `import` and `mirror` share: options, progress, interruption, and how the outcome is told. */

export interface BringOptions extends CommonOptions, SignatureOptions {
  readonly id?: string
  readonly replace?: boolean
  readonly accept?: string
}

export const bringOptions = (): readonly Option[] => [
  new Option(
    '--id <id>',
    'the id of the tree (default: what it says it is, such as fedora-40-server-x86_64)',
  ),
  new Option('--replace', 'a folder that was put there by hand may become an earlier version'),
  new Option('--accept <reason>', 'publish although something is wrong with it; who and why is recorded'),
  ...signatureOptions(),
]

export async function configOf(options: CommonOptions, io: CliIo): Promise<Config> {
  const file = options.config === undefined ? {} : { file: options.config }
  return (await loadConfigFile({ ...file, cwd: io.cwd })).config
}

/** The versions below the configured trees folder. */
export async function storeOf(options: CommonOptions, io: CliIo): Promise<VersionStore> {
  const { paths } = await configOf(options, io)
  const trees = await realpath(paths.trees).catch(() => undefined)
  if (trees === undefined)
    throw new Failure('not-found', `there is no folder ${paths.trees}; make it, or set paths.trees`)
  return new VersionStore(trees)
}

/** The command as it was given, for a shell: without its options it would go on with something else. */
export function commandLine(words: readonly string[], options: object): string {
  const flags = Object.entries(options).flatMap(([key, value]) => {
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    if (value === true) return [flag]
    return [value].flat().flatMap((each) => (typeof each === 'string' ? [flag, each] : []))
  })
  return ['treeboot', ...words, ...flags].map(shellWord).join(' ')
}

/** Runs a long piece of work with a progress line; the first Ctrl-C ends it in good order. */
export async function runBringing(
  options: BringOptions,
  io: CliIo,
  words: readonly string[],
  work: (options: ImportOptions) => Promise<ImportResult>,
): Promise<void> {
  const signatures = await policyOf(options, await configOf(options, io), io)
  const mode = options.json ? 'json' : process.stderr.isTTY ? 'terminal' : 'none'
  const line = progressLine(io, mode)
  const aborter = new AbortController()
  const interrupt = (): void => aborter.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const by = userName()
  try {
    const outcome = await work({
      by,
      onProgress: (progress) => line.show(progress),
      signal: aborter.signal,
      ...(signatures && { signatures }),
      ...(options.id !== undefined && { id: options.id }),
      ...(options.replace !== undefined && { replace: options.replace }),
      ...(options.accept !== undefined && { accept: { by, why: options.accept } }),
    })
    line.end()
    tell(outcome, options, io)
  } catch (error) {
    line.end()
    if (!aborter.signal.aborted) throw error
    io.err(
      `\ninterrupted: nothing was published; this goes on where it stopped:\n  ${commandLine(words, options)}\n`,
    )
    io.exit(exitCodes.failed)
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

function userName(): string {
  try {
    return process.env.SUDO_USER ?? userInfo().username
  } catch {
    return 'unknown'
  }
}

const mostLines = 20

function tell(outcome: ImportResult, options: BringOptions, io: CliIo): void {
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
  const shown = [
    ...errors.slice(0, mostLines).map((line) => `  ${line}\n`),
    errors.length > mostLines ? `  and ${errors.length - mostLines} more\n` : '',
  ]
  if (result.outcome === 'refused') {
    const remedy = `  Get those files again and repeat the command, or publish it as it is with --accept "reason".\n`
    return `${id} NOT PUBLISHED: ${errors.length} ${errors.length === 1 ? 'fault' : 'faults'}\n${shown.join('')}${remedy}`
  }
  const { record, description } = result
  const name = description
    ? `${distroOf(description) === 'other' ? description.family : distroName(distroOf(description))} ${description.version} ${description.arch}`
    : 'tree'
  const warnings = result.findings.length - errors.length
  const rest = warnings > 0 ? `; ${warnings} not so important, see treeboot verify ${id}` : ''
  const accepted = record.accepted ? `, in spite of ${errors.length} faults:\n${shown.join('')}` : '\n'
  const signed = describeSignatures(result.signatures)
  return `${id}: ${name.trim()}, version ${record.version}, ${record.files} files, ${size(record.bytes)}${rest}${accepted}${signed}`
}
