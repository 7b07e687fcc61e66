import type { DescriptorFormat, NeededFile } from '../tree/description.ts'
import type { OsinfoNames } from './osinfo.ts'

/**
 * All that treeboot knows of one distribution. `families.ts` lists all records, and every list that names
 * distributions is made from them: names and aliases, layouts, code names, loaders on disks, kernel limits.
 *
 * A record is plain data and small functions. It imports nothing that needs the list of records.
 */
export interface DistroRecord {
  /** The name as people write it: `AlmaLinux`. */
  readonly name: string
  /** Other names that people type: lower case, without spaces, dashes and underscores. */
  readonly aliases?: readonly string[]
  /**
   * Matches the family in its descriptors, in lower case. The first record of the list that matches is taken.
   */
  readonly family: RegExp
  /**
   * Rules for trees whose descriptor names this family, but which are another distribution (Fedora ELN). The
   * first rule that fits counts.
   */
  readonly exceptions?: readonly DistroException[]
  /** Other distributions that its name also means in a selection: `sle` also means SLES and SLED. */
  readonly covers?: readonly string[]
  /** Its name is a common word, so a folder of that name is no sign of this distribution. */
  readonly commonWord?: true
  /** Which installer its trees start: one name, or the first rule that fits. */
  readonly installer: InstallerName | readonly InstallerRule[]
  /** Kernel arguments for a live system: they tell its initrd where to fetch the rest of the system. */
  readonly bootArgs?: (tree: BootTree) => readonly BootArg[]
  /** The version since which anaconda's arguments begin with `inst.`. Enterprise Linux 7 unless given. */
  readonly instPrefixSince?: `${number}` | 'always' | 'never'
  /** The file that a live system with `bootArgs` fetches, by the path of its kernel. */
  readonly needs?: (kernel: string) => NeededFile | undefined
  /**
   * For a live system with `bootArgs`: the keys of arguments by which a guest names another place for the file that it
   * needs, the usual one first.
   */
  readonly fileKeys?: readonly [string, ...string[]]
  /** For a live system with `bootArgs` that takes its packages from a repository: see `RepositoryArg`. */
  readonly repository?: RepositoryArg
  /** The versions since which kernels take a long command line. Those of Enterprise Linux unless given. */
  readonly longCmdlineSince?: LongCmdlineSince
  /** Code name -> version. */
  readonly codenames?: Readonly<Record<string, string>>
  /**
   * Rolling releases, by name in lower case. The number, from 1 to 5 for the newest, orders them: testing 3
   * before sid 5; 1 is a finished release under a name (`stable`), all others are under development. Every one is newer
   * than any numbered release, and yet a selection prefers a finished one.
   */
  readonly rolling?: Readonly<Record<string, number>>
  /** What osinfo-db calls its versions, oldest first. */
  readonly osinfo?: OsinfoNames
  /** The folder below `EFI/` in which its installed systems keep their loader. */
  readonly efi?: EfiFolder
  /** The template of `kickstart-templates/` for its guests; by installer, where several versions have different ones. */
  readonly template?: string | Readonly<Partial<Record<InstallerName, string>>>
  /** Where its archive has debian-installer's images for network boot. */
  readonly netboot?: NetbootArchive
}

/** The images lie in `<archive>/dists/<suite>/main/installer-<arch>/current/images/netboot/netboot.tar.gz`. */
export interface NetbootArchive {
  /** URL of the archive, without a slash at the end. */
  readonly archive: string
  /** Left out: the code name of the tree. */
  readonly suite?: string
  /** Its architectures, canonical. Left out: all. */
  readonly archs?: readonly string[]
  /** Where the releases before a version were moved to. */
  readonly old?: { readonly before: string; readonly archive: string }
}

/** Distributions that are released, named or laid out together. */
export interface Family {
  /** The records by id, as `distro:` of config.yaml names it. */
  readonly distros: Readonly<Record<string, DistroRecord>>
  /** Where its trees keep kernel and initrd, most specific first. */
  readonly layouts?: readonly Layout[]
  /**
   * Names of folders to search for kernels: each one on the way to a kernel. Folders named after an
   * architecture are always searched.
   */
  readonly folders?: readonly string[]
  /** Such folders whose names have a part that varies. It matches whole names. */
  readonly folderNames?: RegExp
  /** File names of kernels, where they are not the usual ones (`vmlinuz`, `linux`, ...). */
  readonly kernelNames?: RegExp
  /** Paths of the second stage in trees without a descriptor, best first. An expression matches a whole path. */
  readonly stage2?: readonly (string | RegExp)[]
  /** Descriptor formats of this family alone. */
  readonly descriptors?: readonly DescriptorFormat[]
}

