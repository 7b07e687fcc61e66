import { Option } from 'commander'
import { loadSnapshot } from '../catalog/load-snapshot.ts'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { CliIo } from './output/io.ts'

export function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration to use (default: ./config.yaml)').env(
    'TREEBOOT_CONFIG',
  )
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON for machines')
}

export interface CommonOptions {
  readonly config?: string
  readonly json?: boolean
}

/** The world as it is now, read once for one command. */
export function oneShot(options: CommonOptions, io: CliIo): Promise<Snapshot> {
  return loadSnapshot({ cwd: io.cwd, ...(options.config !== undefined && { configFile: options.config }) })
}
