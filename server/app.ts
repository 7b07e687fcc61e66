import { join } from 'node:path'
import { Accounts } from './accounts/accounts.ts'
import type { ScryptCost } from './accounts/passwords.ts'
import { autoGuestFiles } from './api/auto-guest-files.ts'
import { EventStreams } from './api/event-streams.ts'
import { serverHealth } from './api/health.ts'
import { pathShortener } from './api/local-paths.ts'
import { webApp } from './api/web-app.ts'
import { BootTests } from './boottest/boot-tests.ts'
import { treeRequest, versionGate } from './boottest/version-gate.ts'
import { Catalog, type CatalogOptions } from './catalog/catalog.ts'
import { type Snapshot, treeCounts } from './catalog/snapshot.ts'
import { TemplateHistory } from './catalog/template-history.ts'
import { starLog } from './core/access/star-log.ts'
import { defined } from './core/defined.ts'
import { heldText } from './core/guest/doubt.ts'
import { finishDefinitions, isChangingSet, type Note } from './definitions/definitions-lock.ts'
import { FolderDefinitions } from './definitions/folder-definitions.ts'
import { TemplateDefinitions } from './definitions/template-definitions.ts'
import type { Command } from './emulator/child.ts'
import { EventBus } from './events/bus.ts'
import { createMetrics } from './events/metrics.ts'
import { notesOf } from './events/notes.ts'
import { Feed } from './feed/feed.ts'
import type { FileSource } from './files/source.ts'
import { ownMachineNames } from './host/machine-names.ts'
import { neighbourMac } from './host/neighbours.ts'
import { MirrorRunner } from './intake/mirror/mirror-runner.ts'
import { Uploads } from './intake/uploads/uploads.ts'
import { Jobs } from './jobs/jobs.ts'
import { jobRunner } from './jobs/run-job.ts'
import { listenerMakers } from './listeners.ts'
import { AutoGuests } from './machines/auto-guests.ts'
import { Machines } from './machines/machines.ts'
import { networkBoot } from './machines/network-boot.ts'
import { loaderFinder } from './namespace/host-loaders.ts'
import { createAnswers, createNamespace } from './namespace/namespace.ts'
import { templateJudge } from './namespace/template-judge.ts'
import { RunningServices, type ServiceLine } from './protocols/running-services.ts'
import { DataFolder } from './store/data-folder.ts'
import { TemplateRenderer } from './templates/renderer.ts'
import { SpareRenderer } from './templates/spare-renderer.ts'
import type { Boots } from './timeline/boots.ts'
import { whyTooBusy } from './timeline/installing.ts'
import { BootRecorder } from './timeline/recorder.ts'
import { Webhooks } from './webhooks/webhooks.ts'

export type { ServiceLine }

/** The options of the catalog include a clock and intervals, which tests set so that they need not wait. */
export interface AppOptions extends Omit<CatalogOptions, 'events'> {
  readonly version: string
  /** `install`: a new store may install the guests that are in the configuration already, see `StoreEvidence`. */
  readonly newStore?: 'install'
  /** What a hash of a password costs, see `AccountsOptions`. */
  readonly scrypt?: ScryptCost
  /** Renders templates, and outlives the application. Default: one of its own. */
  readonly renderer?: TemplateRenderer
  /** The MAC of a machine on a network that we are on, by its address. Default: what the kernel knows. */
  readonly macAt?: (address: string) => Promise<string | undefined>
  /** The command that runs a boot test, see `GateOptions`. */
  readonly bootTestProgram?: Command
}

export interface App {
  readonly events: EventBus
  readonly namespace: FileSource
  /** Who may come in. They open with the store, in `start`. */
  readonly accounts: Accounts
  /** The timelines of all boots. */
  readonly boots: Boots
  snapshot(): Snapshot
  serviceLines(): readonly ServiceLine[]
  /** Reads configuration and trees, then opens the services. When that fails, it closes everything and rejects. */
  start(): Promise<void>
  /** Looks again at configuration, templates and trees, also where the system reports no changes. */
  reload(): Promise<void>
  /**
   * Begins nothing new, waits for transfers that move (`server.stop-grace`) and closes everything. `cut`, when it is
   * aborted, ends the waiting. Safe to call twice.
   */
  stop(cut?: AbortSignal): Promise<void>
}

