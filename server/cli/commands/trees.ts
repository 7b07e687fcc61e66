import type { Command } from 'commander'
import { shownState, treeSummary } from '../../api/views.ts'
import type { Tree } from '../../core/tree/tree.ts'
import {
  type CommonOptions,
  configOption,
  jsonOption,
  readSnapshot,
  type VerifyOption,
  verifyOption,
} from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'
import { registerTreesGc } from './trees-gc.ts'
import { registerTreesHistory } from './trees-history.ts'

export function registerTrees(program: Command, io: CliIo): void {
  const command = program
    .command('trees')
    .description('list the trees below trees/, with the state of each and what is wrong with it')
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (options: CommonOptions & VerifyOption) => {
      const { trees } = await readSnapshot(options, io)
      if (options.json) io.out(json(trees.all.map(treeSummary)))
      else io.out(trees.all.length === 0 ? 'no trees yet: copy one into trees/\n' : describeTrees(trees.all))
      if (trees.all.length === 0) io.exit(exitCodes.notFound)
    })
  registerTreesHistory(command, io)
  registerTreesGc(command, io)
}

/** Nothing is known of it: an image that cannot be read. */
function isUnknown({ state, family }: Tree): boolean {
  return state !== 'ready' && family === ''
}

function describeTrees(trees: readonly Tree[]): string {
  const rows = trees.map((tree) => [
    shownState(tree),
    tree.id,
    [tree.family, tree.version, tree.variant].filter(Boolean).join(' '),
    tree.arch,
    // A pair whose architecture nothing tells has a platform without a name.
    Object.keys(tree.platforms)
      .map((name) => name || 'unknown')
      .join(' ') || (isUnknown(tree) ? '-' : 'packages only'),
  ])
  const reasons = trees.flatMap((tree) => tree.reasons.map((reason) => `${tree.id}: ${reason}\n`))
  return `${table([['STATE', 'TREE', 'SYSTEM', 'ARCH', 'PLATFORMS'], ...rows])}${reasons.length > 0 ? `\n${reasons.join('')}` : ''}`
}