/** A rule by which a tree is another distribution. It fits when all conditions that it has hold. */
export interface DistroException {
  /** The id of the distribution that such a tree is. */
  readonly distro: string
  /** Matches the version, in lower case. */
  readonly version?: RegExp
  readonly variant?: RegExp
  /** This version and all after it. */
  readonly since?: string
}

/** The arguments without which an installer has no packages. */
export interface RepositoryArg {
  /** Their keys: a guest with any of them says itself where its packages are. */
  readonly keys: readonly [string, ...string[]]
  /** What an operator can write: `alpine_repo=http://MIRROR/alpine/vVERSION/main`. */
  readonly example: string
}

/** The installers that treeboot can start: `installers.ts` has their arguments. */
export type InstallerName =
  | 'anaconda'
  | 'debian-installer'
  | 'subiquity'
  | 'autoyast'
  | 'agama'
  | 'drakx'
  | 'coreos'
  | 'casper'
  | 'live-boot'
  | 'dmsquash-live'
  | 'unknown'

/** A rule by which a tree starts an installer. It fits when all conditions that it has hold. */
export interface InstallerRule {
  readonly installer: InstallerName
  /** Matches the path of the kernel; a tree without a known kernel does not match. */
  readonly kernel?: RegExp
  readonly version?: RegExp
  /** This version and all after it. */
  readonly since?: string
}

/** The tree and the answer file that `bootArgs` makes arguments from. */
export interface BootTree {
  /** The kernel's path in the tree; '' when unknown. */
  readonly kernel: string
  /** URL of the tree over HTTP, without a slash at the end. */
  readonly url: string
  /** URL of a file of the tree, by its path. */
  readonly fileUrl: (path: string) => string
  /** Whether it may have packages: nobody knows of none. */
  readonly hasPackages: boolean
  /** URL of the guest's answer file, when it has one. */
  readonly answerFile: string | undefined
}

/**
 * A kernel argument, like `KernelArg` of core/boot/plan.ts. That file needs the list of records, so a record
 * cannot import it.
 */
export interface BootArg {
  readonly key: string
  readonly value?: string
}

/**
 * The first versions whose kernels take a long command line. Kernels before them take 512 bytes on POWER and
 * 896 on s390.
 */
export interface LongCmdlineSince {
  readonly ppc: string
  readonly s390: string
}

/** Where the installed systems of one distribution keep their loaders, and how those get there. */
export interface EfiFolder {
  /** Its name below `EFI/`. */
  readonly folder: string
  /**
   * Its first loader, where Secure Boot is supported. `$cpu` stands for UEFI's name of the processor (`x64`, `aa64`).
   * Without one, and where the installer was told so, the first loader is `grub$cpu.efi`.
   */
  readonly shim?: 'shim$cpu.efi' | 'shim.efi'
  /** Its packages of shim and GRUB put the files straight into `/boot/efi/EFI/<folder>` of the host. */
  readonly packaged?: true
}

/** A place in trees where kernel and initrd are. */
export interface Layout {
  /**
   * Matches the path of the kernel. Groups: `arch` is the architecture of kernel and initrd; `of` is, on a
   * disc for several architectures, the one that this pair of a platform such as `xen` is for; `v` is a part
   * of the name that kernel and initrd share.
   */
  readonly kernel: RegExp
  /**
   * Names of the initrd in the kernel's folder, best first. `$v` and `$arch` stand for the kernel's groups. A name
   * with a slash in front is a path from the tree's own folder.
   */
  readonly initrds: readonly string[]
  /** Further files of the platform, in the form of `initrds`: those that are there are named by their key. */
  readonly others?: Readonly<Record<string, string>>
  /** The platform of the pair when `kernel` has no group `arch`. Left out: the architecture of the tree. */
  readonly platform?: string
  /** What `Description.family` says of such trees; absent when several families have them. */
  readonly family?: string
}
