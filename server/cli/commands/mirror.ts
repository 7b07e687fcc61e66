import type { Command } from 'commander'
import { mirrorTree } from '../../intake/mirror/mirror-tree.ts'
import { configOption, jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { type ImportCommandOptions, importOptions, runImport, storeOf } from '../run-import.ts'

export function registerMirror(program: Command, io: CliIo): void {
  const command = program
    .command('mirror')
    .description('fetch a tree from a mirror: the files that its descriptors name')
    .argument(
      '<url...>',
      'http, https, ftp or rsync; several URLs are mirrors of the same tree, tried one after the other',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .option(
      '--boot-only',
      'only the files that boot; installers take the packages from the upstream, so a first guest boots in minutes',
    )
  for (const option of importOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      `
Reads .treeinfo and repomd.xml, checks the size and digest of every file, shares unchanged files with the earlier
version, and includes repositories beside the tree. After Ctrl-C nothing is visible, and the same command resumes.`,
    )
    .action(async (urls: string[], options: ImportCommandOptions & { bootOnly?: boolean }) => {
      const store = await storeOf(options, io)
      await runImport(options, io, ['mirror', ...urls], async (shared) => {
        const outcome = await mirrorTree(store, urls, {
          ...shared,
          ...(options.bootOnly && { bootOnly: true }),
        })
        if (outcome.unchanged)
          io.out(
            options.json
              ? '{"event":"unchanged"}\n'
              : 'the upstream has not changed; the current version stays\n',
          )
        return outcome
      })
    })
}
