import { bootImagesIn } from '../distro/layouts.ts'
import { canonicalArch, isKnownArch } from './arch.ts'
import type { Description } from './description.ts'

/** A kernel whose header says another architecture than the tree says of its platform. */
export interface ForeignKernel {
  readonly platform: string
  readonly path: string
  readonly message: string
}

/**
 * The kernels of a tree that are for another architecture than the tree says.
 *
 * @param kernels Path of a kernel -> what `kernelArchs` found in it.
 */
export function foreignKernels(
  { arch, platforms }: Pick<Description, 'arch' | 'platforms'>,
  kernels: ReadonlyMap<string, readonly string[]>,
): ForeignKernel[] {
  return Object.entries(platforms).flatMap(([platform, { kernel: path = '' }]) => {
    const archs = kernels.get(path) ?? []
    const told = archOfPlatform(platform, arch)
    if (archs.length === 0 || told === '' || fitsKernel(told, archs)) return []
    const message = `is a kernel for ${archs.join(' or ')}, and the tree says ${told}`
    return [{ platform, path, message }]
  })
}

/** Whether a kernel that is for one of `archs` runs on a machine of `arch`. */
export function fitsKernel(arch: string, archs: readonly string[]): boolean {
  // x86_64_v2 and v3 are processors of x86_64.
  return archs.includes(canonicalArch(arch).replace(/_v\d$/, ''))
}

/** What an operator can do about a tree whose architecture nothing tells. */
export const howToTellArch = 'put it into the name of the tree, as in fedora-40-x86_64'

/** What `archByKernel` weighs. */
export interface ArchSources {
  /** What a descriptor says; '' when none does. */
  readonly told: string
  /** What a name or a volume descriptor says; '' when none does. */
  readonly hint: string
  /** Which of the two, for messages. */
  readonly hintFrom: string
  /** All paths of the tree that were found. */
  readonly paths: readonly string[]
  /** Path of a kernel -> what `kernelArchs` found in it. */
  readonly kernels: ReadonlyMap<string, readonly string[]>
}

/**
 * The arch of a tree whose kernel lies where its path does not tell one. A descriptor's word counts, also when it is
 * wrong: `foreignKernels` says so. A name is a hint, and the kernel's own header is better; '' when nothing tells.
 */
export function archByKernel({ told, hint, hintFrom, paths, kernels }: ArchSources): {
  arch: string
  problem?: string
} {
  if (told !== '') return { arch: told }
  const found = bootImagesIn(paths, '')
  const nameless = found.platforms['']?.kernel
  if (nameless === undefined) return { arch: hint || littleEndian(found, kernels) }
  const archs = kernels.get(nameless) ?? []
  if (hint !== '' && (archs.length === 0 || fitsKernel(hint, archs))) return { arch: hint }
  const [arch, other] = archs
  const one = arch !== undefined && other === undefined ? arch : ''
  if (hint === '' && one !== '') return { arch: one }
  const header = archs.length === 0 ? 'its header does not' : `its header says ${archs.join(' or ')}`
  if (hint !== '')
    return { arch: one, problem: `${nameless}: ${hintFrom} says ${hint}, and ${header}, which counts` }
  return {
    arch: '',
    problem: `nothing tells the architecture of ${nameless} (${header}): ${howToTellArch}`,
  }
}

/** Little-endian POWER kept the folder `ppc/ppc64` of its predecessor: the header tells which it is. */
function littleEndian(
  { platforms }: { readonly platforms: Description['platforms'] },
  kernels: ArchSources['kernels'],
): string {
  const archs = kernels.get(platforms.ppc64?.kernel ?? '') ?? []
  return archs.includes('ppc64le') ? 'ppc64le' : ''
}

/** The arch that a platform is for: its own name, or that of the tree for `xen` and the like. */
export function archOfPlatform(platform: string, treeArch: string): string {
  if (platform === 'lpae') return 'armhfp'
  const own = canonicalArch(platform)
  // Trees of little-endian POWER may call their images those of big-endian POWER.
  if (own === 'ppc64' && canonicalArch(treeArch) === 'ppc64le') return 'ppc64le'
  return isKnownArch(own) ? own : canonicalArch(treeArch)
}
