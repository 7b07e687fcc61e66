import type { KernelArg, ServerUrls } from '../boot/plan.ts'
import type { Guest } from '../guest/guest.ts'
import type { InstallSource } from '../services.ts'
import type { PlatformImages, Tree } from '../tree/tree.ts'
import type { NetworkContext } from './network-args.ts'

/** What the arguments of an installer are made from. */
export interface InstallerContext {
  readonly tree: Tree
  readonly images: PlatformImages
  readonly source: InstallSource
  readonly urls: ServerUrls
  /** URL of the answer file, when there is one; see `answerFileUrl`. */
  readonly answerFile?: string
  readonly guest?: Guest
  /** See `networkFor`. */
  readonly network?: InstallerNetwork
}

/** The network that a guest's configuration says, as its installer is told of it. */
export interface InstallerNetwork extends NetworkContext {
  readonly args: readonly KernelArg[]
}

export function optionalArg(key: string, value: string | undefined): KernelArg[] {
  return value === undefined ? [] : [{ key, value }]
}
