import type { HeldOut } from './held-out.ts'
import { beforeKernel } from './held-out-before-kernel.ts'
import { goodBoots } from './held-out-good.ts'
import { installers } from './held-out-installers.ts'
import { ofKernels } from './held-out-kernels.ts'

/** Those whose name begins with `good` are boots in which nothing is wrong. */
export const heldOutScenarios: readonly HeldOut[] = [
  ...beforeKernel,
  ...ofKernels,
  ...installers,
  ...goodBoots,
]
