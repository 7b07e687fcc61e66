import { recordOf } from '../distro/families.ts'
import type { LongCmdlineSince } from '../distro/record.ts'
import { canonicalArch } from '../tree/arch.ts'
import type { Tree } from '../tree/tree.ts'
import { compareVersions } from '../tree/version.ts'
import { formatCmdline, formatKernelArg } from './kernel-args.ts'
import type { BootFile, KernelArg } from './plan.ts'
import { byteLength } from './text.ts'

const longSinceEl: LongCmdlineSince = { ppc: '8', s390: '10' }

/**
 * How many bytes of command line the kernel of a tree takes: COMMAND_LINE_SIZE less its NUL. The kernel cuts
 * off the rest silently, even within an argument.
 *
 * ppc64 long had 512 and s390x 896, and distributions changed that at different times. A tree of unknown
 * version counts as old.
 */
export function cmdlineLimit(tree: Tree): number {
  const arch = canonicalArch(tree.arch)
  const since = recordOf(tree.distro).longCmdlineSince ?? longSinceEl
  const isSince = (first: string) => tree.version !== '' && compareVersions(tree.version, first) >= 0
  if (arch.startsWith('ppc')) return isSince(since.ppc) ? 2047 : 511
  if (arch.startsWith('s390')) return isSince(since.s390) ? 4095 : 895
  if (arch.startsWith('arm')) return 1023
  if (arch.startsWith('riscv')) return 1023
  return 2047
}

/** `BOOTIF=01-52-54-00-aa-bb-01` and the blank before it. */
const bootifBytes = 28

/**
 * Why a command line is too long, or undefined when it fits. What loaders add counts, too. PXELINUX adds
 * most: it writes `BOOT_IMAGE=<kernel> initrd=<initrd>` in front and BOOTIF behind.
 */
export function cmdlineTooLong(
  tree: Tree,
  args: readonly KernelArg[],
  images: { readonly kernel: BootFile; readonly initrd: BootFile },
): string | undefined {
  const limit = cmdlineLimit(tree)
  const own = byteLength(formatCmdline(args))
  const added =
    bootifBytes + byteLength(` BOOT_IMAGE=${images.kernel.urlPath} initrd=${images.initrd.urlPath}`)
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
