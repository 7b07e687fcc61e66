import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { bytes as size } from '../../events/units.ts'
import { findingText } from '../../intake/publish-tree.ts'
import { verifyAgain } from '../../intake/verify-again.ts'
import { hasErrors, type VerifyReport } from '../../verify/verify-tree.ts'
import { type CommonOptions, configOption, jsonOption, optionsOf, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { progressLine, terminalOrNone } from '../output/progress.ts'
import {
  describeSignatures,
  policyOf,
  type SignatureOptions,
  signatureOptions,
} from '../output/signatures.ts'
import { count, json } from '../output/table.ts'

interface VerifyOptions extends CommonOptions, SignatureOptions {
  readonly packages: boolean
}

/** At most this many findings are printed; further ones are only counted. */
const mostLines = 200

/** @param group The program, or `treeboot trees`. */
export function registerVerify(group: Command, io: CliIo): void {
  const command = group
    .command('verify')
    .description('check every file that the descriptors of a tree name, down to the packages')
    .argument('<tree>', 'the id of a tree')
    .option('--no-packages', 'do not check the packages, only the files that installers fetch first')
    .addOption(configOption())
    .addOption(jsonOption())
  for (const option of signatureOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      '\nExit code 0: complete and undamaged; 2: something is missing or damaged; 3: no such tree.',
    )
    .action(async (id: string, _: unknown, command: Command) => {
      const options = optionsOf<VerifyOptions>(command)
      const report = await verify(id, options, io)
      io.out(options.json ? json({ id, ...plain(report) }) : describe(id, report))
      if (hasErrors(report)) io.exit(exitCodes.badInput)
    })
}

async function verify(id: string, options: VerifyOptions, io: CliIo): Promise<VerifyReport> {
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

/** The report for --json: without the description of the tree. */
function plain({ files, bytes, documents, signatures, findings }: VerifyReport) {
  return { files, bytes, documents, signatures, findings }
}

function describe(id: string, report: VerifyReport): string {
  const { files, bytes, documents, signatures, findings } = report
  const errors = findings.filter((each) => each.severity === 'error').length
  const lines = findings
    .slice(0, mostLines)
    .map((each) => `${each.severity === 'error' ? 'ERROR  ' : 'warning'}  ${findingText(each)}\n`)
  if (findings.length > mostLines) lines.push(`and ${findings.length - mostLines} more\n`)
  const by = documents.length === 0 ? 'none of its files names a checksum' : `named by ${shorten(documents)}`
  const verdict = errors === 0 ? 'whole' : count(errors, 'fault')
  return `${lines.join('')}${describeSignatures(signatures)}${id}: ${verdict}; ${count(files, 'file')} checked, ${size(bytes)} read; ${by}\n`
}

function shorten(documents: readonly string[]): string {
  const some = documents.slice(0, 4).join(', ')
  return documents.length > 4 ? `${some} and ${documents.length - 4} more` : some
}
