import { resolve } from 'node:path'
import type { Command } from 'commander'
import { importLocal } from '../catalog/import/import-tree.ts'
import { mirrorTree } from '../catalog/mirror/mirror-tree.ts'
import { type BringOptions, bringOptions, runBringing, storeOf } from './bring.ts'
import type { CliIo } from './io.ts'
import { configOption, jsonOption } from './options.ts'

export function registerImport(program: Command, io: CliIo): void {
  const command = program
    .command('import')
    .description(
      'bring in a tree: a folder, an ISO, a tar archive, a Debian package, or a URL of one of these',
    )
    .argument('<source>', 'a path or URL; what it is is seen from what it holds')
    .addOption(configOption())
    .addOption(jsonOption())
    .option('--hard-link', 'share files with the source folder instead of copying them')
  for (const option of bringOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      `
It is copied aside, verified down to its packages, and published with one switch. Ctrl-C leaves nothing half-visible,
and the same command goes on where it stopped. Exit: 0 published, 2 something is wrong with it, 1 trouble.`,
    )
    .action(async (source: string, options: BringOptions & { hardLink?: boolean }) => {
      const store = await storeOf(options, io)
      await runBringing(options, io, `treeboot import ${source}`, (shared) => {
        const wanted = { ...shared, ...(options.hardLink && { hardLink: true }) }
        return /^(https?|ftp|rsync):\/\//i.test(source)
          ? mirrorTree(store, [source], wanted)
          : importLocal(store, resolve(io.cwd, source), wanted)
      })
    })
}
