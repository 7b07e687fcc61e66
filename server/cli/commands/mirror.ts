import type { Command } from 'commander'
import { unchangedText } from '../../intake/tree-report.ts'
import { configOption, jsonOption, optionsOf } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { serverOf } from '../remote/connect.ts'
import { type MirrorFlags, mirrorThere } from '../remote/imports.ts'
import { detachOption, refuseDetach } from '../remote/run-job.ts'
import { importOptions, runImport, versionStoreOf } from '../run-import.ts'

/** @param group The program, or `treeboot trees`. */
export function registerMirror(group: Command, io: CliIo): void {
  const command = group
    .command('mirror')
    .description('fetch a tree from a mirror: the files that its descriptors name')
    .argument(
      '<url...>',
      'http, https, ftp or rsync; further URLs are other mirrors of the same tree, used when the first ones fail',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .option(
      '--boot-only',
      'fetch only the files that boot; installers load the packages from that mirror, so a guest can boot after minutes',
    )
    .addOption(detachOption())
  for (const option of importOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      `
Reads .treeinfo and repomd.xml, checks the size and digest of every file, shares unchanged files with the earlier
version, and includes repositories beside the tree. After Ctrl-C clients see nothing of the new version, and the same
command resumes the mirroring.

With --server the server fetches it, if imports.allow of its configuration lists the URLs. The id of a mirror that is defined
there, as treeboot mirrors lists it, may stand in the place of URLs. Ctrl-C leaves the server at work.`,
    )
    .action(async (urls: string[], _: unknown, command: Command) => {
      const options = optionsOf<MirrorFlags>(command)
      const server = await serverOf(options, io)
      if (server) return mirrorThere(urls, server, { options, io })
      refuseDetach(options)
      const store = await versionStoreOf(options, io)
      // Loaded only here: other commands start faster without it.
      const { mirrorTree } = await import('../../intake/mirror/mirror-tree.ts')
      await runImport(options, io, ['mirror', ...urls], async (shared) => {
        const outcome = await mirrorTree(store, urls, {
          ...shared,
          ...(options.bootOnly && { bootOnly: true }),
        })
        if (outcome.unchanged) io.out(options.json ? '{"event":"unchanged"}\n' : `${unchangedText}\n`)
        return outcome
      })
    })
}
