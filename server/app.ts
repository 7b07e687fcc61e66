import { adminUser } from './api/admin.ts'
import { isAppPath, webApp } from './api/web-app.ts'
import { Catalog, type CatalogOptions } from './catalog/catalog.ts'
import { type Snapshot, treeCounts } from './catalog/snapshot.ts'
import type { FtpConfig } from './config/schema.ts'
import { defined } from './core/defined.ts'
import { failureMessage } from './core/failure.ts'
import { EventBus } from './events/bus.ts'
import { createMetrics } from './events/metrics.ts'
import { cleanPath } from './files/path.ts'
import type { FileSource } from './files/source.ts'
import { MirrorRunner } from './intake/mirror/mirror-runner.ts'
import { Uploads } from './intake/uploads/uploads.ts'
import { Machines } from './machines/machines.ts'
import { networkBoot } from './machines/network-boot.ts'
import { createNamespace } from './namespace/namespace.ts'
import { DhcpListener } from './protocols/dhcp/server.ts'
import { FtpListener } from './protocols/ftp/server.ts'
import { HttpListener } from './protocols/http/server.ts'
import { NfsListener } from './protocols/nfs/server.ts'
import { type ListenerMakers, RunningServices, type ServiceLine } from './protocols/running-services.ts'
import { TftpListener } from './protocols/tftp/server.ts'
import { type AdminToken, loadAdminToken } from './store/admin-token.ts'
import { openStore, storeFile } from './store/sqlite/open.ts'
import { TemplateRenderer } from './templates/renderer.ts'

export type { ServiceLine }

/** The options of the catalog include a clock and intervals, which tests set so that they need not wait. */
export interface AppOptions extends Omit<CatalogOptions, 'events'> {
  readonly version: string
}

export interface App {
  readonly events: EventBus
  readonly namespace: FileSource
  snapshot(): Snapshot
  serviceLines(): readonly ServiceLine[]
  /**
   * Reads configuration and trees, then opens the services. When that fails, it closes everything and
   * rejects.
   */
  start(): Promise<void>
  /** Waits a moment for running transfers, then closes everything. Safe to call twice. */
  stop(): Promise<void>
}

/** Makes all parts of the server and connects them. Nothing is read or opened before `start`. */
export function createApp({ version, ...catalogOptions }: AppOptions): App {
  const bus = new EventBus()
  const events = bus.emit
  const catalog = new Catalog({ ...catalogOptions, events: bus })
  const snapshot = (): Snapshot => catalog.snapshot
  const metrics = createMetrics(() => treeCounts(snapshot()))
  const machines = new Machines({ snapshot, events })
  bus.subscribe(metrics.sink)
  bus.subscribe(machines.sink)

  const running = new RunningServices()
  const services = () => running.addresses()
  const renderer = new TemplateRenderer()
  const source = createNamespace({
    snapshot,
    services,
    renderer,
    machines,
    onWarnings: (guest, warnings) => {
      for (const message of warnings)
        events({ type: 'trouble', where: `answer file of ${guest.name}`, message })
    },
  })
  const decideNetworkBoot = networkBoot({
    snapshot,
    services,
    machines,
    fileExists: async (urlPath, who) => (await source.stat(cleanPath(urlPath), who))?.kind === 'file',
  })
  const uploads = new Uploads({
    trees: () => snapshot().config.paths.trees,
    verify: () => snapshot().config.verify,
    events,
    onPublished: (ids) => catalog.lookNow(ids),
  })
  const mirrors = new MirrorRunner({ config: () => snapshot().config, events })
  let admin: AdminToken | undefined
  const isAdmin = (token: string): boolean => admin?.isValid(token) ?? false
  const serviceLines = () => running.lines()
  const web = webApp({
    version,
    snapshot,
    services,
    serviceLines,
    events,
    metrics,
    machines,
    uploads,
    isAdmin,
  })

  const common = { source, events }
  const listeners: ListenerMakers = {
    http: (bind, port) => {
      const { fastPath } = snapshot().config.http
      return new HttpListener({ ...common, bind, port, isAppPath, fallback: web, fastPath })
    },
    tftp: (bind, port) => new TftpListener({ ...common, bind, port }),
    ftp: (bind, port) => {
      const authenticate = (user: string, word: string): boolean => user === adminUser && isAdmin(word)
      const settings = ftpSettings(snapshot().config.ftp)
      return new FtpListener({ ...common, ...settings, bind, port, uploads, authenticate })
    },
    nfs: (bind, port) => {
      // An ephemeral port is not registered with rpcbind.
      const portmap = port === 0 ? 'off' : 'auto'
      return new NfsListener({ ...common, bind, port, portmap, dataFolder: snapshot().config.paths.data })
    },
    dhcp: (bind, port) => {
      const { interfaces } = snapshot().config.dhcp
      return new DhcpListener({ bind, port, interfaces, decide: decideNetworkBoot, events })
    },
  }

  async function start(): Promise<void> {
    try {
      await catalog.start()
      const { config, guests } = snapshot()
      admin = await loadAdminToken(config.paths.data)
      if (admin.isNew) note(`made the administrator's token for uploads: ${admin.file}`)
      await uploads.start()
      const store = await openStore(config.paths)
      await machines.open(store)
      // At its start the catalog knows only current versions. Machines may still install from earlier ones.
      for (const { tree, release } of machines.boundTrees()) await catalog.recall(tree, release)
      if (store.isNew && guests.all.length > 0) note(newStoreMessage(config.paths.data))
      await running.open(config, listeners)
      await mirrors.start()
    } catch (error) {
      await stop()
      throw error
    }
  }

  async function stop(): Promise<void> {
    const parts = [uploads.stop(), mirrors.stop(), catalog.stop(), renderer.close()]
    await Promise.all([running.stop(onTrouble), ...parts.map((part) => part.catch(onTrouble))])
    // Last, because the services report to it until they are closed.
    await machines.close().catch(onTrouble)
  }

  /** Logs what happened at the start as information, beside the lines about the configuration. */
  const note = (message: string): void => events({ type: 'config', outcome: 'loaded', message })
  const onTrouble = (error: unknown): void =>
    events({ type: 'trouble', where: 'shutting down', message: failureMessage(error) })

  return { events: bus, namespace: source, snapshot, serviceLines, start, stop }
}

/**
 * Warns that all histories are gone: the data folder may be lost, or the configuration may name the wrong
 * one.
 */
function newStoreMessage(data: string): string {
  return `${storeFile(data)}: a new store was made: every guest counts as new, and its next network boot installs it`
}

function ftpSettings({ passivePorts, publicAddress, tls }: FtpConfig) {
  return defined({ passivePorts, publicAddress, tls })
}
