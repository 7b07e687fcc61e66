import type { ForeignKernel } from './kernel-arch.ts'
import type { Description, PlatformImages, TreeProblem } from './tree.ts'

/** Which files a boot needs. All paths are relative to the tree. */
export interface BootFiles {
  /**
   * Without these the tree cannot boot a guest of its own architecture: kernel and initrd of the main
   * platform.
   */
  readonly required: readonly string[]
  /**
   * Kernels and initrds of the other platforms: when one is missing, only its platform is not offered. Also
   * stage 2 and root file systems: a trimmed mirror may leave them to another server, so their absence is reported,
   * but does not stop a boot.
   */
  readonly optional: readonly string[]
}

/**
 * The platform of the tree's own architecture; else the first that names a kernel; undefined for a plain
 * repository.
 */
export function mainPlatform(description: Pick<Description, 'arch' | 'platforms'>): string | undefined {
  if (description.platforms[description.arch]?.kernel !== undefined) return description.arch
  return Object.keys(description.platforms).find((name) => description.platforms[name]?.kernel !== undefined)
}

/** The platforms that have a kernel and an initrd; none for a tree of packages only. */
export function bootablePlatforms({ platforms }: Pick<Description, 'platforms'>): readonly string[] {
  return Object.keys(platforms).filter((name) => {
    const images = platforms[name]
    return images?.kernel !== undefined && images.initrd !== undefined
  })
}

/** The root file system of a live system that lies beside its kernel, as those of CoreOS and Harvester do. */
export function rootfsOf({ others }: PlatformImages): string | undefined {
  return others.rootfs ?? Object.values(others).find((path) => path.includes('rootfs'))
}

export function bootFiles(description: Pick<Description, 'arch' | 'platforms' | 'stage2'>): BootFiles {
  const main = mainPlatform(description)
  const required = new Set<string>()
  const optional = new Set<string>()
  for (const [name, images] of Object.entries(description.platforms)) {
    for (const path of [images.kernel, images.initrd])
      if (path !== undefined) (name === main ? required : optional).add(path)
    const rootfs = rootfsOf(images)
    if (rootfs !== undefined) optional.add(rootfs)
  }
  // A repository without images may still name the stage 2 of its sibling tree; it boots nothing, so it needs
  // nothing.
  if (main !== undefined && description.stage2 !== undefined) optional.add(description.stage2)
  return { required: [...required], optional: [...optional].filter((path) => !required.has(path)) }
}

/**
 * Removes the platforms whose kernel or initrd is missing from a description, or whose kernel is for another
 * architecture, so that no guest is sent there. Trimmed mirrors often lack `images/xen/` while `.treeinfo` still names
 * it. The main platform stays: such a file of it makes the whole tree broken, and people want to see its name.
 */
export function dropMissingPlatforms(
  description: Pick<Description, 'arch' | 'platforms'>,
  isMissing: (path: string) => boolean,
  foreign: readonly ForeignKernel[] = [],
): { readonly platforms: Description['platforms']; readonly problems: readonly TreeProblem[] } {
  const main = mainPlatform(description)
  const platforms: Record<string, PlatformImages> = {}
  const problems: TreeProblem[] = []
  for (const [name, images] of Object.entries(description.platforms)) {
    const missing = [images.kernel, images.initrd].filter((path) => path !== undefined && isMissing(path))
    const other = foreign.find(({ platform }) => platform === name)
    const why =
      missing.length === 0
        ? other && `${other.path} ${other.message}`
        : `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing`
    if (name === main || why === undefined) platforms[name] = images
    else problems.push({ message: `platform ${name} is not offered: ${why}` })
  }
  return { platforms, problems }
}

/**
 * Files that the program which writes a disc patches after the checksums were made. With `-boot-info-table` xorriso
 * writes the disc's size and the image's place into the El Torito image (`isolinux.bin`, GRUB's `eltorito.img`); the
 * boot catalog exists only on the disc; remastered discs get another EFI image; and lists name each other. They boot
 * the disc itself: no installer fetches them, and no loader of ours.
 */
const patched = [
  /(?:^|\/)(?:isolinux|isolinux-debug)\.bin$/,
  /(?:^|\/)(?:eltorito|cdboot)\.img$/,
  /(?:^|\/)i386-pc\/[^/]+\.img$/,
  /(?:^|\/)(?:boot|isolinux)\.cat(?:alog)?$/,
  /(?:^|\/)boot_hybrid\.img$/,
  /(?:^|\/)efi(?:boot)?\.img$/,
  /(?:^|\/)boot\/[^/]+\/efi$/,
  /(?:^|\/)(?:sha(?:1|256|512)|md5)sums?(?:\.txt)?$/i,
]

/**
 * Whether mastering patches a file, so that a checksum which differs is no damage. Never a file that a boot from the
 * network needs.
 */
export function isPatchedByMastering(
  path: string,
  description: Pick<Description, 'arch' | 'platforms' | 'stage2'> | undefined,
): boolean {
  if (!patched.some((pattern) => pattern.test(path))) return false
  const needed = description && bootFiles(description)
  return !needed?.required.includes(path) && !needed?.optional.includes(path)
}
