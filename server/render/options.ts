/** What a renderer needs to know besides the plan: how the loader that asked reads files. */
export interface RenderOptions {
  /** By which protocol the loader reads; PXELINUX stays with it. TFTP unless given. */
  readonly via?: 'tftp' | 'http'
  /** The folder that PXELINUX takes for its own, '' for the root; see `pxelinux.ts`. */
  readonly loaderFolder?: string
  /** How this client reaches us, for loaders that go on to another loader. */
  readonly server?: LoaderServer
}

export interface LoaderServer {
  /** `http://mirror.example:8080` */
  readonly http: string
  /** IPv4, as it goes into the `siaddr` of a DHCP reply; absent where it is not known. */
  readonly address?: string
}
