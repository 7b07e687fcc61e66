import { defined } from '../defined.ts'
import { cdInitrd } from '../distro/cd-initrd.ts'
import { distroName, distroOf, parseDistro } from '../distro/distro.ts'
import { recordOf } from '../distro/families.ts'
import { bootImagesIn, stage2In } from '../distro/layouts.ts'
import { archIn, isKnownArch, sameArch, withoutArchs } from './arch.ts'
import { tryReadDescriptor } from './descriptors/descriptor.ts'
import { descriptorFormats } from './descriptors/formats.ts'
import { archByKernel, foreignKernels } from './kernel-arch.ts'
import type { Description, PlatformImages, TreeProblem } from './tree.ts'
import { codenameOf, versionOfCodename } from './version.ts'

/** Everything that was found of a tree: the only input of `concludeTree`. */
export interface TreeEvidence {
  /**
   * The path of the tree as people see it (`fedora/40/x86_64`). It is only a hint, used for what nothing else
   * tells.
   */
  readonly name: string
  /** Descriptors found: path relative to the tree -> bytes. */
  readonly descriptors: ReadonlyMap<string, Uint8Array>
  /**
   * Files that exist, by relative path -> size in bytes: every image that a descriptor names, and when no
   * descriptor names a kernel and initrd, all files of the folders that `isTellingFolder` names. A named
   * image that is absent here is missing.
   */
  readonly sizes: ReadonlyMap<string, number>
  /** Path of a kernel -> the architectures that its header leaves possible, see `kernelArchs`. */
  readonly kernels?: ReadonlyMap<string, readonly string[]>
  /** Newest modification among the descriptors and images. */
  readonly modifiedMs: number
  /** Whether the tree's own folder has one that `isPackageFolder` names; absent where nobody looked. */
  readonly hasPackages?: boolean
  /** What went wrong while gathering: a descriptor that is too large, a file that cannot be read. */
  readonly problems: readonly TreeProblem[]
}

/**
 * Joins what all descriptors of a tree say. The best one gives the era; the others fill its gaps. Undefined
 * when none can be read.
 */
export function readDescriptors(descriptors: ReadonlyMap<string, Uint8Array>): Description | undefined {
  const found: Description[] = []
  for (const format of descriptorFormats) {
    for (const path of format.paths) {
      const bytes = descriptors.get(path)
      const description = bytes && tryReadDescriptor(path, bytes, [format])
      if (!description) continue
      found.push(description)
      break
    }
  }
  return found.length === 0 ? undefined : found.reduce(fillGaps)
}

/**
 * Whether a description has all that a boot of its own arch needs, so that no other file must be examined.
 */
export function isComplete(description: Description): boolean {
  const { family, version, arch } = description
  const images = Object.hasOwn(description.platforms, arch) ? description.platforms[arch] : undefined
  return family !== '' && version !== '' && images?.kernel !== undefined && images.initrd !== undefined
}

/** The images of a description whose presence matters: kernels, initrds and second stages, each once. */
export function imagesOf(description: Description): string[] {
  const paths = new Set<string>()
  for (const images of Object.values(description.platforms))
    for (const path of [images.kernel, images.initrd]) if (path !== undefined) paths.add(path)
  for (const path of [description.stage2, description.instimage]) if (path !== undefined) paths.add(path)
  return [...paths]
}

/**
 * Makes one description of a tree from the evidence, with all faults in `problems`. Undefined when it is not
 * a tree: no descriptor can be read, and no kernel has its initrd beside it.
 */
export function concludeTree(evidence: TreeEvidence): Description | undefined {
  const described = readDescriptors(evidence.descriptors)
  if (described && isComplete(described)) return withFindings(described, evidence)
  const fromFiles = describeFiles(evidence, described?.arch ?? '')
  const description =
    described && fromFiles ? withImages(fillGaps(described, fromFiles), fromFiles) : (described ?? fromFiles)
  if (!description) return undefined
  return withFindings(completeNames(description), evidence)
}

function fillGaps(best: Description, other: Description): Description {
  const mayBeSameArch = best.arch === '' || other.arch === '' || sameArch(best.arch, other.arch)
  return {
    ...best,
    family: best.family || other.family,
    version: best.version || other.version,
    variant: best.variant || other.variant,
    arch: best.arch || other.arch,
    // Platforms of a lesser descriptor are added, never mixed into those of a better one.
    platforms: mayBeSameArch ? { ...other.platforms, ...best.platforms } : best.platforms,
    repositories: best.repositories.length > 0 ? best.repositories : other.repositories,
    checksums: { ...other.checksums, ...best.checksums },
    // `instimage` is left out: only `.treeinfo` names one, and that is always the best descriptor.
    ...defined({
      stage2: best.stage2 ?? other.stage2,
      timestamp: best.timestamp ?? other.timestamp,
      codename: best.codename ?? other.codename,
      disc: best.disc ?? other.disc,
    }),
    problems: [...best.problems, ...other.problems],
  }
}

