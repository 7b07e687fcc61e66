import { type Firmware, loadsByHttp, type UefiCpu, uefiCpu } from '../boot/firmware.ts'
import { treeChainPath } from './files.ts'
import { type LoaderKind, type LoaderPreference, loaderFilesFor, loaderKinds } from './loaders.ts'

/** A loader that fits a machine, and the reason for its place in the list. */
export interface LoaderCandidate {
  readonly kind: LoaderKind
  /** Its path in the namespace. */
  readonly urlPath: string
  readonly why: string
}

/** What the choice of a loader depends on. */
export interface LoaderChoiceInputs {
  readonly firmware: Firmware
  readonly preference: LoaderPreference
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
 * Every loader that fits a machine, best first. The caller sends the first one that exists.
 *
 * A running iPXE gets a script and no loader. The one exception is PXELINUX under BIOS, when the operator
 * asks for it. GRUB never follows iPXE: QEMU's iPXE ROM of 2019 hands shim 16.1 a padded GRUB, and shim
 * refuses it.
 */
export function loaderCandidates(inputs: LoaderChoiceInputs): readonly LoaderCandidate[] {
  if (inputs.firmware === 'ipxe-bios' && inputs.preference === 'pxelinux')
    return loaderFilesFor('pxelinux', 'bios').map((urlPath) => ({
      kind: 'pxelinux',
      urlPath,
      why: 'loader: pxelinux',
    }))
  const cpu = uefiCpu(inputs.firmware)
  if (inputs.firmware !== 'bios' && cpu === undefined) return []
  return orderOf(inputs).flatMap(({ kind, why }) => {
    const shim = kind === 'grub' && cpu ? chainShim[cpu] : undefined
    const fromTree =
      shim !== undefined && inputs.treeId !== undefined
        ? [{ kind, urlPath: treeChainPath(inputs.treeId, shim), why: `${why}; the chain of its own tree` }]
        : []
    return [...fromTree, ...loaderFilesFor(kind, cpu ?? 'bios').map((urlPath) => ({ kind, urlPath, why }))]
  })
}

function orderOf(inputs: LoaderChoiceInputs): { kind: LoaderKind; why: string }[] {
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
