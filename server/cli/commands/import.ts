import { resolve } from 'node:path'
import type { Command } from 'commander'
import { importLocal } from '../../intake/import/import-tree.ts'
import { mirrorTree } from '../../intake/mirror/mirror-tree.ts'
import { configOption, jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { type BringOptions, bringOptions, runBringing, storeOf } from './bring.ts'

interface ImportFlags extends BringOptions {
  readonly hardLink?: boolean
  readonly unpack?: boolean
}

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
    .option('--unpack', 'make a folder of what is in an ISO, instead of keeping it as the image that it is')
  for (const option of bringOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      `
It is copied aside, verified down to its packages, and published with one switch. Ctrl-C leaves nothing half-visible,
and the same command goes on where it stopped. Exit: 0 published, 2 something is wrong with it, 1 trouble.

An ISO is served from inside, as fast as a folder. --unpack is for a tree that is to be changed or added to, that another
program reads too (a kernel's NFS server, createrepo_c), or whose next versions come by mirror, which then shares the
files that stay the same. Boot sectors are no files: a disc can be burnt of the ISO, and not of the folder.`,
    )
    .action(async (source: string, options: ImportFlags) => {
      const store = await storeOf(options, io)
      await runBringing(options, io, ['import', source], (shared) => {
        const wanted = {
          ...shared,
          ...(options.hardLink && { hardLink: true }),
          ...(options.unpack && { unpack: true }),
        }
        return /^(https?|ftp|rsync):\/\//i.test(source)
          ? mirrorTree(store, [source], wanted)
          : importLocal(store, resolve(io.cwd, source), wanted)
      })
    })
}
