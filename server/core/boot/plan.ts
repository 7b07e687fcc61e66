import type { Guest, VirtType } from '../guest/guest.ts'
import type { Tree } from '../tree/tree.ts'

/** One argument of a kernel command line. It stays typed until a renderer's quoting function writes it. */
export interface KernelArg {
  readonly key: string
  /** Absent for a bare flag: `quiet`. */
  readonly value?: string
}

/** A file of a tree that a loader, a hypervisor or a person fetches. */
export interface BootFile {
  /** Relative to the tree: `images/pxeboot/vmlinuz`. */
  readonly path: string
  /** Path in the namespace: `/trees/fedora-40/images/pxeboot/vmlinuz`. */
  readonly urlPath: string
  readonly size?: number
  /** As it is here, in hex; absent while it was not read. */
  readonly sha256?: string
}

/** The base URLs by which a client reaches us, without trailing slashes. They are made once per request. */
export interface ServerUrls {
  /** `http://mirror.example:8080` */
  readonly http: string
  /** `tftp://mirror.example` (with a port only when it is not 69); absent when that service is closed. */
  readonly tftp?: string
  readonly ftp?: string
  readonly nfs?: NfsUrls
  /** Why nothing can be fetched from `http`; absent when it can. */
  readonly whyNoHttp?: string
  /** Nobody has reached us by this URL: a command or a check took one of our addresses. */
  readonly isGuess?: true
  /** The client reaches us by IPv6: its installer must ask for an IPv6 address, too. */
  readonly byIpv6?: true
}

export interface NfsUrls {
  readonly host: string
  /** The mount options for `nfs:` sources; '' when the defaults are right. */
  readonly options: string
  /** Our IPv4 address, for clients that take no other host; absent when the client came by another way. */
  readonly ipv4?: string
  /** Why a client that asks the port mapper (port 111) does not find us there; absent when it does. */
  readonly whyUnmapped?: string
}

/** The machine boots the installer of a tree (or its rescue system): this kernel, initrd and arguments. */
export interface InstallPlan {
  readonly kind: 'install'
  readonly tree: Tree
  /** Key of `tree.platforms` that was chosen: `x86_64`, `xen`, ... */
  readonly platform: string
  readonly virt: VirtType
  readonly kernel: BootFile
  readonly initrd: BootFile
  readonly args: readonly KernelArg[]
  /** The URL of the tree, for `virt-install --location`: that of HTTP when the guest installs by NFS. */
  readonly location: string
  /** URL of the rendered answer file, when the guest has a template. */
  readonly answerFile?: string
  readonly guest?: Guest
  /** What the installer lacks with these arguments alone; only in the plan of a lookup. */
  readonly lacks?: string
  /** Why the installation may end early. The machine is offered it all the same, because nobody can know it here. */
  readonly doubts: readonly Doubt[]
  readonly urls: ServerUrls
  /** MiB, for what is loaded into memory as a whole; 0 when nothing is, or its size is unknown. */
  readonly memoryNeeded: number
}

/** What may end an installation: in a few words for a table, and as a sentence for people. */
export interface Doubt {
  readonly what: string
  readonly why: string
}

/** A choice of trees, for a machine that is not a guest. */
export interface MenuPlan {
  readonly kind: 'menu'
  readonly title: string
  readonly items: readonly { readonly label: string; readonly plan: InstallPlan }[]
  /** After this long without a key the machine boots from its local disk. */
  readonly timeoutMs: number
}

/** The machine boots its own disk; `why` is the reason, in one line. */
export interface LocalDiskPlan {
  readonly kind: 'local-disk'
  readonly why: string
  /**
   * Whether a machine whose disk does not start may be waiting for the operator: where its loader can, it asks again
   * from time to time instead of giving up.
   */
  readonly asksAgain?: true
}

/** There is nothing that the machine can boot; `why` is the reason, in one line. */
export interface RefusePlan {
  readonly kind: 'refuse'
  readonly why: string
}

export type BootPlan = InstallPlan | MenuPlan | LocalDiskPlan | RefusePlan
