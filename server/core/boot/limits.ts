import { canonicalArch } from '../tree/arch.ts'
import type { Tree } from '../tree/tree.ts'
import { compareVersions } from '../tree/version.ts'
import { formatCmdline, formatKernelArg } from './kernel-args.ts'
import type { BootFile, KernelArg } from './plan.ts'
import { byteLength } from './text.ts'

/**
 * Bytes of command line that the kernel of a tree takes: COMMAND_LINE_SIZE less its NUL. What is longer is cut off
 * without a word, in the middle of an argument.
 *
 * ppc64 had 512 and s390x 896 for long, and distributions moved at different times; a tree whose age we cannot tell is
 * taken for an old one.
 */
export function cmdlineLimit(tree: Tree): number {
  const arch = canonicalArch(tree.arch)
  if (arch.startsWith('ppc'))
    return isSince(tree, { fedora: '28', el: '8', debian: '10', suse: '15' }) ? 2047 : 511
  if (arch.startsWith('s390'))
    return isSince(tree, { fedora: '36', el: '10', debian: '12', suse: '16' }) ? 4095 : 895
  if (arch.startsWith('arm')) return 1023
  if (arch.startsWith('riscv')) return 1023
  return 2047
}

type Since = Readonly<Record<'fedora' | 'el' | 'debian' | 'suse', string>>

function isSince(tree: Tree, since: Since): boolean {
  const first = since[lineage(tree)]
  return tree.version !== '' && compareVersions(tree.version, first) >= 0
}

/** By whose version numbers a tree counts. */
function lineage(tree: Tree): keyof Since {
  switch (tree.distro) {
    case 'fedora':
    case 'eln':
    case 'coreos':
      return 'fedora'
    case 'debian':
    case 'ubuntu':
    case 'kali':
      return 'debian'
    case 'opensuse':
    case 'sles':
    case 'sled':
    case 'sle':
      return 'suse'
    default:
      return 'el'
  }
}

/** `BOOTIF=01-52-54-00-aa-bb-01` and the blank before it. */
const bootifBytes = 28

/**
 * Why a command line is too long, or undefined when it fits. Counted is the longest that any loader makes of it: PXELINUX
 * writes `BOOT_IMAGE=<kernel> initrd=<initrd>` in front and BOOTIF behind.
 */
export function cmdlineTooLong(
  tree: Tree,
  args: readonly KernelArg[],
  images: { readonly kernel: BootFile; readonly initrd: BootFile },
): string | undefined {
  const limit = cmdlineLimit(tree)
  const own = byteLength(formatCmdline(args))
  const added = bootifBytes + byteLength(` BOOT_IMAGE=${images.kernel.place} initrd=${images.initrd.place}`)
  if (own + added <= limit) return undefined
  const longest = args
    .map(formatKernelArg)
    .sort((a, b) => byteLength(b) - byteLength(a))
    .slice(0, 3)
    .map((text) => `${text.length > 60 ? `${text.slice(0, 60)}...` : text} (${byteLength(text)})`)
  return (
    `kernel command line of ${own} bytes, and loaders add up to ${added}: ` +
    `the ${tree.arch} kernel of ${tree.id} takes ${limit} in all; longest arguments: ${longest.join(', ')}`
  )
}
