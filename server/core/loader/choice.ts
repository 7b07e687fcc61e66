import { type Firmware, loadsByHttp, type UefiCpu, uefiCpu } from '../boot/firmware.ts'
import { hostLoaderFolder, treeChainPath } from './files.ts'
import {
  type LoaderKind,
  type LoaderOrigin,
  type LoaderPreference,
  loaderFilesFor,
  loaderKinds,
} from './loaders.ts'

/** A loader that fits a machine, and the reason for its place in the list. */
export interface LoaderCandidate {
  readonly kind: LoaderKind
  /** Its path in the namespace. */
  readonly urlPath: string
  /** The file counts only if it comes from here. */
  readonly origin?: LoaderOrigin
  readonly why: string
}

/** What the choice of a loader depends on. */
export interface LoaderChoiceInputs {
  readonly firmware: Firmware
  readonly preference: LoaderPreference
  /** Whose loaders come first; absent: those that are best. */
  readonly origin?: LoaderOrigin
  /** The machine's tree, whose own signed chain comes before the host's. */
  readonly treeId?: string
  /** The loader that this machine has started before: it comes first. */
  readonly started?: LoaderKind
  /** The loader that this machine was sent last time and never started: it comes last. */
  readonly neverStarted?: LoaderKind
}

/** The name of shim in a tree's own chain: `treeChains` (files.ts) knows chains for these CPUs only. */
const chainShim: Partial<Record<UefiCpu, string>> = { x64: 'shimx64.efi', arm64: 'shimaa64.efi' }

/**
 * Every loader that fits a machine, best first. The caller sends the first one that exists. With an `origin` those
 * from there come first, and have it; the others follow, because a machine without a loader does not boot at all.
 *
 * A running iPXE gets a script and no loader. The one exception is PXELINUX under BIOS, when the operator
 * asks for it. GRUB never follows iPXE: QEMU's iPXE ROM of 2019 hands shim 16.1 a padded GRUB, and shim
 * refuses it.
 */
export function loaderCandidates(inputs: LoaderChoiceInputs): readonly LoaderCandidate[] {
  const { firmware, preference, origin, neverStarted } = inputs
  const cpu = uefiCpu(firmware)
  const forIpxe = firmware === 'ipxe-bios' && preference === 'pxelinux'
  if (firmware !== 'bios' && cpu === undefined && !forIpxe) return []
  const order: KindInOrder[] = forIpxe ? [{ kind: 'pxelinux', why: 'loader: pxelinux' }] : orderOf(inputs)
  const anywhere = order.flatMap((each) => [...ofTree(each, inputs), ...named(each, cpu)])
  if (origin === undefined) return anywhere
  // A kind that is asked for comes from elsewhere before another kind comes from the origin.
  const wanted = order.filter(({ kind }) =>
    preference === 'auto' ? kind !== neverStarted : kind === preference,
  )
  const fromOrigin = wanted.flatMap((each) => candidatesFrom(origin, each, inputs))
  return [
    ...fromOrigin.map((each) => ({ ...each, origin, why: `${each.why}; loader-from: ${origin}` })),
    ...anywhere.map((each) => ({
      ...each,
      why: `${each.why}; loader-from: ${origin} has none that would do`,
    })),
  ]
}

function candidatesFrom(
  origin: LoaderOrigin,
  kind: KindInOrder,
  inputs: LoaderChoiceInputs,
): readonly LoaderCandidate[] {
  if (origin === 'tree') return ofTree(kind, inputs)
  const candidates = named(kind, uefiCpu(inputs.firmware))
  if (origin === 'tftpboot') return candidates
  return candidates.map((each) => ({ ...each, urlPath: hostLoaderFolder + each.urlPath }))
}

/** The signed chain of the machine's own tree, where such chains are known. */
function ofTree(
  { kind, why }: KindInOrder,
  { firmware, treeId }: LoaderChoiceInputs,
): readonly LoaderCandidate[] {
  const cpu = uefiCpu(firmware)
  const shim = kind === 'grub' && cpu ? chainShim[cpu] : undefined
  if (shim === undefined || treeId === undefined) return []
  return [{ kind, urlPath: treeChainPath(treeId, shim), why: `${why}; the chain of its own tree` }]
}

/** The loaders by their names at the root of the namespace. */
function named({ kind, why }: KindInOrder, cpu: UefiCpu | undefined): readonly LoaderCandidate[] {
  return loaderFilesFor(kind, cpu ?? 'bios').map((urlPath) => ({ kind, urlPath, why }))
}

interface KindInOrder {
  readonly kind: LoaderKind
  /** The reason for its place in the order. */
  readonly why: string
}

function orderOf(inputs: LoaderChoiceInputs): KindInOrder[] {
  const { preference, started, neverStarted, firmware } = inputs
  const first = preference !== 'auto' ? preference : started
  const why = (kind: LoaderKind): string => {
    if (kind === preference) return `loader: ${kind}`
    if (preference !== 'auto') return `loader: ${preference} is asked for, and it is missing`
    if (kind === started) return 'the machine has started this loader before'
    if (neverStarted !== undefined && kind !== neverStarted)
      return `the machine was sent ${neverStarted} last time and never started it${firmware === 'bios' ? '' : ': Secure Boot, perhaps'}`
    return `the default for ${firmware}`
  }
  const weight = (kind: LoaderKind): number => {
    if (kind === first) return 0
    return kind === neverStarted ? 2 : 1
  }
  return loaderKinds.toSorted((a, b) => weight(a) - weight(b)).map((kind) => ({ kind, why: why(kind) }))
}

/** The boot file name for a loader: a path for TFTP, a URL for HTTP Boot. */
export function bootFileName(firmware: Firmware, urlPath: string, httpBase: string): string {
  // No leading slash: PXELINUX and shim put the folder of this name before the names of their own files, and `/x`
  // would give `//y`. Our TFTP service takes `x` for `/x`.
  return loadsByHttp(firmware) ? httpBase + urlPath : urlPath.slice(1)
}
