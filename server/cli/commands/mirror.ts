import type { Command } from 'commander'
import { mirrorTree } from '../../intake/mirror/mirror-tree.ts'
import { configOption, jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { type BringOptions, bringOptions, runBringing, storeOf } from './bring.ts'

export function registerMirror(program: Command, io: CliIo): void {
  const command = program
    .command('mirror')
    .description('fetch a tree, and of it only what its descriptors name')
    .argument('<url...>', 'http, https, ftp or rsync; several are mirrors of the same tree, tried in turn')
    .addOption(configOption())
    .addOption(jsonOption())
    .option(
      '--boot-only',
      'only what boots; packages stay with the upstream, so a first guest boots in minutes',
    )
  for (const option of bringOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      `
Reads .treeinfo and repomd.xml, checks size and digest of every file, shares what an earlier version has, follows
repositories beside the tree. Ctrl-C leaves nothing half-visible; the same command goes on where it stopped.`,
    )
    .action(async (urls: string[], options: BringOptions & { bootOnly?: boolean }) => {
      const store = await storeOf(options, io)
      await runBringing(options, io, ['mirror', ...urls], async (shared) => {
        const outcome = await mirrorTree(store, urls, {
          ...shared,
          ...(options.bootOnly && { bootOnly: true }),
        })
        if (outcome.unchanged)
          io.out(
            options.json ? '{"event":"unchanged"}\n' : 'nothing new upstream; the current version stays\n',
          )
        return outcome
      })
    })
}
