import { realpath } from 'node:fs/promises'
import { bootTest, bootTestFolder } from '../../boottest/gate.ts'
import type { Config } from '../../config/schema.ts'
import { whyNoTree } from '../../core/boot/plan-boot.ts'
import { type TestFirmware, testFirmwares, type VmFirmware } from '../../core/boot/test-firmware.ts'
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
  const { id, origin } = selection.tree
  const request = {
    id,
    path: await realpath(origin.path),
    kind: origin.kind,
    trees: ['.'],
    firmware: firmwareOf(options),
    reach: 'auto',
    timeoutMs: 'auto',
    folder: bootTestFolder(await realpath(config.paths.trees)),
  } as const
  const results = await bootTest(request, { onNote: (text) => io.err(`${text}\n`) })
  io.out(options.json ? json({ tree: id, results }) : results.map((each) => `${resultText(each)}\n`).join(''))
  if (results.length === 0 && !options.json) io.out(`${id}: no machine boots from it\n`)
  if (results.some(({ outcome }) => outcome !== 'passed')) io.exit(exitCodes.failed)
}

/** Those that the tree's architecture does not have are left out later. */
function firmwareOf({ firmware, all, secureBoot }: TryByMachineOptions): readonly VmFirmware[] {
  if (all) return [...testFirmwares.filter((name) => name !== 'uefi-http'), 'secure-boot']
  if (firmware === undefined) return secureBoot ? ['secure-boot'] : ['bios', 'uefi-x64']
  return secureBoot && firmware === 'uefi-x64' ? ['secure-boot'] : [firmware]
}
