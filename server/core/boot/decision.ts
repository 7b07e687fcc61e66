import type { GuestFacts } from '../guest/guest.ts'
import type { MachineFacts } from '../guest/machine-facts.ts'
import type { ReleaseId } from '../guest/state.ts'
import type { LoaderKind } from '../loader/loaders.ts'

/**
 * What was decided for the client that an entry was made for. The entry carries the decision, and the
 * `served` event brings it back once the entry was sent: only then it counts. Requests that send no bytes of it
 * (HEAD, SIZE, LOOKUP, ...) change nothing.
 */
export type Decision = BootDecision | TreeFileDecision

/** A boot configuration: a machine was told what to boot. */
export interface BootDecision {
  readonly kind: 'boot'
  /**
   * For the log: `install fedora-40`, `menu of 7 trees`, `local-disk: ...`, `tftpboot/pxelinux.cfg/default,
   * written by hand`.
   */
  readonly summary: string
  /** What the request told about the machine. */
  readonly facts: GuestFacts
  /** All that is known of it, with what earlier requests told. */
  readonly shown?: MachineFacts
  /** Absent for an unknown machine. */
  readonly guest?: string
  /** Whether the machine was told to boot its own disk. */
  readonly localDisk: boolean
  /** The loader that reads this configuration, and so is running on the machine. */
  readonly loader: LoaderKind
  /** The installer that a guest was offered. */
  readonly offer?: InstallerOffer
}

/** What a boot configuration offers. Once it was sent, the guest's state keeps it as an `Offer`. */
export interface InstallerOffer {
  /** Id of the tree. */
  readonly tree: string
  /** The version that is offered, of a tree that treeboot published. */
  readonly release?: ReleaseId
  /** Path of the kernel in the namespace. When it is fetched, the installer starts. */
  readonly kernel: string
}

/** A file of a published tree, in one version of it. */
export interface TreeFileDecision {
  readonly kind: 'tree-file'
  readonly release: ReleaseId
  /** Path inside of the tree: `/.treeinfo`. */
  readonly path: string
}
