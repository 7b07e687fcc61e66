import { treeUrlPath } from '../boot/install-source.ts'
import { parseKernelArgs } from '../boot/kernel-args.ts'
import { urlOfPath } from '../boot/urls.ts'
import type { Guest } from '../guest/guest.ts'
import type { Tree } from '../tree/tree.ts'

/** A line by which an installer is told where its packages are, and the place that it names. */
interface SourceLine {
  readonly line: RegExp
  readonly remedy: string
}

const sourceLines: readonly SourceLine[] = [
  {
    // `d-i mirror/http/directory string /debian` (installation guide, B.4.4)
    line: /^[ \t]*d-i[ \t]+mirror\/(?:https?|ftp)\/directory[ \t]+string[ \t]+(\S+)/gm,
    remedy: 'set mirror_url in vars to a mirror of the distribution',
  },
  {
    // `url --url=http://host/path` and `nfs --server=host --dir=/path` (pykickstart)
    line: /^[ \t]*(?:url|nfs)[ \t](?:.*[ \t])?--(?:url|dir)[= \t]["']?(?:[a-z]+:\/\/[^/\s"']+)?(\/[^\s"']*)/gm,
    remedy:
      'take a tree with packages (a DVD, or the tree of a mirror), or name one in args, "inst.repo=http://...": install_source is that one then',
  },
]

/**
 * Why an installer that follows this answer file finds no packages: the file sends it for them to the tree, which has
 * only what boots (a netboot tarball, a boot.iso). Undefined where nobody looked for packages in the tree.
 */
export function whyNoPackages(tree: Tree, answerFile: string): string | undefined {
  if (!isWithoutPackages(tree)) return undefined
  const place = urlOfPath('', treeUrlPath(tree))
  for (const { line, remedy } of sourceLines)
    for (const [, named = ''] of answerFile.matchAll(line))
      if (named.replace(/\/+$/, '') === place)
        return `its answer file sends the installer to tree ${tree.id} for packages, and the tree has none: ${remedy}`
  return undefined
}

/** Whether it is known that installers find no packages in a tree. */
export function isWithoutPackages(tree: Tree): boolean {
  return tree.hasPackages === false && tree.repositories.length === 0 && tree.upstream === undefined
}

/**
 * The repository that a guest names by `inst.repo=` because its tree has none. In anaconda the kickstart's `url` comes
 * before that argument (payload of anaconda 33 to 40), so a kickstart has to say the same.
 */
export function ownRepository(tree: Tree, { settings }: Pick<Guest, 'settings'>): string | undefined {
  if (!isWithoutPackages(tree)) return undefined
  const args = settings.args.flatMap(({ value }) => parseKernelArgs(value))
  const own = args.findLast(({ key }) => key === 'inst.repo')?.value
  return own !== undefined && /^(?:https?|ftp):\/\//.test(own) ? own : undefined
}

/**
 * Folders of a tree that hold packages or their lists: of Debian's archives and discs, of repositories of RPM, and of
 * the discs of Fedora, Enterprise Linux, SUSE, Mageia and Alpine.
 */
const packageFolders: ReadonlySet<string> = new Set([
  ...['dists', 'pool'],
  ...['repodata', 'Packages', 'RPMS', 'os'],
  ...['BaseOS', 'AppStream', 'Minimal', 'Everything', 'Server', 'Client', 'Workstation'],
  ...['RedHat', 'Fedora', 'CentOS', 'SL', 'suse', 'media', 'i586', 'noarch', 'apks'],
])

export function isPackageFolder(name: string): boolean {
  return packageFolders.has(name)
}
