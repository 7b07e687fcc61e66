import { formatCmdline, formatKernelArg } from '../boot/kernel-args.ts'
import type { BootFile, InstallPlan } from '../boot/plan.ts'
import { urlOfPath } from '../boot/urls.ts'
import { cdInitrd } from '../distro/cd-initrd.ts'
import type { VirtType } from '../guest/guest.ts'

/** One boot image in the result of a lookup. */
export interface LookupFile {
  /** Relative to the tree. */
  readonly path: string
  readonly url: string
  /** A full URL; null while the TFTP service is closed. */
  readonly tftp: string | null
  readonly size: number | null
  /** Lower-case hex; null only while the file was not read, as by a command with --no-verify. */
  readonly sha256: string | null
}

/** The answer of `/api/v1/lookup` and `treeboot lookup --json`. Scripts rely on its shape. */
export interface LookupResultJson {
  readonly tree: {
    readonly id: string
    readonly family: string
    readonly version: string
    readonly variant: string
    readonly arch: string
    /** Present only when nobody has checked the digests of the tree. */
    readonly state?: 'not verified'
  }
  readonly virt: VirtType
  readonly platform: string
  readonly kernel: LookupFile
  readonly initrd: LookupFile
  /** The kernel arguments, one in each item, quoted as the kernel reads them. */
  readonly args: readonly string[]
  /** All arguments on one line. */
  readonly cmdline: string
  readonly location: string
  /** Ids of the other trees that matched, best first. */
  readonly others: readonly string[]
  /** What a person should know before booting this: that the initrd is a disc's, that no service has its live system, what may end the installation. */
  readonly notes: readonly string[]
}

export function installResultJson(plan: InstallPlan, others: readonly string[] = []): LookupResultJson {
  const { id, family, version, variant, arch, unverified } = plan.tree
  return {
    tree: { id, family, version, variant, arch, ...(unverified && { state: 'not verified' as const }) },
    virt: plan.virt,
    platform: plan.platform,
    kernel: lookupFile(plan, plan.kernel),
    initrd: lookupFile(plan, plan.initrd),
    args: plan.args.map(formatKernelArg),
    cmdline: formatCmdline(plan.args),
    location: plan.location,
    others,
    notes: notesOf(plan),
  }
}

/** The notes of a result, for JSON and for the commands. */
export function notesOf({ tree, lacks, doubts }: InstallPlan): readonly string[] {
  const disc = cdInitrd(tree)
  const ofDisc = disc && `${disc.message}; ${tree.netbootRemedy ?? disc.remedy}`
  const known = [ofDisc, lacks].filter((note) => note !== undefined)
  return [...known, ...doubts.map(({ why }) => why)]
}

function lookupFile(plan: InstallPlan, file: BootFile): LookupFile {
  return {
    path: file.path,
    url: urlOfPath(plan.urls.http, file.urlPath),
    tftp: plan.urls.tftp === undefined ? null : urlOfPath(plan.urls.tftp, file.urlPath),
    size: file.size ?? null,
    sha256: file.sha256 ?? null,
  }
}
