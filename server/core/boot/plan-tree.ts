import { defined } from '../defined.ts'
import type { InstallerNetwork } from '../distro/installer-context.ts'
import {
  answerFileUrl,
  installerArgs,
  loadsStage2,
  networkFor,
  whyIpv4Needed,
  whyNoHttpFor,
  whyNotInstaller,
} from '../distro/installers.ts'
import { failureMessage } from '../failure.ts'
import type { Guest, Sourced, VirtType } from '../guest/guest.ts'
import type { InstallSource } from '../services.ts'
import type { Tree } from '../tree/tree.ts'
import { sourceBase, treeFileUrlPath, treeUrlPath } from './install-source.ts'
import { cmdlineTooLong } from './limits.ts'
import { memoryNeeded } from './memory.ts'
import { contradictions, effectiveArgs, mergeArgs, type PlannedArg } from './operator-args.ts'
import type { BootFile, Doubt, InstallPlan, KernelArg, RefusePlan, ServerUrls } from './plan.ts'
import { choosePlatform, type PlatformChoice } from './platform.ts'
import { type Unreachable, whyUnreachable } from './reach.ts'
import { urlOfPath } from './urls.ts'

export interface TreePlanOptions {
  readonly urls: ServerUrls
  readonly virt: VirtType
  /** The machine's arch, where that is known and may differ from the tree's: `ppc64` in a `ppc` tree. */
  readonly arch?: string
  readonly guest?: Guest
  /**
   * Whether somebody only asks for kernel and initrd of the tree, and adds arguments of their own: what the installer
   * would lack without those is then a note, and refuses nothing.
   */
  readonly isLookup?: boolean
  /** See `BootInputs`. */
  readonly whyNoAnswerFile?: string
}

/** An install plan, with the arguments (replaced ones, too) and the platform that led to it. */
export interface TreePlanning {
  readonly plan: InstallPlan | RefusePlan
  readonly args: readonly PlannedArg[]
  readonly platform: PlatformChoice
}

/** How to boot the installer of a tree, for a guest or without one. */
export function planTree(tree: Tree, options: TreePlanOptions): InstallPlan | RefusePlan {
  return planTreeWithReasons(tree, options).plan
}

/** Like `planTree`, with the reasons for `explain`. */
export function planTreeWithReasons(tree: Tree, options: TreePlanOptions): TreePlanning {
  const { guest, urls, virt } = options
  const platform = choosePlatform(tree, virt, options.arch)
  if (!platform.found) return { plan: refuse(platform.why), args: [], platform }
  const source = guest?.settings.source.value ?? 'http'
  const closed = closedService(source, urls)
  if (closed !== undefined) return { plan: refuse(closed), args: [], platform }
  const { images } = platform
  const answerFile = guest?.settings.template && answerFileUrl({ guest, tree, images, source, urls })
  const network = guest && networkFor({ guest, tree, images, urls })
  if (network && 'why' in network) return { plan: refuse(network.why), args: [], platform }
  const context = { tree, images, source, urls, ...defined({ answerFile, guest, network }) }
  const from = `the installer of ${tree.id}`
  const ours = installerArgs(context).map(
    (value): Sourced<typeof value> => ({
      value,
      from: network?.args.includes(value) ? network.network.from : from,
    }),
  )
  const args = mergeArgs(ours, {
    args: guest?.settings.args ?? [],
    removals: guest?.settings.removals ?? [],
  })
  const generated = new Set(ours.map(({ value }) => value))
  const kept = effectiveArgs(args.filter(({ value }) => generated.has(value)))
  const lacks = whyNotInstaller(context)
  const unreachable = unreachableBy({ network, kept, args, options })
  const whyNot = whyNoHttpFor(urls, kept) ?? (options.isLookup ? undefined : lacks) ?? sureReason(unreachable)
  if (whyNot !== undefined) return { plan: refuse(`tree ${tree.id}: ${whyNot}`), args, platform }
  const plan: InstallPlan = {
    kind: 'install',
    tree,
    platform: platform.platform,
    virt,
    kernel: bootFile(tree, images.kernel),
    initrd: bootFile(tree, images.initrd),
    args: effectiveArgs(args),
    // virt-install refuses nfs: URLs, so an NFS guest's location is the HTTP one.
    location: urlOfPath(sourceBase(source, urls) ?? urls.http, treeUrlPath(tree)),
    urls,
    ...defined({ answerFile, guest, lacks }),
    doubts: doubtsOf(whyIpv4Needed(context) ?? unreachable, args),
    memoryNeeded: memoryNeeded(tree, effectiveArgs(args), { urls, loadsStage2: loadsStage2(context) }),
  }
  return { plan: checked(plan, options), args, platform }
}

/** Nothing is said where the URL is a guess of our own: the machine may reach us by another address. */
function unreachableBy({
  network,
  kept,
  args,
  options: { guest, urls },
}: {
  readonly network: InstallerNetwork | undefined
  readonly kept: readonly KernelArg[]
  readonly args: readonly PlannedArg[]
  readonly options: TreePlanOptions
}): Unreachable | undefined {
  if (!network || urls.isGuess) return undefined
  const ours = new Set(kept)
  const operators = effectiveArgs(args).filter((arg) => !ours.has(arg))
  const { network: written, vars } = guest?.settings ?? {}
  const isPrefixGuessed = written === undefined && vars?.prefix === undefined
  return whyUnreachable({ network, ours: kept, operators, isPrefixGuessed })
}

function sureReason(unreachable: Unreachable | undefined): string | undefined {
  return unreachable?.isSure ? unreachable.why : undefined
}

/** @param network What speaks against the network of the installer: that it needs IPv4, or does not reach us. */
function doubtsOf(network: string | Unreachable | undefined, args: readonly PlannedArg[]): Doubt[] {
  const ofNetwork =
    typeof network === 'string'
      ? { what: 'needs IPv4', why: network }
      : network && { what: 'network', why: network.why }
  return [
    ...(ofNetwork ? [ofNetwork] : []),
    ...contradictions(args).map((why) => ({ what: 'arguments', why })),
  ]
}

function refuse(why: string): RefusePlan {
  return { kind: 'refuse', why }
}

function closedService(source: InstallSource, urls: ServerUrls): string | undefined {
  // `urls.http` is there even while the HTTP service is closed: `whyNoHttpFor` sees who would use it.
  return source === 'http' || urls[source] !== undefined
    ? undefined
    : `source is ${source}, and the ${source} service is closed: enable ${source} in config.yaml`
}

/**
 * Refuses a plan that can only fail: its installer would wait for an answer file that never comes, or the command line
 * is too long or cannot be written. Otherwise such a fault would show only at boot.
 */
function checked(plan: InstallPlan, { whyNoAnswerFile }: TreePlanOptions): InstallPlan | RefusePlan {
  if (plan.answerFile !== undefined && whyNoAnswerFile !== undefined) return refuse(whyNoAnswerFile)
  try {
    const tooLong = cmdlineTooLong(plan.tree, plan.args, plan)
    return tooLong === undefined ? plan : refuse(tooLong)
  } catch (error) {
    return refuse(failureMessage(error))
  }
}

function bootFile(tree: Tree, path: string): BootFile {
  const size = Object.hasOwn(tree.sizes, path) ? tree.sizes[path] : undefined
  const sha256 = Object.hasOwn(tree.sha256, path) ? tree.sha256[path] : undefined
  return { path, urlPath: treeFileUrlPath(tree, path), ...defined({ size, sha256 }) }
}
