import { bootTest } from '../../boottest/gate.ts'
import { treeRequest } from '../../boottest/version-gate.ts'
import type { Config } from '../../config/schema.ts'
import { whyNoTree } from '../../core/boot/plan-boot.ts'
import { machineFirmware, type TestFirmware } from '../../core/boot/test-firmware.ts'
import { type BootTestProgress, progressText } from '../../core/boottest/progress.ts'
import { resultText } from '../../core/boottest/result.ts'
import { Failure } from '../../core/failure.ts'
import type { Selection } from '../../core/select/select.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json } from '../output/table.ts'

export interface TryByMachineOptions {
  readonly firmware?: TestFirmware
  readonly all?: boolean
  readonly secureBoot?: boolean
  readonly json?: boolean
}

/** Boots an emulated machine from the tree that a guest would install, as before a version is published. */
export async function tryByMachine(
  selection: Selection,
  options: TryByMachineOptions,
  { io, config }: { readonly io: CliIo; readonly config: Config },
): Promise<void> {
  if (!selection.found) throw new Failure('not-found', whyNoTree(selection))
  const { id } = selection.tree
  const request = await treeRequest(selection.tree, machineFirmware(options), config)
  const onProgress = (progress: BootTestProgress) => io.err(`${progressText(progress)}\n`)
  const results = await bootTest(request, { onProgress })
  io.out(options.json ? json({ tree: id, results }) : results.map((each) => `${resultText(each)}\n`).join(''))
  if (results.length === 0 && !options.json) io.out(`${id}: no machine boots from it\n`)
  if (results.some(({ outcome }) => outcome !== 'passed')) io.exit(exitCodes.failed)
}
