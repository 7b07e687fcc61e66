import { webApp } from './api/web-app.ts'
import { Catalog, type CatalogOptions } from './catalog/catalog.ts'
import { type Snapshot, treeCounts } from './catalog/snapshot.ts'
import { failureMessage } from './core/failure.ts'
import { heldText } from './core/guest/doubt.ts'
import { EventBus } from './events/bus.ts'
import { createMetrics } from './events/metrics.ts'
import { cleanPath } from './files/path.ts'
import type { FileSource } from './files/source.ts'
import { MirrorRunner } from './intake/mirror/mirror-runner.ts'
import { Uploads } from './intake/uploads/uploads.ts'
import { listenerMakers } from './listeners.ts'
import { Machines } from './machines/machines.ts'
import { networkBoot } from './machines/network-boot.ts'
import { createNamespace } from './namespace/namespace.ts'
import { RunningServices, type ServiceLine } from './protocols/running-services.ts'
import { type AdminToken, loadAdminToken } from './store/admin-token.ts'
import { lockDataFolder } from './store/one-server.ts'
import { openStore } from './store/sqlite/open.ts'
import { TemplateRenderer } from './templates/renderer.ts'

export type { ServiceLine }

/** The options of the catalog include a clock and intervals, which tests set so that they need not wait. */
export interface AppOptions extends Omit<CatalogOptions, 'events'> {
  readonly version: string
  /** `install`: a new store may install the guests that are in the configuration already, see `StoreEvidence`. */
  readonly newStore?: 'install'
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
export function createApp({ version, newStore, ...catalogOptions }: AppOptions): App {
  const bus = new EventBus()
  const events = bus.emit
  const catalog = new Catalog({ ...catalogOptions, events: bus })
  const snapshot = (): Snapshot => catalog.snapshot
  const config = () => snapshot().config
  const metrics = createMetrics(() => treeCounts(snapshot()))
  const machines = new Machines({ snapshot, events })
  bus.subscribe(metrics.sink)
  bus.subscribe(machines.sink)

  const running = new RunningServices()
  const services = () => running.addresses()
  const parts = { snapshot, services, machines }
  const renderer = new TemplateRenderer()
  const source = createNamespace({
    ...parts,
    renderer,
    onWarnings: (guest, warnings) => {
      for (const message of warnings)
        events({ type: 'trouble', where: `answer file of ${guest.name}`, message })
    },
  })
  const decideNetworkBoot = networkBoot({
    ...parts,
    fileExists: async (urlPath, who) => (await source.stat(cleanPath(urlPath), who))?.kind === 'file',
  })
  const uploads = new Uploads({
    trees: () => config().paths.trees,
    verify: () => config().verify,
    events,
    onPublished: (ids) => catalog.lookNow(ids),
  })
  const mirrors = new MirrorRunner({ config, events })
  let admin: AdminToken | undefined
  let unlockData: (() => Promise<void>) | undefined
  const isAdmin = (token: string): boolean => admin?.isValid(token) ?? false
  const serviceLines = () => running.lines()
  const stoppedTemplates = () => renderer.stopped
  const web = webApp({
    ...parts,
    ...{ version, serviceLines, events, metrics, uploads, isAdmin, stoppedTemplates },
  })
  const listeners = listenerMakers({ config, source, events, web, uploads, isAdmin, decideNetworkBoot })

  /** Logs what happened at the start as information, beside the lines about the configuration. */
  const note = (message: string): void => events({ type: 'config', outcome: 'loaded', message })
  const onTroubleWith =
    (where: string) =>
    (error: unknown): void =>
      events({ type: 'trouble', where, message: failureMessage(error) })
  const onTrouble = onTroubleWith('shutting down')

  async function start(): Promise<void> {
    try {
      await catalog.start()
      const { paths, file } = config()
      unlockData = await lockDataFolder(paths.data, file)
      admin = await loadAdminToken(paths.data)
      if (admin.isNew) note(`made the administrator's token for uploads: ${admin.file}`)
      await uploads.start()
      const store = await openStore({ ...paths, ...config().state, onTrouble: onTroubleWith('the witness') })
      await machines.open(store, { witnesses: store.witnesses, acceptNew: newStore === 'install' })
      // At its start the catalog knows only current versions. Machines may still install from earlier ones.
      for (const { tree, release } of machines.boundTrees()) await catalog.recall(tree, release)
      const doubt = machines.doubt()
      if (doubt) note(heldText(doubt))
      await running.open(config(), listeners)
      await mirrors.start()
    } catch (error) {
      await stop()
      throw error
    }
  }

  async function stop(): Promise<void> {
    const ends = [uploads.stop(), mirrors.stop(), catalog.stop(), renderer.close()]
    await Promise.all([running.stop(onTrouble), ...ends.map((end) => end.catch(onTrouble))])
    // Last, because the services report to it until they are closed.
    await machines.close().catch(onTrouble)
    await unlockData?.().catch(onTrouble)
  }

  return { events: bus, namespace: source, snapshot, serviceLines, start, stop }
}
