import { parseKernelArgs } from '../boot/kernel-args.ts'
import type { KernelArg } from '../boot/plan.ts'
import type { Guest } from '../guest/guest.ts'
import { isWithoutPackages } from '../kickstart/packages.ts'
import { lackText } from '../tree/description.ts'
import { recordOf } from './families.ts'
import type { InstallerContext } from './installer-context.ts'
import type { RepositoryArg } from './record.ts'

/**
 * Why an installer could only fail with our arguments alone: what it would fetch is not in the tree. An argument of the
 * guest that names another place, or takes ours away, settles that.
 */

/** Whether a guest has one of these arguments of its own, or removes ours. */
export function saysItself(guest: Guest | undefined, keys: readonly string[]): boolean {
  const { args = [], removals = [] } = guest?.settings ?? {}
  const own = args.flatMap(({ value }) => parseKernelArgs(value))
  const removed = removals.flatMap(({ value }) => parseKernelArgs(value.slice(1)))
  return [...own, ...removed].some(({ key }) => keys.includes(key))
}

/** The file that the initrd would fetch from the tree is not there. */
export function whyNoFile(
  keys: readonly [string, ...string[]],
): (context: InstallerContext) => string | undefined {
  const [key] = keys
  return ({ tree, guest }) => {
    const { missing } = tree
    if (!missing || saysItself(guest, keys)) return undefined
    return `${lackText(missing)}: copy that file into the tree, or name another place in args, "${key}=..."`
  }
}

/** The installer would take its packages from the tree, and the tree has none. */
export function whyNoRepository(arg: RepositoryArg): (context: InstallerContext) => string | undefined {
  return ({ tree, guest }) =>
    !isWithoutPackages(tree) || saysItself(guest, arg.keys) ? undefined : noRepository(arg)
}

/** A live system whose arguments are those of its record. `ours`: those arguments. */
export function whyNoRecorded(context: InstallerContext, ours: readonly KernelArg[]): string | undefined {
  const { fileKeys, repository } = recordOf(context.tree.distro)
  if (ours.length === 0) return undefined
  const noFile = fileKeys && whyNoFile(fileKeys)(context)
  if (noFile !== undefined || !repository) return noFile
  const isSaid =
    ours.some(({ key }) => key === repository.keys[0]) || saysItself(context.guest, repository.keys)
  return isSaid ? undefined : noRepository(repository)
}

function noRepository({ example }: RepositoryArg): string {
  return `it has no packages, and its installer would look for them there: take a tree with packages, or name one in args, "${example}"`
}
