import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { type TreeReport, verifyReport } from '../../intake/tree-report.ts'
import { verifyAgain } from '../../intake/verify-again.ts'
import type { VerifyReport } from '../../verify/verify-tree.ts'
import { configOption, jsonOption, optionsOf, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { progressLine, terminalOrNone } from '../output/progress.ts'
import { policyOf, type SignatureOptions, signatureOptions } from '../output/signatures.ts'
import { json } from '../output/table.ts'
import { verifyText, verifyView } from '../output/tree-report.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import {
  detachOption,
  failureOfJob,
  type JobOptions,
  refuseDetach,
  refuseKeys,
  runJob,
} from '../remote/run-job.ts'

interface VerifyOptions extends JobOptions, SignatureOptions {
  readonly packages: boolean
}

/** @param group The program, or `treeboot trees`. */
export function registerVerify(group: Command, io: CliIo): void {
  const command = group
    .command('verify')
    .description('check every file that the descriptors of a tree name, down to the packages')
    .argument('<tree>', 'the id of a tree')
    .option('--no-packages', 'do not check the packages, only the files that installers fetch first')
    .addOption(configOption())
    .addOption(jsonOption())
    .addOption(detachOption())
  for (const option of signatureOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      '\nExit code 0: complete and undamaged; 2: something is missing or damaged; 3: no such tree.',
    )
    .action(async (id: string, _: unknown, command: Command) => {
      const options = optionsOf<VerifyOptions>(command)
      const server = await serverOf(options, io)
      const report = server
        ? await verifyThere(id, server, { options, io })
        : verifyReport(await verify(id, options, io))
      if (!report) return
      io.out(options.json ? json(verifyView(id, report)) : verifyText(id, report))
      if (report.errors > 0) io.exit(exitCodes.badInput)
    })
}

/** Undefined when nobody waits for its end. */
async function verifyThere(
  id: string,
  server: ApiClient,
  { options, io }: { readonly options: VerifyOptions; readonly io: CliIo },
): Promise<TreeReport | undefined> {
  refuseKeys(options)
  const request = { kind: 'verify', tree: id, packages: options.packages } as const
  // With --json the output is one value, beside which no line of progress may stand.
  const mode = options.json ? 'none' : terminalOrNone()
  const job = await runJob(server, request, { options, io, mode })
  const report = job?.trees[0]?.report
  if (job && !report) throw failureOfJob(job)
  return report ?? undefined
}

async function verify(id: string, options: VerifyOptions, io: CliIo): Promise<VerifyReport> {
  refuseDetach(options)
  const snapshot = await readSnapshot(options, io)
  const { config } = snapshot
  const tree = snapshot.trees.byId(id)
  if (!tree) throw new Failure('not-found', `no tree ${id}; treeboot trees lists them`)
  const signatures = await policyOf(options, config, io)
  // With --json the output is one value, beside which no line of progress may stand.
  const line = progressLine(io, options.json ? 'none' : terminalOrNone())
  try {
    return await verifyAgain(config.paths.trees, tree, {
      packages: options.packages,
      onProgress: (doneBytes, totalBytes) => line.show({ stage: 'verifying', doneBytes, totalBytes }),
      ...(signatures && { signatures }),
    })
  } finally {
    line.end()
  }
}