/** Adds the kernel and initrd that were found, for each platform whose descriptor lacks one or both. */
function withImages(description: Description, fromFiles: Description): Description {
  const platforms = new Map<string, PlatformImages>(Object.entries(description.platforms))
  const problems: TreeProblem[] = []
  for (const [name, found] of Object.entries(fromFiles.platforms)) {
    const images = platforms.get(name)
    if (images?.kernel !== undefined && images.initrd !== undefined) continue
    if (images)
      problems.push({
        message: `${name} has no full pair in its descriptor; found ${found.kernel} and ${found.initrd}`,
      })
    platforms.set(name, { ...found, others: images?.others ?? {} })
  }
  return {
    ...description,
    platforms: Object.fromEntries(platforms),
    problems: [...description.problems, ...problems],
  }
}

/** A description from the files alone: from kernels and initrds in the places of a known layout. */
function describeFiles(evidence: TreeEvidence, describedArch: string): Description | undefined {
  const paths = [...evidence.sizes.keys()]
  const { arch, problem } = archByKernel({
    told: describedArch,
    hint: archIn(evidence.name) ?? '',
    paths,
    kernels: evidence.kernels ?? new Map(),
  })
  const images = bootImagesIn(paths, arch)
  const platforms = new Map(Object.entries(images.platforms))
  if (platforms.size === 0) return undefined
  const own = ownArch(platforms, arch || images.arch)
  const problems: TreeProblem[] = problem === undefined ? [] : [{ message: problem }]
  const nameless = platforms.get('') // the pair whose path tells no platform
  if (nameless) {
    platforms.delete('')
    platforms.set(own, nameless)
  }
  const stage2 = stage2In(paths)
  const name = withoutArchs(evidence.name)
  const hint = nameHint(name)
  return {
    era: 'files-only',
    family: images.family || hint.family,
    // The hint's version follows the name of a distribution: it counts only if the tree is of that one.
    version: images.family === '' || images.family === hint.family ? hint.version : versionIn(name),
    variant: '',
    arch: own,
    platforms: Object.fromEntries(platforms),
    ...defined({ stage2 }),
    repositories: [],
    checksums: {},
    problems,
  }
}

function ownArch(platforms: ReadonlyMap<string, PlatformImages>, wanted: string): string {
  if (wanted !== '') return wanted
  return [...platforms.keys()].find(isKnownArch) ?? ''
}

/** A distribution and version in the path of a tree, without its architecture: `fedora/40`, `alma-9.4`. */
function nameHint(name: string): { family: string; version: string } {
  const words = name.split(/[/_\s-]+/).filter((word) => word !== '')
  for (const [at, word] of words.entries()) {
    // `f` or `el` alone may mean anything; `f40` and `el9` are read.
    const distro = word.length > 2 ? parseDistro(word.replace(/[\d.]+$/, '')) : undefined
    if (distro && distro !== 'other' && !recordOf(distro).commonWord)
      return { family: distroName(distro), version: versionIn(words.slice(at).join(' ')) }
  }
  return { family: '', version: versionIn(name) }
}

function versionIn(text: string): string {
  for (const word of text.split(/[/_\s-]+/)) {
    // Two digits at most before a dot, so a date such as 20240210 is no version.
    if (/^[a-z]*\d{1,2}(\.\d+)*$/i.test(word) && !isKnownArch(word)) return word.replace(/^[a-z]+/i, '')
    if (versionOfCodename(word) !== undefined) return versionOfCodename(word) ?? ''
    if (/^(rawhide|tumbleweed|sid|testing|unstable|cauldron|eln)$/i.test(word)) return word
  }
  return ''
}

/** Adds version or code name where only the other is known, for distributions with both (12, `bookworm`). */
function completeNames(description: Description): Description {
  const distro = distroOf(description)
  if (!recordOf(distro).codenames) return description
  const version =
    description.version || (description.codename && versionOfCodename(description.codename)) || ''
  const codename = description.codename ?? codenameOf(distro, version)
  return { ...description, version, ...defined({ codename }) }
}

/** Adds problems: those of gathering come first, and missing or empty images last. */
function withFindings(description: Description, evidence: TreeEvidence): Description {
  const problems: TreeProblem[] = [...evidence.problems, ...description.problems]
  const own = Object.hasOwn(description.platforms, description.arch)
    ? description.platforms[description.arch]
    : undefined
  if (!own?.kernel || !own.initrd)
    problems.push({ message: `no kernel and initrd found for ${description.arch || 'any arch'}` })
  for (const { path, message } of foreignKernels(description, evidence.kernels ?? new Map()))
    problems.push({ file: path, message })
  for (const path of imagesOf(description)) {
    const size = evidence.sizes.get(path)
    if (size === undefined) problems.push({ message: `${path} is named, but missing` })
    else if (size === 0) problems.push({ message: `${path} is empty` })
  }
  const disc = cdInitrd(description)
  if (disc) problems.push({ message: `${disc.message}; ${disc.remedy}` })
  return { ...description, ...defined({ hasPackages: evidence.hasPackages }), problems }
}
