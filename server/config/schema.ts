import type { LoaderPreference } from '../core/loader/loaders.ts'
import type { ServiceName } from '../core/services.ts'
import type { Schedule } from './schedule.ts'

/** A service's part of config.yaml. `auto` is the standard port if we may bind it, else standard + 10000. */
export interface ServiceConfig {
  readonly enabled: boolean
  readonly bind: string
  readonly port: number | 'auto'
}

/** config.yaml after validation, every default filled in. Paths are absolute. */
export interface Config
  extends Readonly<Record<Exclude<ServiceName, 'http' | 'ftp' | 'dhcp'>, ServiceConfig>> {
  /** Absolute path of the file, or undefined when there is none and all is default. */
  readonly file?: string
  readonly server: { readonly bind: string; readonly url?: string }
  readonly http: HttpConfig
  readonly ftp: FtpConfig
  readonly dhcp: DhcpConfig
  readonly paths: {
    readonly trees: string
    readonly tftpboot: string
    readonly templates: string
    readonly data: string
  }
  /** In the order of the file. */
  readonly mirrors: readonly MirrorConfig[]
  readonly verify: VerifyConfig
  readonly unknown: UnknownMachine
  /** How long the menu of an unknown machine waits before it boots from its own disk. */
  readonly menuTimeoutMs: number
}

export interface HttpConfig extends ServiceConfig {
  /** Whether plain requests for small files go past node:http. The responses are the same. */
  readonly fastPath: boolean
}

export interface FtpConfig extends ServiceConfig {
  /** Where data connections are waited for, both ends included; any free port when absent. */
  readonly passivePorts?: { readonly from: number; readonly to: number }
  /** Our IPv4 address as clients behind NAT see it. */
  readonly publicAddress?: string
  /** Absolute paths of PEM files; with them AUTH TLS is offered. */
  readonly tls?: { readonly certificate: string; readonly key: string }
}

/** The ProxyDHCP service. `mode: off` or `enabled: false` keep it closed. */
export interface DhcpConfig extends ServiceConfig {
  readonly mode: 'off' | 'proxy'
  /** Network interfaces to answer on; empty means all. */
  readonly interfaces: readonly string[]
  /** Answer only machines that are guests. */
  readonly knownOnly: boolean
  /** For machines whose guest or profile says nothing else. */
  readonly loader: LoaderPreference
}

/** A tree that is kept like an upstream's. */
export interface MirrorConfig {
  /** The id that it is published under. */
  readonly id: string
  /** Mirrors of the same tree, the preferred one first. */
  readonly urls: readonly string[]
  /** When it is looked at; without it only by `treeboot mirror`. */
  readonly schedule?: Schedule
  readonly bootOnly: boolean
}

/** How signatures of documents that name checksums are judged; without keys they are only noted. */
export interface VerifyConfig {
  /** Absolute paths of files with OpenPGP certificates. */
  readonly keys: readonly string[]
  /** Whether what has no signature is refused. */
  readonly requireSignature: boolean
}

/** What a machine gets that is no guest: a menu of the ready trees, its own disk, or no answer. */
export type UnknownMachine = 'menu' | 'local' | 'ignore'
