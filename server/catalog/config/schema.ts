/** A door's part of config.yaml. `auto` is the standard port if we may bind it, else standard + 10000. */
export interface DoorConfig {
  readonly enabled: boolean
  readonly bind: string
  readonly port: number | 'auto'
}

/** config.yaml after validation, every default filled in. Paths are absolute. */
export interface Config {
  /** Absolute path of the file, or undefined when there is none and all is default. */
  readonly file?: string
  readonly server: { readonly bind: string; readonly url?: string }
  readonly http: DoorConfig
  readonly tftp: DoorConfig
  readonly ftp: DoorConfig
  readonly nfs: DoorConfig
  readonly dhcp: { readonly mode: 'off' | 'proxy'; readonly interfaces: readonly string[] }
  readonly paths: {
    readonly trees: string
    readonly tftpboot: string
    readonly templates: string
    readonly data: string
  }
}
