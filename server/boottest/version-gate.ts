import { realpath } from 'node:fs/promises'
import type { Config } from '../config/schema.ts'
import type { VmFirmware } from '../core/boot/test-firmware.ts'
import type { OnBootTest } from '../core/boottest/progress.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import type { Tree } from '../core/tree/tree.ts'
import { bootTestFolder } from './gate.ts'
import type { BootTestRequest } from './request.ts'

/** How one test is watched and ended. */
export interface BootTestWatch {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnBootTest | undefined
}

/** Runs a boot test: `bootTest`, or `BootTests.run` in a server. */
export type RunBootTest = (
  request: BootTestRequest,
  watch: BootTestWatch,
) => Promise<readonly BootTestResult[]>

/** Tests versions as the configuration says. It is the `BootGate` of intake/publish-tree.ts. */
export interface VersionGate {
  readonly required: boolean
  test(
    version: Pick<BootTestRequest, 'id' | 'path' | 'kind' | 'trees'>,
    watch?: BootTestWatch,
  ): Promise<readonly BootTestResult[]>
}

/** Undefined when `verify.boot-test` is not set. */
export function versionGate(
  { verify, paths }: Pick<Config, 'verify' | 'paths'>,
  run: RunBootTest,
): VersionGate | undefined {
  const { bootTest: settings } = verify
  if (!settings) return undefined
  const { required, firmware, reach, timeoutMs } = settings
  return {
    required,
    async test({ id, path, kind, trees }, watch = {}) {
      const folder = bootTestFolder(await realpath(paths.trees))
      const real = await realpath(path)
      return run({ id, path: real, kind, trees, firmware, reach, timeoutMs, folder }, watch)
    },
  }
}

/** The test of a tree that is there, by a person. Kinds of firmware that its architecture does not have are left out later. */
export async function treeRequest(
  { id, origin }: Tree,
  firmware: readonly VmFirmware[],
  { paths }: Pick<Config, 'paths'>,
): Promise<BootTestRequest> {
  return {
    id,
    path: await realpath(origin.path),
    kind: origin.kind,
    trees: ['.'],
    firmware,
    reach: 'auto',
    timeoutMs: 'auto',
    folder: bootTestFolder(await realpath(paths.trees)),
  }
}
