import type { OidcSettings } from '../core/access/oidc.ts'
import type { VmFirmware } from '../core/boot/test-firmware.ts'
import type { Reach } from '../core/boottest/result.ts'
import type { FeedType } from '../core/feed-types.ts'
import type { LoaderPreference } from '../core/loader/loaders.ts'
import type { Network } from '../core/net/network.ts'
import type { ServiceName } from '../core/services.ts'
import type { Schedule } from './schedule.ts'

/**
 * The settings of a service. `auto` is the standard port if we may bind it, else the standard port + 10000. A
 * service that may not move (`mayMove` in core/services.ts) has only the standard port.
 */
export interface ServiceConfig {
  readonly enabled: boolean
  readonly bind: string
  readonly port: number | 'auto'
}

/** config.yaml after validation, with all defaults. Paths are absolute. */
export interface Config
  extends Readonly<Record<Exclude<ServiceName, 'http' | 'ftp' | 'dhcp'>, ServiceConfig>> {
  /** Absolute path of the file. Undefined when it does not exist and all settings are defaults. */
  readonly file?: string
  readonly server: {
    readonly bind: string
    readonly url?: string
    /** Names by which browsers may reach this server, beside its own. Lower case. */
    readonly names: readonly string[]
    /** The most that a stop waits for transfers. */
    readonly stopGraceMs: number
  }
  readonly access: AccessConfig
  readonly http: HttpConfig
  readonly ftp: FtpConfig
  readonly dhcp: DhcpConfig
  readonly paths: {
    readonly trees: string
    readonly tftpboot: string
    readonly templates: string
    readonly data: string
  }
  readonly state: {
    /** Absolute paths of files outside of `paths.data`, which remember how much the store knew. */
    readonly witness: readonly string[]
  }
  readonly limits: {
    /** Bytes that large writes leave free. Default: the smaller of 1 GiB and 2 % of the file system. */
    readonly minFree?: number
  }
  readonly reports: {
    /** Whether a report needs the token of its installation. Default: where the guest's template has it. */
    readonly requireToken?: boolean
  }
  readonly boots: {
    /** How long the timelines of boots are kept. */
    readonly keepMs: number
  }
  /** In the order of config.yaml. */
  readonly webhooks: readonly WebhookConfig[]
  /** In the order of config.yaml. */
  readonly mirrors: readonly MirrorConfig[]
  readonly verify: VerifyConfig
  readonly import: ImportConfig
  readonly imports: {
    /** What a client of the API may import: URLs with all below them, and absolute paths with all in them. */
    readonly allow: readonly string[]
  }
  readonly unknown: UnknownMachinePolicy
  /** How long the menu of an unknown machine waits before it boots from its own disk. */
  readonly menuTimeoutMs: number
}

/** Who may come in, beside the accounts of the store. */
export interface AccessConfig {
  /** What a person without credentials may do. */
  readonly anonymous: 'none' | 'viewer'
  /** When a sign-in ends: without use, and at the latest. */
  readonly session: { readonly idleMs: number; readonly maxMs: number }
  /** Networks that may read the metrics without credentials. */
  readonly metrics: readonly Network[]
  /** The provider by which people sign in, beside passwords. */
  readonly oidc?: OidcSettings
}

export interface HttpConfig extends ServiceConfig {
  /** Whether plain requests for small files bypass node:http. The responses are the same. */
  readonly fastPath: boolean
  /** The most connections of one client address. */
  readonly connectionsPerClient: number
  /** The most requests of one client address whose responses are being made. */
  readonly requestsPerClient: number
  /** Proxies whose `X-Forwarded-For` names the client that the two limits count. */
  readonly trustedProxies: readonly Network[]
}

export interface FtpConfig extends ServiceConfig {
  /** The ports for data connections, both ends included. Any free port when absent. */
  readonly passivePorts?: { readonly from: number; readonly to: number }
  /** Our IPv4 address as clients behind NAT see it. */
  readonly publicAddress?: string
  /** Absolute paths of PEM files. AUTH TLS is offered when they are set. */
  readonly tls?: { readonly certificate: string; readonly key: string }
}

/** The ProxyDHCP service. It does not run with `mode: off` or `enabled: false`. */
export interface DhcpConfig extends ServiceConfig {
  readonly mode: 'off' | 'proxy'
  /** Network interfaces to answer on. Empty means all. */
  readonly interfaces: readonly string[]
  /** Answer only machines that are guests. */
  readonly knownOnly: boolean
  /** The loader for machines whose guest and profiles set none. */
  readonly loader: LoaderPreference
}

/** A tree that is copied from an upstream server, and updated. */
export interface MirrorConfig {
  /** The tree is published under this id. */
  readonly id: string
  /** URLs of the same tree, the preferred one first. */
  readonly urls: readonly string[]
  /** When the tree is checked for updates. Without a schedule, only `treeboot mirror` checks. */
  readonly schedule?: Schedule
  /** Whether only the files for booting are copied, and no packages. */
  readonly bootOnly: boolean
  /** Whether it stands in a file of `mirrors.d`, which the API may write. */
  readonly inFile?: true
}

/** Who is told what happens. */
export interface WebhookConfig {
  readonly url: string
  /** The types of events that it gets. */
  readonly kinds: readonly FeedType[]
  /** By which it knows that an event is ours: itself, an absolute path, or a variable of the environment. */
  readonly secret: { readonly text: string } | { readonly file: string } | { readonly env: string }
  /** Whether it may be at an address that is not one of the Internet. */
  readonly allowPrivate: boolean
}

/** How trees come in from files. Without a value the default of the import counts. */
export interface ImportConfig {
  /** The most bytes that an archive or image is unpacked to. */
  readonly maxUnpackedBytes?: number
  /** Distribution -> URL of an archive to take images for network boot from: the folder that has `dists/`. */
  readonly archives?: Readonly<Record<string, string>>
}

/** How a version is booted before it is published. */
export interface BootTestConfig {
  readonly firmware: readonly VmFirmware[]
  readonly reach: Reach
  /** Whether a version is refused that cannot be tested here. */
  readonly required: boolean
  /** For one machine. `auto`: by what this host needs for a reference boot. */
  readonly timeoutMs: number | 'auto'
}

/** How signatures of checksum documents are verified. Without keys they are only recorded. */
export interface VerifyConfig {
  /** Absolute paths of files with OpenPGP certificates. */
  readonly keys: readonly string[]
  /** Whether a tree without a signature is refused. */
  readonly requireSignature: boolean
  /** Absent: no version is booted before it is published. */
  readonly bootTest?: BootTestConfig
}

/** What a machine that is not a guest gets: a menu of the ready trees, its own disk, or no reply. */
export type UnknownMachinePolicy = 'menu' | 'local' | 'ignore'
