import { type Command, Option } from 'commander'
import { loadSnapshot } from '../catalog/load-snapshot.ts'
import type { Snapshot } from '../catalog/snapshot.ts'
import { defined } from '../core/defined.ts'
import type { Tree } from '../core/tree/tree.ts'
import { requireConfigHere } from './config-here.ts'
import type { CliIo } from './output/io.ts'
import { progressLine, terminalOrNone } from './output/progress.ts'

export function configOption(): Option {
  return new Option('-c, --config <file>', 'the configuration file (default: ./config.yaml)').env(
    'TREEBOOT_CONFIG',
  )
}

/** For commands that say which trees are ready, or what a guest would boot from them. */
export function verifyOption(): Option {
  return new Option(
    '--no-verify',
    'do not compute digests that are not known yet; such a tree is "not verified", and counts as ready',
  )
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON, for programs')
}

/** The values of the options that nearly every command has. */
export interface CommonOptions {
  readonly config?: string
  readonly json?: boolean
  /** The URL of the server that is asked in the place of files: see `remote/served.ts`. */
  readonly server?: string
}

/** The value of `verifyOption`. */
export interface VerifyOption {
  readonly verify?: boolean
}

/**
 * Reads configuration, trees and templates once, for one command. A command with `verifyOption` also computes the
 * digests that are not known yet, which may take a while, and shows how far it is.
 */
export async function readSnapshot(options: CommonOptions & VerifyOption, io: CliIo): Promise<Snapshot> {
  await requireConfigHere(options, io)
  const { cwd, settle } = io
  const line = progressLine(io, terminalOrNone())
  const onProgress = (doneBytes: number, totalBytes: number): void =>
    line.show({ stage: 'verifying', doneBytes, totalBytes })
  try {
    const verify = options.verify ? { onProgress } : undefined
    const cacheFolder = await io.cacheFolder?.()
    return await loadSnapshot({
      cwd,
      ...defined({ configFile: options.config, settle, verify, cacheFolder }),
    })
  } finally {
    line.end()
  }
}

/**
 * The options of a command below `guests` without `--verify` of the group, which commander gives to all of them: what only
 * reads or writes definitions does not wait for digests, which may take long.
 */
export function withoutVerify({ config, json, server }: CommonOptions): CommonOptions {
  return defined({ config, json, server })
}

/**
 * The options of a command, which may stand in a group: of those of the group it takes what all commands have. Commander
 * stores them there, with others of which the command knows nothing.
 */
export function optionsOf<Options extends CommonOptions>(command: Command): Options {
  const { config, json, server } = command.optsWithGlobals<CommonOptions>()
  return { ...command.opts<Options>(), ...defined({ config, json, server }) }
}

/** Warns of a tree that the result rests on and that nobody has verified. */
export function warnIfUnverified(tree: Tree, io: CliIo): void {
  if (tree.unverified) io.err(`warning: tree ${tree.id} is not verified\n`)
}
