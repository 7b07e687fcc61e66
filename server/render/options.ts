/** What a renderer needs besides the plan: how the loader that asked reads files, and how it reaches us. */
export interface RenderOptions {
  /** The protocol by which the loader asked, so that PXELINUX keeps using it. TFTP unless given. */
  readonly via?: 'tftp' | 'http'
  /** The folder that PXELINUX takes for its own, '' for the root; see `pxelinux.ts`. */
  readonly loaderFolder?: string
  /** How this client reaches us, for an iPXE that starts a GRUB of ours. */
  readonly server?: LoaderServer
}

/** Where a loader reaches us. */
export interface LoaderServer {
  /** `http://mirror.example:8080` */
  readonly http: string
  /** IPv4, as it goes into the `siaddr` of a DHCP reply; absent where it is not known. */
  readonly address?: string
}
