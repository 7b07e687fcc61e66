import { type LoadedConfig, loadConfigFile } from '../config/load.ts'
import { keysForRestart } from '../config/restart-keys.ts'
import type { Config } from '../config/schema.ts'
import { type ConfigWatch, watchConfig } from '../config/watch.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { type SettleTimes, settleTimes } from '../core/tree/settle.ts'
import type { Release } from '../core/tree/tree.ts'
import type { EventSink } from '../events/bus.ts'
import { VerifyCache } from '../verify/verify-cache.ts'
import { assembleSnapshot } from './assemble.ts'
import { LiveTrees } from './scan/live-trees.ts'
import { strayLinks } from './scan/stray-links.ts'
import type { Snapshot } from './snapshot.ts'
import { readTemplates, type Templates, watchTemplates } from './templates.ts'

export interface CatalogOptions {
  /** Default: `config.yaml` in `cwd`, which may be missing. */
  readonly configFile?: string
  readonly cwd: string
  readonly events: { readonly emit: EventSink }
  /** Milliseconds since 1970, as file times are. */
  readonly clock?: () => number
  readonly settle?: Partial<SettleTimes>
  /** Default one minute. */
  readonly rescanMs?: number
}

const defaultRescanMs = 60_000
/** Changes of one moment make one snapshot. */
const coalesceMs = 20

/**
 * Reads the outside world and keeps reading it: configuration, trees, templates. `snapshot` is always whole and never
 * changes; a change replaces it by another.
 */
export class Catalog {
  readonly #options: CatalogOptions
  readonly #listeners = new Set<(snapshot: Snapshot) => void>()
  #snapshot: Snapshot | undefined
  #loaded: LoadedConfig | undefined
  /** What the services were opened with. */
  #started: Config | undefined
  /** Keys that wait for a restart, as they were told last. */
  #waiting = ''
  #inputs: World | undefined
  #configWatch: ConfigWatch | undefined
  #publishing: NodeJS.Timeout | undefined
  #switching: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: CatalogOptions) {
    this.#options = options
  }

  /** Only after `start`. */
  get snapshot(): Snapshot {
    if (!this.#snapshot) throw new Error('the catalog was asked for a snapshot before it was started')
    return this.#snapshot
  }

  /**
   * Resolves when the first snapshot is there: every tree was looked at; digests may still be checked.
   *
   * @throws ConfigError when the configuration is no good: at the start there is no last good one to keep.
   */
  async start(): Promise<void> {
    const { configFile, cwd, events } = this.#options
    const file = configFile === undefined ? {} : { file: configFile }
    const loaded = await loadConfigFile({ ...file, cwd })
    this.#loaded = loaded
    this.#started = loaded.config
    this.#inputs = await this.#openWorld(loaded.config)
    this.#publish()
    this.#configWatch = await watchConfig({
      ...file,
      cwd,
      emit: events.emit,
      onLoaded: (changed) => this.#takeConfig(changed),
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#publishing)
    await this.#configWatch?.close()
    await this.#switching
    await this.#inputs?.close()
  }

  /** Calls back with every snapshot after the present one. Returns the function that ends it. */
  onChange(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Looks at everything now: configuration, templates, all trees. Resolves when the snapshot shows what was found. */
  async rescan(): Promise<void> {
    await this.#configWatch?.reload()
    await this.#switching
    await this.#inputs?.rescan()
    this.#publish()
  }

  /** Makes a tree known as it is in an earlier version, if that is still there. The next snapshot has it. */
  async recall(id: string, release: Pick<Release, 'id' | 'version'>): Promise<void> {
    await this.#inputs?.recall(id, release)
    this.#publish()
  }

  #takeConfig(loaded: LoadedConfig): void {
    const before = this.#loaded?.config
    this.#loaded = loaded
    if (before && samePaths(before, loaded.config)) this.#publish()
    else this.#switching = this.#switching.then(() => this.#switchWorld(loaded.config))
    this.#tellWaiting(loaded.config)
  }

  /** What was changed and waits for a restart; said again only when there is more or other of it. */
  #tellWaiting(config: Config): void {
    const keys = this.#started ? keysForRestart(this.#started, config).join(', ') : ''
    if (keys !== '' && keys !== this.#waiting) {
      const message = `${keys}: changed since treeboot was started, and read only then; restart it for this to take effect`
      this.#options.events.emit({ type: 'trouble', where: config.file ?? 'config.yaml', message })
    }
    this.#waiting = keys
  }

  /** Other folders: the old ones stay in the snapshot until the new ones are read. */
  async #switchWorld(config: Config): Promise<void> {
    if (this.#stopped) return
    const old = this.#inputs
    this.#inputs = await this.#openWorld(config)
    this.#publish()
    await old?.close()
  }

  #openWorld(config: Config): Promise<World> {
    const { clock = Date.now, events, settle, rescanMs = defaultRescanMs } = this.#options
    return openWorld(config, {
      clock,
      times: { ...settleTimes, ...settle },
      rescanMs,
      emit: events.emit,
      onChange: () => this.#publishSoon(),
    })
  }

  #publishSoon(): void {
    if (this.#stopped) return
    this.#publishing ??= setTimeout(() => this.#publish(), coalesceMs)
  }

  #publish(): void {
    clearTimeout(this.#publishing)
    this.#publishing = undefined
    if (this.#stopped || !this.#loaded || !this.#inputs) return
    this.#snapshot = assembleSnapshot({
      generation: (this.#snapshot?.generation ?? 0) + 1,
      loaded: this.#loaded,
      ...this.#inputs.parts(),
    })
    for (const listener of this.#listeners) listener(this.#snapshot)
  }
}

