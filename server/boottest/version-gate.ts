import { realpath } from 'node:fs/promises'
import type { Config } from '../config/schema.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import { bootTest, bootTestFolder, type GateOptions } from './gate.ts'
import type { BootTestRequest } from './request.ts'

/** Tests versions as the configuration says. It is the `BootGate` of intake/publish-tree.ts. */
export interface VersionGate {
  readonly required: boolean
  test(version: Pick<BootTestRequest, 'id' | 'path' | 'kind' | 'trees'>): Promise<readonly BootTestResult[]>
}

/** Undefined when `verify.boot-test` is not set. */
export function versionGate(
  { verify, paths }: Pick<Config, 'verify' | 'paths'>,
  options: GateOptions,
): VersionGate | undefined {
  const { bootTest: settings } = verify
  if (!settings) return undefined
  const { required, firmware, reach, timeoutMs } = settings
  return {
    required,
    async test({ id, path, kind, trees }) {
      const folder = bootTestFolder(await realpath(paths.trees))
      const real = await realpath(path)
      return bootTest({ id, path: real, kind, trees, firmware, reach, timeoutMs, folder }, options)
    },
  }
}
