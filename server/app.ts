import { adminUser } from './api/admin.ts'
import { isAppPath, webApp } from './api/web-app.ts'
import { Catalog, type CatalogOptions } from './catalog/catalog.ts'
import type { Snapshot } from './catalog/snapshot.ts'
import type { FtpConfig } from './config/schema.ts'
import type { ClientFacts, Firmware } from './core/boot/firmware.ts'
import { type OpenServices, openServices } from './core/boot/urls.ts'
import { failureMessage } from './core/failure.ts'
import type { SeenMachine } from './core/guest/seen-machine.ts'
import { type ServiceName, serviceNames, serviceTable } from './core/services.ts'
import { EventBus } from './events/bus.ts'
import { createMetrics } from './events/metrics.ts'
import type { FileSource } from './files/source.ts'
import { MirrorRunner } from './intake/mirror/mirror-runner.ts'
import { Uploads } from './intake/uploads/uploads.ts'
import { GuestHistory } from './machines/history.ts'
import { networkBoot } from './machines/network-boot.ts'
import { TreeViews } from './machines/views.ts'
import { createNamespace } from './namespace/namespace.ts'
import { DhcpListener } from './protocols/dhcp/server.ts'
import { FtpListener } from './protocols/ftp/server.ts'
import { HttpListener } from './protocols/http/server.ts'
import type { Listener } from './protocols/listener.ts'
import { NfsListener } from './protocols/nfs/server.ts'
import { openListener } from './protocols/open-listener.ts'
import { TftpListener } from './protocols/tftp/server.ts'
import { type AdminToken, loadAdminToken } from './store/admin-token.ts'
import { openStore, storeFile } from './store/sqlite/open.ts'
import { TemplateRenderer } from './templates/renderer.ts'

/** The clock and the times of the catalog are for tests, which need not wait then. */
export interface AppOptions extends Omit<CatalogOptions, 'events'> {
  readonly version: string
}

/** One line of the start-up table. */
export interface ServiceLine {
  readonly name: string
  readonly open: boolean
  readonly host?: string
  readonly port?: number
  /** Why it is shut, or not where one would look for it; '' when there is nothing to say. */
  readonly note: string
}

export interface App {
  readonly events: EventBus
  readonly namespace: FileSource
  snapshot(): Snapshot
  /** In the order in which they are opened, shut ones too. */
  serviceLines(): readonly ServiceLine[]
  /** Reads the world, then opens the services. When it rejects, everything is closed again. */
  start(): Promise<void>
  /** Lets running transfers end for a moment, then closes everything. Safe to call twice. */
  stop(): Promise<void>
}