/** Makes all parts of the server and connects them. Nothing is read or opened before `start`. */
export function createApp(options: AppOptions): App {
  const {
    version,
    newStore,
    renderer: lent,
    scrypt,
    bootTestProgram,
    macAt = neighbourMac,
    ...catalogOptions
  } = options
  const bus = new EventBus()
  const events = bus.emit
  const { note, onTrouble, onWarnings } = notesOf(events)
  const place = defined({ cwd: catalogOptions.cwd, file: catalogOptions.configFile })
  // A change that a killed process has left undone. What cannot be finished keeps no machine from booting.
  const finished: Note = ({ text, isWhole }) => (isWhole ? note(text) : onTrouble('definitions', text))
  const notFinished = (error: unknown): void => onTrouble('definitions', error)
  const isHalfDone = () => isChangingSet(place, finished, notFinished)
  const catalog = new Catalog({ ...catalogOptions, isHalfDone, events: bus })
  const snapshot = (): Snapshot => catalog.snapshot
  const config = () => snapshot().config
  const metrics = createMetrics({
    trees: () => treeCounts(snapshot()),
    lostEvents: () => boots.lost,
    catalog,
  })
  const machines = new Machines({ snapshot, events, macAt })
  const session = () => config().access.session
  const accounts = new Accounts({
    session,
    oidc: () => config().access.oidc,
    onTrouble: (error) => onTrouble('accounts', error),
    ...defined({ cost: scrypt }),
  })
  bus.subscribe(metrics.sink)
  const boots = new BootRecorder({
    keepMs: () => config().boots.keepMs,
    star(name = '', text) {
      const vars = snapshot().guests.byName(name)?.settings.vars
      return starLog(text, defined({ vars, token: name === '' ? undefined : machines.reportToken(name) }))
    },
    onTrouble: (error) => onTrouble('boots', error),
  })
  bus.subscribe(machines.sink)
  bus.subscribe(boots.sink)

  const running = new RunningServices()
  const services = () => running.addresses()
  const renderer = lent ?? new TemplateRenderer()
  const spare = new SpareRenderer()
  const { answers, guestChecks } = createAnswers({ services, machines, renderer, onWarnings })
  const definitions = new FolderDefinitions(place)
  const autoGuests = new AutoGuests({
    ...{ snapshot, machines, macAt },
    ...autoGuestFiles({ place, definitions, catalog, accounts, note }),
  })
  const parts = { snapshot, services, machines, answers, guestChecks, spare, autoGuests }
  const source = createNamespace(parts)
  const decideNetworkBoot = networkBoot({
    ...parts,
    loaderExists: loaderFinder(source, () => config().paths.tftpboot),
  })
  const stopping = new AbortController()
  const bootTests = new BootTests({
    events,
    whyNotNow: () => whyTooBusy((filter) => boots.list(filter)),
    signal: stopping.signal,
    program: bootTestProgram,
  })
  const bootGate = () => versionGate(config(), bootTests.run)
  const onPublished = (ids: readonly string[]) => catalog.lookNow(ids)
  const uploads = new Uploads({
    trees: () => config().paths.trees,
    verify: () => config().verify,
    minFree: () => config().limits.minFree,
    bootGate,
    events,
    onPublished,
    isAwaited: (name) => jobs.awaits(name),
  })
  const mirrors = new MirrorRunner({
    config,
    events,
    bootGate,
    runDue: ({ id }) => jobs.run({ kind: 'mirror', mirror: id }, 'the schedule'),
  })
  const jobs = new Jobs({
    folder: () => join(config().paths.data, 'jobs'),
    run: jobRunner({
      ...{ snapshot, events, mirrors, uploads, onPublished, bootGate },
      testTree: async (tree, firmware, watch) =>
        bootTests.run(await treeRequest(tree, firmware, config()), watch),
    }),
    onTrouble: (error) => onTrouble('jobs', error),
  })
  let ownNames: readonly string[] = []
  let data: DataFolder | undefined
  const judge = templateJudge({ snapshot, services, machines, spare, cwd: place.cwd })
  const templates = new TemplateDefinitions(place, { check: judge })
  const templateHistory = new TemplateHistory({
    onTrouble: (error) => onTrouble('the history of templates', error),
  })
  const serviceLines = () => running.lines()
  const feed = new Feed({
    boots,
    onGuest: (listener) => machines.onGuest(listener),
    stateOf: (guest) => (snapshot().guests.byName(guest) ? machines.stateOf(guest) : undefined),
    guests: () => snapshot().guests.all.map(({ name }) => name),
    fresh: () => machines.fresh(),
    problems: () => [...snapshot().problems, ...health.problems()],
    shortener: () => pathShortener(config()),
  })
  bus.subscribe(feed.sink)
  const webhooks = new Webhooks({
    feed,
    hooks: () => config().webhooks,
    onTrouble: (error) => onTrouble('webhooks', error),
  })
  const health = serverHealth({
    ...parts,
    boots,
    accounts,
    catalog,
    running,
    renderer,
    webhooks,
    data: () => data,
  })
  const streams = new EventStreams({ feed, accounts })
  const shared = { source, events, uploads, accounts }
  const web = webApp({
    ...parts,
    ...shared,
    boots,
    feed,
    streams,
    webhooks,
    version,
    serviceLines,
    metrics,
    health,
    definitions,
    templates,
    templateHistory,
    jobs,
    bootTests,
    mirrors,
    catalog,
    machineNames: () => ownNames,
  })
  const knowsAddress = (address: string) => boots.knowsAddress(address)
  const listeners = listenerMakers({ ...shared, config, web, decideNetworkBoot, knowsAddress })

  async function start(): Promise<void> {
    try {
      ownNames = await ownMachineNames()
      await finishDefinitions(place, finished).catch(notFinished)
      await catalog.start()
      const { paths, state, limits, file } = config()
      data = new DataFolder({ ...paths, ...state, ...limits, ...defined({ file }), onTrouble })
      const { store, admin } = await data.open()
      if (admin.isNew) note(`made the administrator's token for uploads: ${admin.file}`)
      await accounts.open({ store: store.accounts, dataFolder: paths.data, legacy: admin })
      await Promise.all([catalog.keepConfigIn(paths.data), uploads.start()])
      const installsUnknown = () => snapshot().selectors.some(({ auto }) => auto === 'install')
      const acceptNew = newStore === 'install'
      await machines.open(store, { witnesses: store.witnesses, acceptNew, installsUnknown })
      await boots.open(store.boots)
      await templateHistory.open(paths.data)
      catalog.onChange((now) => void templateHistory.note(now.templates))
      void templateHistory.note(snapshot().templates)
      // At its start the catalog knows only current versions. Machines may still install from earlier ones.
      for (const { tree, release } of machines.boundTrees()) await catalog.recall(tree, release)
      const doubt = machines.doubt()
      if (doubt) note(heldText(doubt))
      await running.open(config(), listeners)
      await jobs.open()
      await mirrors.start()
      guestChecks.follow(catalog)
      await feed.open(catalog)
      webhooks.open(store.webhooks)
    } catch (error) {
      await stop()
      throw error
    }
  }

  async function stop(cut?: AbortSignal): Promise<void> {
    streams.close()
    feed.close()
    const onEnd = (error: unknown): void => onTrouble('shutting down', error)
    stopping.abort()
    const ends = [jobs.close(), uploads.stop(), mirrors.stop(), catalog.stop(), guestChecks.stop()]
    const grace = { graceMs: () => config().server.stopGraceMs, events, ...defined({ cut }) }
    await Promise.all([running.stop(grace, onEnd), ...ends.map((end) => end.catch(onEnd))])
    // Last, because the services use and report to them until they are closed.
    if (!lent) await renderer.close().catch(onEnd)
    await spare.close().catch(onEnd)
    await templateHistory.close()
    await accounts.close().catch(onEnd)
    await webhooks.close().catch(onEnd)
    await boots.close().catch(onEnd)
    await machines.close().catch(onEnd)
    await data?.close().catch(onEnd)
  }

  const reload = () => catalog.rescan()
  return { events: bus, namespace: source, accounts, boots, snapshot, serviceLines, start, reload, stop }
}
