import { defined } from '../defined.ts'
import { canonicalArch } from '../tree/arch.ts'
import { mainPlatform } from '../tree/boot-files.ts'
import type { Description } from '../tree/description.ts'
import type { Tree } from '../tree/tree.ts'
import { codenameOf, compareVersions } from '../tree/version.ts'
import { type Distro, distroOf, installerOf } from './distro.ts'
import { distros, recordOf } from './families.ts'

/** The distributions whose archives have images for network boot at a known place. */
export const archiveDistros: readonly Distro[] = distros.filter((distro) => recordOf(distro).netboot)

/**
 * The initrds of debian-installer's discs: `install.amd/initrd.gz` of DVD and netinst, `install/initrd.gz` of
 * Ubuntu's. Those for a network boot lie below `netboot/` or `debian-installer/`.
 */
const discInitrd = /^install(?:\.[^/]+)?\/(?:(?:gtk|xen|e500mc|powerpc|powerpc64)\/)?initrd\.gz$/

/** Debian's names of architectures, by the canonical ones. */
const debianArchs: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armhfp: 'armhf',
  ppc64le: 'ppc64el',
}

/** Why a tree's installer cannot be booted from the network, and what can be. */
export interface CdInitrd {
  readonly distro: Distro
  readonly message: string
  readonly remedy: string
  /** The archive file with the matching images for network boot, where it is known. */
  readonly netbootUrl?: string
  /** The id of a ready tree with these images. */
  readonly netbootTree?: string
}

/** Where images for network boot are looked for first. */
export interface NetbootSources {
  /** By distribution, the URL of an archive that is nearer than the public one (`import.archives`). */
  readonly archives?: Readonly<Record<string, string>> | undefined
  /** The trees that are here. */
  readonly trees?: readonly Tree[]
}

/**
 * Says when a tree has only the initrd of a disc. debian-installer on a disc has no network drivers to begin with: it
 * looks for the disc in a drive, and over the network it stops at "No common CD-ROM drive was detected". It is right
 * for a guest that has the disc in its drive.
 */
export function cdInitrd(
  tree: Description,
  { archives = {}, trees = [] }: NetbootSources = {},
): CdInitrd | undefined {
  const initrd = initrdOfInstaller(tree)
  if (initrd === undefined || !discInitrd.test(initrd)) return undefined
  const distro = distroOf(tree)
  const netbootUrl = netbootUrlOf(
    distro,
    tree,
    Object.hasOwn(archives, distro) ? archives[distro] : undefined,
  )
  const netbootTree = netbootTreeOf(distro, tree, trees)
  const where =
    netbootUrl === undefined ? 'netboot.tar.gz of the same release' : `treeboot import ${netbootUrl}`
  return {
    distro,
    message: `${initrd} is the initrd of a disc: booted from the network, it stops at "No common CD-ROM drive was detected"`,
    remedy:
      netbootTree === undefined
        ? `for network boot, add the images that are made for it: ${where}`
        : `for network boot, use tree ${netbootTree}, which has the images that are made for it`,
    ...defined({ netbootUrl, netbootTree }),
  }
}

/** The trees with what the notes of a disc say about network boot, as it is with these sources. */
export function withNetbootRemedies(trees: readonly Tree[], sources: NetbootSources): readonly Tree[] {
  return trees.map((tree) => {
    const disc = cdInitrd(tree, sources)
    return disc ? { ...tree, netbootRemedy: disc.remedy } : tree
  })
}

/** The initrd of a tree that debian-installer is in. */
function initrdOfInstaller(tree: Description): string | undefined {
  const main = mainPlatform(tree)
  const { kernel, initrd } = (main !== undefined && tree.platforms[main]) || {}
  return installerOf(distroOf(tree), tree.version, kernel) === 'debian-installer' ? initrd : undefined
}

/** A ready tree of the same release that boots from the network. That which `import --with-netboot` makes comes first. */
function netbootTreeOf(distro: Distro, tree: Description, trees: readonly Tree[]): string | undefined {
  const suite = suiteOf(distro, tree)
  if (suite === undefined) return undefined
  const own = 'id' in tree ? `${tree.id}-netboot` : undefined
  return trees
    .filter((each) => {
      if (each.state !== 'ready' || distroOf(each) !== distro || suiteOf(distro, each) !== suite) return false
      const initrd = initrdOfInstaller(each)
      return (
        initrd !== undefined &&
        !discInitrd.test(initrd) &&
        canonicalArch(each.arch) === canonicalArch(tree.arch)
      )
    })
    .map(({ id }) => id)
    .sort((a, b) => Number(b === own) - Number(a === own))[0]
}

function suiteOf(distro: Distro, { version, codename }: Description): string | undefined {
  return recordOf(distro).netboot?.suite ?? codenameOf(distro, version) ?? codename?.toLowerCase()
}

function netbootUrlOf(distro: Distro, tree: Description, nearer: string | undefined): string | undefined {
  const { version, arch } = tree
  const { netboot } = recordOf(distro)
  const suite = suiteOf(distro, tree)
  const canonical = canonicalArch(arch)
  if (!netboot || suite === undefined || !/^[a-z-]+$/.test(suite)) return undefined
  if (netboot.archs && !netboot.archs.includes(canonical)) return undefined
  const isOld = netboot.old !== undefined && compareVersions(version, netboot.old.before) < 0
  const archive = nearer ?? (isOld ? netboot.old.archive : netboot.archive)
  return `${archive}/dists/${suite}/main/installer-${debianArchs[canonical] ?? canonical}/current/images/netboot/netboot.tar.gz`
}