/** Builds every object and joins them. Nothing happens before `start`. */
export function createApp(options: AppOptions): App {
  const { version, ...catalogOptions } = options
  const events = new EventBus()
  const catalog = new Catalog({ ...catalogOptions, events })
  const snapshot = (): Snapshot => catalog.snapshot
  const renderer = new TemplateRenderer()
  const metrics = createMetrics(() => countTrees(snapshot()))
  events.subscribe(metrics.sink)
  const history = new GuestHistory({ guests: () => snapshot().guests, events: events.emit })
  events.subscribe(history.sink)
  const views = new TreeViews({ bound: history.boundAt })
  events.subscribe((event) => {
    if (event.type === 'served') views.transferred(event.client, event.ms)
  })

  const opened = new Map<ServiceName, { listener: Listener; note: string }>()
  const services = (): OpenServices =>
    openServices(
      [...opened].flatMap(([name, { listener }]) =>
        listener.address ? [[name, listener.address.port] as const] : [],
      ),
    )
  const source = createNamespace({
    snapshot,
    services,
    renderer,
    memory: history,
    views,
    uuidOf: (mac) => machines.uuidOf(mac),
    handWritten: (path, { protocol, address }, facts) => {
      machines.fetched(path)
      const guest = snapshot().guests.match(facts)?.guest.name
      const decision = `tftpboot${path}, written by hand`
      events.emit({ type: 'boot', protocol, client: address, decision, ...(guest && { guest }) })
    },
    onWarnings: (guest, warnings) => {
      for (const message of warnings)
        events.emit({ type: 'trouble', where: `answer file of ${guest.name}`, message })
    },
    decided: ({ who: { protocol, address }, path, guest, summary }) => {
      machines.fetched(path)
      events.emit({ type: 'boot', protocol, client: address, decision: summary, ...(guest && { guest }) })
    },
  })
  const machines = networkBoot({
    snapshot,
    services,
    source,
    stateOf: history.stateOf,
    seen: (client, firmware, guest) => {
      if (!guest) history.seen(seenMachineOf(client, firmware))
    },
  })
  const uploads = new Uploads({
    trees: () => snapshot().config.paths.trees,
    verify: () => snapshot().config.verify,
    events: events.emit,
    onPublished: (ids) => catalog.lookNow(ids),
  })
  const mirrors = new MirrorRunner({ config: () => snapshot().config, events: events.emit })
  let admin: AdminToken | undefined
  const isAdmin = (token: string): boolean => admin?.isValid(token) ?? false
  const web = webApp({
    version,
    snapshot,
    services,
    serviceLines,
    events: events.emit,
    metrics,
    history,
    views,
    uploads,
    isAdmin,
  })

  const makers: Readonly<Record<ServiceName, (bind: string, port: number) => Listener>> = {
    http: (bind, port) =>
      new HttpListener({
        bind,
        port,
        source,
        events: events.emit,
        isAppPath,
        fallback: web,
        fastPath: snapshot().config.http.fastPath,
      }),
    tftp: (bind, port) => new TftpListener({ bind, port, source, events: events.emit }),
    ftp: (bind, port) =>
      new FtpListener({
        bind,
        port,
        source,
        events: events.emit,
        ...ftpSettings(snapshot().config.ftp),
        uploads,
        authenticate: (user, password) => user === adminUser && isAdmin(password),
      }),
    nfs: (bind, port) =>
      new NfsListener({
        bind,
        port,
        // A port that nobody can foresee is nothing to announce to the whole machine.
        portmap: port === 0 ? 'off' : 'auto',
        source,
        events: events.emit,
        dataFolder: snapshot().config.paths.data,
      }),
    dhcp: (bind, port) => {
      const { interfaces } = snapshot().config.dhcp
      return new DhcpListener({ bind, port, interfaces, decide: machines.decide, events: events.emit })
    },
  }

  function serviceLines(): readonly ServiceLine[] {
    return serviceNames.map((name) => {
      const service = opened.get(name)
      const address = service?.listener.address
      if (!service || !address) return { name, open: false, note: serviceTable[name].closedNote }
      const tftp = name === 'dhcp' ? tftpTrouble(services()) : ''
      const note = [service.note, service.listener.hint, tftp].filter(Boolean).join('; ')
      return { name, open: true, ...address, note }
    })
  }

  async function start(): Promise<void> {
    try {
      await catalog.start()
      const { config, guests } = snapshot()
      admin = await loadAdminToken(config.paths.data)
      if (admin.isNew) {
        const message = `the administrator's token for uploads was made: ${admin.file}`
        events.emit({ type: 'config', outcome: 'loaded', message })
      }
      await uploads.start()
      const store = await openStore(config.paths)
      await history.open(store)
      for (const { tree, release } of history.bound()) await catalog.recall(tree, release)
      if (store.isNew && guests.all.length > 0) tellNewStore(config.paths.data)
      for (const name of serviceNames) {
        const { enabled, bind, port: wanted } = config[name]
        if (!enabled) continue
        const { standardPort: standard, mayMove } = serviceTable[name]
        const port = wanted === 'auto' && !mayMove ? standard : wanted
        opened.set(name, await openListener({ port, standard }, (each) => makers[name](bind, each)))
      }
      await mirrors.start()
    } catch (error) {
      await stop()
      throw error
    }
  }

  async function stop(): Promise<void> {
    const closing = [...opened.values()].map(({ listener }) => listener.stop())
    await Promise.all(
      [...closing, uploads.stop(), mirrors.stop(), catalog.stop(), renderer.close()].map((step) =>
        step.catch(reportTrouble),
      ),
    )
    // Last: the services may have had something to tell.
    await history.close().catch(reportTrouble)
  }

  /** Said once, for the day on which the folder was lost or the wrong one was named. */
  function tellNewStore(data: string): void {
    const message = 'a new store was made: every guest counts as new, and its next network boot installs it'
    events.emit({ type: 'config', outcome: 'loaded', message: `${storeFile(data)}: ${message}` })
  }

  const reportTrouble = (error: unknown): void =>
    events.emit({ type: 'trouble', where: 'shutting down', message: failureMessage(error) })

  return { events, namespace: source, snapshot, serviceLines, start, stop }
}

/** What a machine's DHCP packet shows of it. */
function seenMachineOf({ mac, uuid, vendorClass }: ClientFacts, firmware: Firmware): SeenMachine {
  return {
    firmware,
    ...(mac !== undefined && { macs: [mac] }),
    ...(uuid !== undefined && { uuid }),
    ...(vendorClass !== undefined && { vendor: vendorClass }),
  }
}

/** Firmware asks for its loader at one port, which no DHCP option can change. */
function tftpTrouble({ tftp }: OpenServices): string {
  if (tftp === undefined) return 'WITHOUT the tftp service firmware can load nothing'
  return tftp.port === serviceTable.tftp.standardPort
    ? ''
    : `firmware asks for TFTP at port 69 only, and it is at ${tftp.port}: NO LOADER can be offered`
}

function ftpSettings({ passivePorts, publicAddress, tls }: FtpConfig) {
  return {
    ...(passivePorts && { passivePorts }),
    ...(publicAddress !== undefined && { publicAddress }),
    ...(tls && { tls }),
  }
}

function countTrees({ trees }: Snapshot) {
  const counts = { incoming: 0, verifying: 0, ready: 0, broken: 0 }
  for (const tree of trees.all) counts[tree.state]++
  return counts
}
