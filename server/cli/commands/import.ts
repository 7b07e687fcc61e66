import { resolve } from 'node:path'
import type { Command } from 'commander'
import { defined } from '../../core/defined.ts'
import { cdInitrd } from '../../core/distro/cd-initrd.ts'
import type { ImportedTree } from '../../intake/import/import-tree.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import { configOption, jsonOption, optionsOf, readSnapshot } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { serverOf } from '../remote/connect.ts'
import { type ImportFlags, importThere } from '../remote/imports.ts'
import { detachOption, refuseDetach } from '../remote/run-job.ts'
import { commandLine, importOptions, runImport, versionStoreOf } from '../run-import.ts'

/** @param group The program, or `treeboot trees`. */
export function registerImport(group: Command, io: CliIo): void {
  const command = group
    .command('import')
    .description('import a tree: a folder, an ISO, a tar archive, a Debian package, or a URL of one of these')
    .argument('<source>', 'a path or a URL; its content decides which kind it is')
    .addOption(configOption())
    .addOption(jsonOption())
    .option('--hard-link', 'share files with the source folder instead of copying them')
    .option(
      '--with-netboot',
      'when the tree has only the initrd of a disc: import the images for network boot, too, as <id>-netboot',
    )
    .option('--unpack', 'unpack an ISO into a folder, instead of publishing the image')
    .addOption(detachOption())
  for (const option of importOptions()) command.addOption(option)
  command
    .addHelpText(
      'after',
      `
The tree is copied to a private folder, verified down to its packages, and published in one step. After Ctrl-C clients
see nothing of the tree, and the same command resumes the import. Exit code 0: published; 2: files are missing or
damaged; 1: the import failed.

treeboot serves the files inside an ISO as fast as those of a folder. Use --unpack for a tree that you will change, that
other programs read (a kernel's NFS server, createrepo_c), or that treeboot mirror will update: each new version then
shares its unchanged files with the version before, and they take no more space. A disc can be burnt from the ISO, but
not from the folder, which does not have the boot sectors.

With --server a file of this machine is uploaded and published there; a URL, and an absolute path that is not here, is read
by the server, if imports.allow of its configuration lists it. Ctrl-C during the upload leaves what has arrived, and the same
command goes on there; afterwards it leaves the server at work, and says how to follow it or to end it.`,
    )
    .action(async (source: string, _: unknown, command: Command) => {
      const options = optionsOf<ImportFlags>(command)
      const server = await serverOf(options, io)
      if (server) return importThere(source, server, { options, io })
      refuseDetach(options)
      const versions = await versionStoreOf(options, io)
      const outcome = await runImport(options, io, ['import', source], async (shared) => {
        const wanted = {
          ...shared,
          ...(options.hardLink && { hardLink: true }),
          ...(options.unpack && { unpack: true }),
        }
        // Loaded only here: other commands start faster without it.
        if (/^(https?|ftp|rsync):\/\//i.test(source)) {
          const { mirrorTree } = await import('../../intake/mirror/mirror-tree.ts')
          return mirrorTree(versions, [source], wanted)
        }
        const { importLocal } = await import('../../intake/import/import-tree.ts')
        return importLocal(versions, resolve(io.cwd, source), wanted)
      })
      for (const tree of outcome?.trees ?? []) await offerNetboot(tree, versions, options, io)
    })
}

/**
 * Says where the images for network boot are when a published tree has only the initrd of a disc, or imports them
 * with `--with-netboot`.
 */
async function offerNetboot(
  { id, result }: ImportedTree,
  versions: VersionStore,
  options: ImportFlags,
  io: CliIo,
): Promise<void> {
  if (result.outcome !== 'published' || !result.description) return
  if (!cdInitrd(result.description)) return
  const { config, trees } = await readSnapshot(defined({ config: options.config }), io)
  const published = trees.byId(id) ?? result.description
  const disc = cdInitrd(published, { archives: config.import.archives, trees: trees.all })
  if (!disc) return
  const { netbootUrl: url, netbootTree, message, remedy } = disc
  if (netbootTree !== undefined && !(options.withNetboot && options.replace)) {
    io.err(`note: ${message}; ${remedy}\n`)
    return
  }
  const netbootId = `${id}-netboot`
  if (!options.withNetboot || url === undefined) {
    const how =
      url === undefined
        ? remedy
        : `the images for network boot: ${commandLine(['import', url], { id: netbootId })}`
    io.err(`note: ${message}; ${how}\n`)
    return
  }
  const { hardLink: _, unpack: __, withNetboot: ___, accept: ____, ...shared } = options
  await runImport({ ...shared, id: netbootId }, io, ['import', url], async (more) => {
    const { mirrorTree } = await import('../../intake/mirror/mirror-tree.ts')
    return mirrorTree(versions, [url], more)
  })
}
