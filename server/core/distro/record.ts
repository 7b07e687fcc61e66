import type { DescriptorFormat } from '../tree/description.ts'

/**
 * What treeboot knows of a distribution is one record, and `families.ts` lists all records. Every list that
 * names distributions is made from them: names and aliases, layouts, code names, loaders on disks, kernel
 * limits.
 *
 * A record is plain data and small functions. It imports nothing that needs the list itself.
 */
export interface DistroRecord {
  /** As people write it. */
  readonly name: string
  /** Other names that people type: lower case, without spaces, dashes and underscores. */
  readonly aliases?: readonly string[]
  /** The family in its descriptors, lower case. The first record of the list that matches is taken. */
  readonly family: RegExp
  /**
   * Trees whose descriptor has this family and that are another distribution all the same; the first rule
   * counts.
   */
  readonly exceptions?: readonly DistroException[]
  /** Other distributions that its name means as well in a selection: `sle` also means SLES and SLED. */
  readonly covers?: readonly string[]
  /** Its name is a common word, so a folder of that name does not tell what lies in it. */
  readonly commonWord?: true
  /** Which installer its trees start: one name, or the first rule that fits. */
  readonly installer: InstallerName | readonly InstallerRule[]
  /**
   * Kernel arguments of a system without an answer-file installer, which still must find the rest of itself.
   */
  readonly bootArgs?: (tree: BootTree) => readonly BootArg[]
  /** The version since which anaconda's arguments begin with `inst.`. Enterprise Linux 7 unless given. */
  readonly instPrefixSince?: `${number}` | 'always' | 'never'
  /** The versions since which kernels take a long command line. Those of Enterprise Linux unless given. */
  readonly longCmdlineSince?: LongCmdlineSince
  /** Code name -> version. */
  readonly codenames?: Readonly<Record<string, string>>
  /** Names of versions without an end, lower case -> how far ahead of numbered releases they are, from 1. */
  readonly rolling?: Readonly<Record<string, number>>
  /** The folder below `EFI/` in which its installed systems keep their loader. */
  readonly efi?: EfiFolder
  /** The template of `kickstart-templates/` to begin with. */
  readonly template?: string
}

/** Distributions that are released, named or laid out together. */
export interface Family {
  /** By id, as in `distro:` of config.yaml. */
  readonly distros: Readonly<Record<string, DistroRecord>>
  /** Where its trees keep kernel and initrd, most telling first. */
  readonly layouts?: readonly Layout[]
  /** Folders to look into for kernels, by name. Folders named by an architecture count anyway. */
  readonly folders?: readonly string[]
  /** File names of kernels, where they are not the usual ones (`vmlinuz`, `linux`, ...). */
  readonly kernelNames?: RegExp
  /** Second stages of trees without a descriptor, most telling first. */
  readonly stage2?: readonly string[]
  /** Descriptor formats of this family alone. */
  readonly descriptors?: readonly DescriptorFormat[]
}

/** Every condition that is given must hold. */
export interface DistroException {
  /** The id of the distribution that it is. */
  readonly distro: string
  /** Of the version, in lower case. */
  readonly version?: RegExp
  readonly variant?: RegExp
  /** This version and all after it. */
  readonly since?: string
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
  | 'unknown'

/** Every condition that is given must hold. */
export interface InstallerRule {
  readonly installer: InstallerName
  /** Of the kernel's path; a tree whose kernel is not known does not match. */
  readonly kernel?: RegExp
  readonly version?: RegExp
  /** This version and all after it. */
  readonly since?: string
}

/** What `bootArgs` can be made from. */
export interface BootTree {
  /** The kernel's path in the tree; '' when unknown. */
  readonly kernel: string
  /** Over HTTP, without a slash at the end. */
  readonly url: string
  /** URL of a file of the tree, by its path. */
  readonly fileUrl: (path: string) => string
  /** URL of the guest's answer file, when it has one. */
  readonly answerFile: string | undefined
}

export interface BootArg {
  readonly key: string
  readonly value?: string
}

/** Until then: 512 bytes on POWER, 896 on s390. Distributions moved at different times. */
export interface LongCmdlineSince {
  readonly ppc: string
  readonly s390: string
}

export interface EfiFolder {
  readonly folder: string
  /** Its first loader is a shim (`shimx64.efi`, `shimaa64.efi`). */
  readonly shim?: true
  /** Its packages of shim and GRUB put the files straight into `/boot/efi/EFI/<folder>` of the host. */
  readonly packaged?: true
  /**
   * Disks may have its `grubx64.efi` without a shim. `early` ones are looked for before those of other
   * distributions.
   */
  readonly grubAlone?: 'early' | 'late'
}

/** One way to lay out kernel and initrd in a tree. */
export interface Layout {
  /**
   * Matches the path of the kernel. Groups: `arch` is the architecture of the pair; `of` is the architecture
   * of the tree whose platform the pair is; `v` is a suffix that kernel and initrd share.
   */
  readonly kernel: RegExp
  /**
   * Names of the initrd in the kernel's folder, best first. `$v` and `$arch` stand for the kernel's groups.
   */
  readonly initrds: readonly string[]
  /** The platform, where the path has no architecture; '' or absent for the tree's own. */
  readonly platform?: string
  /** The family that has such trees; absent when several do. */
  readonly family?: string
}