/** What lies in the folders that the configuration names. */
interface World {
  parts(): Pick<Parameters<typeof assembleSnapshot>[0], 'trees' | 'earlier' | 'templates' | 'problems'>
  rescan(): Promise<void>
  recall(id: string, release: Pick<Release, 'id' | 'version'>): Promise<void>
  close(): Promise<void>
}

interface WorldOptions {
  readonly clock: () => number
  readonly times: SettleTimes
  readonly rescanMs: number
  readonly emit: EventSink
  readonly onChange: () => void
}

async function openWorld({ paths }: Config, options: WorldOptions): Promise<World> {
  let stray = await strayLinks(paths)
  const cache = new VerifyCache(paths.data)
  const problems: SnapshotProblem[] = []
  const trouble = await cache.load()
  if (trouble !== undefined) problems.push({ severity: 'warning', where: paths.data, message: trouble })
  let templates: Templates = await readTemplates(paths.templates)
  const readAgain = async (): Promise<void> => {
    templates = await readTemplates(paths.templates)
    options.onChange()
  }
  let timer: NodeJS.Timeout | undefined
  /** An editor's save makes several events; one reading after the last of them is enough. */
  const templatesChanged = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void readAgain(), 2 * coalesceMs)
  }
  const unwatch = await watchTemplates(paths.templates, templatesChanged)
  const trees = new LiveTrees({ ...options, folder: paths.trees, cache })
  await trees.start()
  return {
    parts: () => ({
      trees: trees.trees,
      earlier: trees.earlier,
      templates: templates.texts,
      problems: [...problems, ...stray, ...templates.problems, ...trees.problems],
    }),
    rescan: async () => {
      stray = await strayLinks(paths)
      await Promise.all([readAgain(), trees.rescan()])
    },
    recall: (id, release) => trees.recall(id, release),
    close: async () => {
      clearTimeout(timer)
      await unwatch()
      await trees.stop()
    },
  }
}

function samePaths(a: Config, b: Config): boolean {
  return JSON.stringify(a.paths) === JSON.stringify(b.paths)
}
