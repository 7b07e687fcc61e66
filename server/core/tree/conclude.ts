import { defined } from '../defined.ts'
import { cdInitrd } from '../distro/cd-initrd.ts'
import { distroOf } from '../distro/distro.ts'
import { areRelated, recordOf } from '../distro/families.ts'
import { bootImagesIn, stage2In } from '../distro/layouts.ts'
import { isKnownArch, sameArch } from './arch.ts'
import { type NeededFile, nameOnly, neededFileText } from './description.ts'
import { tryReadDescriptor } from './descriptors/descriptor.ts'
import { descriptorFormats } from './descriptors/formats.ts'
import { archByKernel, foreignKernels } from './kernel-arch.ts'
import { contradictions, isSameFamily, type Source } from './sources.ts'
import type { Description, PlatformImages, TreeProblem } from './tree.ts'
import { readTreeName } from './tree-name.ts'
import { codenameOf, versionOfCodename } from './version.ts'
import { type Identity, identifyVolume, type VolumeIds } from './volume-ids.ts'

/** Everything that was found of a tree: the only input of `concludeTree`. */
export interface TreeEvidence {
  /**
   * The path of the tree as people see it (`fedora/40/x86_64`). It is only a hint, used for what nothing else
   * tells.
   */
  readonly name: string
  /** What the volume descriptor says of the disc; undefined for a tree that does not lie in an image. */
  readonly volume?: VolumeIds | undefined
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
  /** The file that the installer needs and that is not there. */
  readonly missing?: NeededFile
  /** What went wrong while gathering: a descriptor that is too large, a file that cannot be read. */
  readonly problems: readonly TreeProblem[]
}

/**
 * Joins what all descriptors of a tree say. The best one gives the era; the others fill its gaps. Undefined
 * when none can be read.
 */
export function readDescriptors(descriptors: ReadonlyMap<string, Uint8Array>): Description | undefined {
  const found = readEachDescriptor(descriptors).map(({ description }) => description)
  return found.length === 0 ? undefined : found.reduce(fillGaps)
}

interface DescribedBy {
  readonly path: string
  readonly description: Description
}

/** What each descriptor of a tree says, best first: of each format the first file that can be read. */
function readEachDescriptor(descriptors: ReadonlyMap<string, Uint8Array>): DescribedBy[] {
  return descriptorFormats.flatMap((format) => {
    for (const path of format.paths) {
      const bytes = descriptors.get(path)
      const description = bytes && tryReadDescriptor(path, bytes, [format])
      if (description) return [{ path, description }]
    }
    return []
  })
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
 * What each source says of a tree, best first: its descriptors, the volume descriptor of the disc it lies on, and its
 * name.
 */
export function sourcesOf(evidence: TreeEvidence): readonly Source[] {
  return sourcesAmong(evidence, readEachDescriptor(evidence.descriptors), discOf(evidence))
}

function sourcesAmong(
  { name, volume }: TreeEvidence,
  described: readonly DescribedBy[],
  disc: Identity | undefined,
): readonly Source[] {
  const identifiers = volume ? [volume.volume, volume.publisher, volume.application] : []
  return [
    ...described.map(({ path, description }) => sourceOf(path, description)),
    // Also shown when no rule knows it.
    { ...sourceOf('volume descriptor', disc ?? unsaid), text: identifiers.filter(Boolean).join(' | ') },
    sourceOf('name', readTreeName(name)),
  ].filter(({ family, version, arch, text }) => [family, version, arch, text].some(Boolean))
}

const unsaid: Identity = { family: '', version: '', variant: '', arch: '' }

function sourceOf(origin: string, { family, version, variant, arch }: Identity): Source {
  return { origin, family, version, variant, arch, text: '' }
}

/**
 * What the volume descriptor says. Where no rule knows it, its identifier is read as a name is. A single digit in it
 * may count the discs.
 */
function discOf({ volume }: TreeEvidence): Identity | undefined {
  if (!volume) return undefined
  const known = identifyVolume(volume)
  if (known) return known
  const named = readTreeName(volume.volume.replaceAll('/', ' '))
  if (named.family === '') return undefined
  return { ...named, version: /^\d$/.test(named.version) ? '' : named.version }
}

/**
 * Makes one description of a tree from the evidence, with all faults in `problems`. Undefined when it is not
 * a tree: no descriptor can be read, no rule knows its volume descriptor, and no kernel has its initrd beside it.
 */
export function concludeTree(evidence: TreeEvidence): Description | undefined {
  const each = readEachDescriptor(evidence.descriptors)
  const described =
    each.length === 0 ? undefined : each.map(({ description }) => description).reduce(fillGaps)
  const disc = discOf(evidence)
  const known = withVolume(described, disc)
  const problems = [...evidence.problems, ...contradictions(sourcesAmong(evidence, each, disc))]
  const withNotes = { ...evidence, problems }
  if (known && isComplete(known)) return withFindings(known, withNotes)
  const toldArch = described?.arch ?? ''
  const fromFiles = describeFiles(evidence, known, toldArch)
  // `describeFiles` has weighed what else names an arch.
  const names = known && fromFiles && toldArch === '' ? { ...known, arch: '' } : known
  const description =
    names && fromFiles
      ? withImages(fillGaps(names, fromFiles), fromFiles)
      : (withName(names, evidence) ?? fromFiles)
  if (!description) return undefined
  // A disc that is no tree may be called anything: without boot files, only a descriptor that a rule knows counts.
  if (!described && !fromFiles && !(evidence.volume && identifyVolume(evidence.volume))) return undefined
  return withFindings(completeNames(description), withNotes)
}

/** Adds what only the volume descriptor says, if it does not speak of another distribution. */
function withVolume(
  described: Description | undefined,
  volume: Identity | undefined,
): Description | undefined {
  if (!volume) return described
  const disc = nameOnly('volume-descriptor', volume)
  if (!described) return disc
  return described.family === '' || isSameFamily(described, volume) ? fillGaps(described, disc) : described
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
    platforms.set(name, { ...found, others: { ...found.others, ...images?.others } })
  }
  return {
    ...description,
    platforms: Object.fromEntries(platforms),
    problems: [...description.problems, ...problems],
  }
}

