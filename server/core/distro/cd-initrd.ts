import { canonicalArch } from '../tree/arch.ts'
import { mainPlatform } from '../tree/boot-files.ts'
import type { Description } from '../tree/description.ts'
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
}

/**
 * Says when a tree has only the initrd of a disc. debian-installer on a disc has no network drivers to begin with: it
 * looks for the disc in a drive, and over the network it stops at "No common CD-ROM drive was detected". It is right
 * for a guest that has the disc in its drive.
 *
 * @param archives By distribution, the URL of an archive that is nearer than the public one.
 */
export function cdInitrd(
  tree: Description,
  archives: Readonly<Record<string, string>> = {},
): CdInitrd | undefined {
  const main = mainPlatform(tree)
  const { kernel, initrd } = (main !== undefined && tree.platforms[main]) || {}
  const distro = distroOf(tree)
  if (initrd === undefined || !discInitrd.test(initrd)) return undefined
  if (installerOf(distro, tree.version, kernel) !== 'debian-installer') return undefined
  const netbootUrl = netbootUrlOf(
    distro,
    tree,
    Object.hasOwn(archives, distro) ? archives[distro] : undefined,
  )
  const where =
    netbootUrl === undefined ? 'netboot.tar.gz of the same release' : `treeboot import ${netbootUrl}`
  return {
    distro,
    message: `${initrd} is the initrd of a disc: booted from the network, it stops at "No common CD-ROM drive was detected"`,
    remedy: `for network boot, add the images that are made for it: ${where}`,
    ...(netbootUrl !== undefined && { netbootUrl }),
  }
}

function netbootUrlOf(
  distro: Distro,
  { version, codename, arch }: Description,
  nearer: string | undefined,
): string | undefined {
  const { netboot } = recordOf(distro)
  const suite = netboot?.suite ?? codenameOf(distro, version) ?? codename?.toLowerCase()
  const canonical = canonicalArch(arch)
  if (!netboot || suite === undefined || !/^[a-z-]+$/.test(suite)) return undefined
  if (netboot.archs && !netboot.archs.includes(canonical)) return undefined
  const isOld = netboot.old !== undefined && compareVersions(version, netboot.old.before) < 0
  const archive = nearer ?? (isOld ? netboot.old.archive : netboot.archive)
  return `${archive}/dists/${suite}/main/installer-${debianArchs[canonical] ?? canonical}/current/images/netboot/netboot.tar.gz`
}
