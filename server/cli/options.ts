import { Option } from 'commander'
import { loadSnapshot } from '../catalog/load-snapshot.ts'
import type { Snapshot } from '../catalog/snapshot.ts'
import { defined } from '../core/defined.ts'
import type { CliIo } from './output/io.ts'

export function configOption(): Option {
  return new Option('-c, --config <file>', 'the configuration file (default: ./config.yaml)').env(
    'TREEBOOT_CONFIG',
  )
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON, for programs')
}

/** The values of `configOption` and `jsonOption`. */
export interface CommonOptions {
  readonly config?: string
  readonly json?: boolean
}

/** Reads configuration, trees and templates once, for one command. */
export function readSnapshot(options: CommonOptions, io: CliIo): Promise<Snapshot> {
  const { cwd, settle } = io
  return loadSnapshot({ cwd, ...defined({ configFile: options.config, settle }) })
}
