/** What a descriptor says of a tree, in one shape for all formats, and what a descriptor format is. */

/**
 * The format of the descriptor that a description was read from. `treeinfo-0.0` is the form without
 * `[header]`.
 */
export type DescriptorEra =
  | 'treeinfo-0.0'
  | 'treeinfo-0.3'
  | 'treeinfo-1.0'
  | 'treeinfo-1.1'
  | 'treeinfo-1.2'
  | 'discinfo'
  | 'disk-info'
  | 'suse-content'
  | 'suse-media'
  | 'manifest'
  | 'mageia-version'
  | 'version-info'
  | 'volume-descriptor'
  | 'files-only'

/**
 * The images that boot one platform (`x86_64`, `xen`, `ppc64`, `lpae`, ...). Paths are relative to the tree.
 */
export interface PlatformImages {
  readonly kernel?: string
  readonly initrd?: string
  /** Everything else that the section names: boot.iso, efiboot.img, dtb directories, ... by its key. */
  readonly others: Readonly<Record<string, string>>
}

/** A package repository of a tree. */
export interface Repository {
  /** Id of the variant or add-on as the descriptor spells it; '' for a repository without one. */
  readonly id: string
  readonly name: string
  /** The `type` of its variant; `repository` when the descriptor has no section for variants. */
  readonly kind: 'variant' | 'optional' | 'addon' | 'module' | 'repository'
  /**
   * The folder that holds `repodata/`, relative to the tree: `.` is the tree, `../../../AppStream/x86_64/os`
   * a sibling.
   */
  readonly path: string
}

export type DigestAlgorithm = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'

export interface Digest {
  readonly algorithm: DigestAlgorithm
  /** Lower-case hex. */
  readonly hex: string
}

/** A fault in a descriptor or a tree that does not prevent reading the tree. */
export interface TreeProblem {
  /** Line in the descriptor, from 1. */
  readonly line?: number
  /** The file with the problem, relative to the tree. */
  readonly file?: string
  readonly message: string
}

/** A file that an initrd fetches to go on: the second stage of an installer, the rest of a live system. */
export interface NeededFile {
  /** `second stage`, `live system` */
  readonly what: string
  /** Paths relative to the tree: one of these is enough. */
  readonly anyOf: readonly string[]
  /** A folder in which any file of such a name is enough. `shown` is the name for people: `*.squashfs`. */
  readonly folder?: { readonly path: string; readonly name: RegExp; readonly shown: string }
}

/** The file by its path, for people: `images/install.img or LiveOS/squashfs.img`. */
export function neededFileText({ anyOf, folder }: NeededFile): string {
  return [...anyOf, ...(folder ? [`${folder.path}/${folder.shown}`] : [])].join(' or ')
}

/** Why an initrd goes no further, of the tree that has not the file. */
export function lackText(file: NeededFile): string {
  return `it lacks its ${file.what} (${neededFileText(file)})`
}

/** What descriptors say of a tree. It has not been compared with the tree's files yet. */
export interface Description {
  readonly era: DescriptorEra
  /** These four are as the descriptor spells them; '' for what it does not say. */
  readonly family: string
  readonly version: string
  readonly variant: string
  readonly arch: string
  readonly platforms: Readonly<Record<string, PlatformImages>>
  /** Second-stage image relative to the tree: `images/install.img`, `LiveOS/squashfs.img`. */
  readonly stage2?: string
  /** A further second-stage image, named by the key `instimage` of old trees. */
  readonly instimage?: string
  readonly repositories: readonly Repository[]
  /**
   * Whether folders beside the images may hold packages. Looked for only where no descriptor names repositories.
   */
  readonly hasPackages?: boolean
  /** The file that its installer needs and that is not there; absent also where nobody looked. */
  readonly missing?: NeededFile
  /** Path relative to the tree -> digest. */
  readonly checksums: Readonly<Record<string, Digest>>
  /** Seconds since 1970, when the descriptor tells. */
  readonly timestamp?: number
  /** Which disc of a set the tree was on. */
  readonly disc?: { readonly number: number; readonly total: number }
  /** Release code name (Debian `bookworm`), when the descriptor tells. */
  readonly codename?: string
  readonly problems: readonly TreeProblem[]
}

/**
 * Reads the text of one descriptor. `file` is its path relative to the tree. Undefined when the text has
 * another format. A reader never throws.
 */
export type DescriptorReader = (file: string, text: string) => Description | undefined

/** One format of descriptors: `descriptors/formats.ts` lists all of them. */
export interface DescriptorFormat {
  /** The name in messages and documentation. */
  readonly name: string
  /** What `Description.era` says of such a file. */
  readonly eras: readonly DescriptorEra[]
  /** The paths at which a tree can have such a file, in the order in which clients ask for them. */
  readonly paths: readonly string[]
  /** A longer file is not read. */
  readonly maxBytes: number
  readonly read: DescriptorReader
  /** Whether the name alone is the sign of a tree. A file called `content` or `VERSION` may be anything. */
  readonly telling: boolean
  /**
   * Whether virt-install and other clients of libvirt find kernel and initrd by this descriptor. If not, a
   * `.treeinfo` is made for them.
   */
  readonly virtInstallFindsImages: boolean
}

/** A description with names alone, for formats that say only what the tree is. */
export function nameOnly(
  era: DescriptorEra,
  names: Pick<Description, 'family' | 'version'> & { readonly variant?: string; readonly arch?: string },
): Description {
  const { family, version, variant = '', arch = '' } = names
  return { era, family, version, variant, arch, platforms: {}, repositories: [], checksums: {}, problems: [] }
}
