/**
 * When a changed key of config.yaml takes effect. `at-once`: with the next request. `at-restart`: when the
 * service is opened the next time.
 */
export type TakesEffect = 'at-once' | 'at-restart'

/**
 * The facts of a service that are known before it opens. Configuration, start-up, URLs and commands use them.
 */
export interface ServiceRecord {
  /** The port that clients assume (IANA Service Name and Port Number Registry). */
  readonly standardPort: number
  /**
   * The port when config.yaml names none. `auto` is the standard port; if that cannot be opened, see
   * `mayMove`.
   */
  readonly defaultPort: number | 'auto'
  /** Whether the service is open when config.yaml does not say `enabled`. */
  readonly enabled: boolean
  /** Whether `auto` may open another port than the standard one: that one plus 10000. */
  readonly mayMove: boolean
  /** Keys of the service's section in config.yaml, besides `serviceKeys`, and when a change takes effect. */
  readonly keys: Readonly<Record<string, TakesEffect>>
  /** Whether guests can install from the service (`source:` in config.yaml). */
  readonly installs: boolean
  /** The note in the start-up table while the service is closed. */
  readonly closedNote: string
}

const switchedOff = 'switched off in the configuration'

/**
 * The services, in the order in which they are opened and shown. This is the one list: the sections of
 * config.yaml, the keys that need a restart, the start-up table, the URLs and the commands are made from it.
 * The code of each service is in `protocols/`, and `listeners.ts` makes its listener.
 */
export const serviceTable = {
  http: {
    standardPort: 80,
    defaultPort: 8080,
    enabled: true,
    mayMove: true,
    keys: {
      'fast-path': 'at-restart',
      'connections-per-client': 'at-restart',
      'requests-per-client': 'at-restart',
      'trusted-proxies': 'at-restart',
    },
    installs: true,
    closedNote: switchedOff,
  },
  tftp: {
    standardPort: 69,
    defaultPort: 'auto',
    enabled: true,
    mayMove: true,
    keys: {},
    installs: false,
    closedNote: switchedOff,
  },
  ftp: {
    standardPort: 21,
    defaultPort: 'auto',
    enabled: true,
    mayMove: true,
    keys: { 'passive-ports': 'at-restart', 'public-address': 'at-restart', tls: 'at-restart' },
    installs: true,
    closedNote: switchedOff,
  },
  nfs: {
    standardPort: 2049,
    defaultPort: 'auto',
    enabled: true,
    mayMove: true,
    keys: {},
    installs: true,
    closedNote: switchedOff,
  },
  // Open only where somebody wants it: anybody can send text there.
  syslog: {
    standardPort: 514,
    defaultPort: 'auto',
    enabled: false,
    mayMove: true,
    keys: {},
    installs: false,
    closedNote: 'syslog.enabled is false: boots do not show what installers log',
  },
  // Last, because what DHCP offers to a machine is fetched through the other services.
  dhcp: {
    standardPort: 67,
    defaultPort: 'auto',
    // Beside `mode`, which is off by default.
    enabled: true,
    // A DHCP client sends to port 67 and to no other (RFC 2131, 4.1).
    mayMove: false,
    keys: { mode: 'at-restart', interfaces: 'at-restart', 'known-only': 'at-once', loader: 'at-once' },
    installs: false,
    closedNote:
      'dhcp.mode is off: machines come here only if your DHCP server sends them (treeboot dhcp-config)',
  },
} as const satisfies Readonly<Record<string, ServiceRecord>>

export type ServiceName = keyof typeof serviceTable

/** Keys of the section of `Name` besides `serviceKeys`. */
export type OwnKey<Name extends ServiceName> = keyof (typeof serviceTable)[Name]['keys']

export const serviceNames = Object.keys(serviceTable) as readonly ServiceName[]

/** Keys that the section of every service has. All of them are read when the service opens. */
export const serviceKeys = ['enabled', 'bind', 'port'] as const

/** The services that a guest can install from. */
export type InstallSource = {
  [Name in ServiceName]: (typeof serviceTable)[Name]['installs'] extends true ? Name : never
}[ServiceName]

export const installSources = serviceNames.filter(
  (name): name is InstallSource => serviceTable[name].installs,
)