/** Adds the version of the tree's name to what the volume descriptor alone says of a disc without boot files. */
function withName(known: Description | undefined, { name }: TreeEvidence): Description | undefined {
  if (known?.era !== 'volume-descriptor' || known.version !== '') return known
  return { ...known, version: namesFrom('', readTreeName(name), known).version }
}

/**
 * A description from the files alone: from kernels and initrds in the places of a known layout.
 *
 * @param known What better sources say.
 * @param toldArch The arch that a descriptor says. Files in the place of another one win over a volume descriptor and
 *   a name, but not over a descriptor.
 */
function describeFiles(
  evidence: TreeEvidence,
  known: Description | undefined,
  toldArch: string,
): Description | undefined {
  const name = readTreeName(evidence.name)
  const paths = [...evidence.sizes.keys()]
  const { arch, problem } = archByKernel({
    told: toldArch,
    hint: known?.arch || name.arch,
    hintFrom: known?.arch ? 'the volume descriptor' : 'the name',
    paths,
    kernels: evidence.kernels ?? new Map(),
  })
  const images = bootImagesIn(paths, arch)
  const platforms = new Map(Object.entries(images.platforms))
  if (platforms.size === 0) return undefined
  const isOther = toldArch === '' && arch !== '' && images.arch !== '' && !platforms.has(arch)
  const own = ownArch(platforms, isOther ? images.arch : arch || images.arch)
  const problems: TreeProblem[] = problem === undefined ? [] : [{ message: problem }]
  if (isOther)
    problems.push({
      message: `the kernel lies in a place for ${own}, but ${known?.arch ? 'the volume descriptor' : 'the name'} says ${arch}; ${own} is taken`,
    })
  const nameless = platforms.get('') // the pair whose path tells no platform
  if (nameless) {
    platforms.delete('')
    platforms.set(own, nameless)
  }
  const stage2 = stage2In(paths)
  const { family, version } = namesFrom(images.family, name, known)
  return {
    era: 'files-only',
    family,
    version,
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

/**
 * Family and version as layout and name tell them. Distributions of one family share its layouts, so the name may
 * say which of them it is: `linuxmint-21` with the layout of Ubuntu. The version of a name that is of another
 * distribution does not count.
 */
function namesFrom(
  layoutFamily: string,
  name: Identity,
  known: Description | undefined,
): { readonly family: string; readonly version: string } {
  const layout: Identity = { ...unsaid, family: layoutFamily }
  const isNamed = name.family !== '' && (layoutFamily === '' || areRelated(distroOf(name), distroOf(layout)))
  const family = isNamed ? name.family : layoutFamily
  const final = { ...name, family: known?.family || family }
  return { family, version: name.family === '' || isSameFamily(name, final) ? name.version : '' }
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
  if (disc) problems.push({ message: disc.message })
  const { hasPackages, missing } = evidence
  // The second stage that a descriptor names was told above.
  if (missing && !imagesOf(description).some((path) => missing.anyOf.includes(path)))
    problems.push({ message: `it lacks its ${missing.what}: ${neededFileText(missing)}` })
  return { ...description, ...defined({ hasPackages, missing }), problems }
}
