import { keepLastGood, loadStartConfig } from '../config/last-good.ts'
import type { LoadedConfig } from '../config/load.ts'
import { makeDefaultFolders } from '../config/named-folders.ts'
import { problemLine } from '../config/problems.ts'
import { configState } from '../config/quiet-read.ts'
import type { RefusedConfig } from '../config/refused.ts'
import { keysForRestart } from '../config/restart-keys.ts'
import type { Config } from '../config/schema.ts'
import type { ConfigTexts } from '../config/texts.ts'
import { type ConfigWatch, watchConfig } from '../config/watch.ts'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { type SettleTimes, settleTimes } from '../core/tree/settle.ts'
import type { Release } from '../core/tree/tree.ts'
import type { EventSink } from '../events/bus.ts'
import { VerifyCache } from '../verify/verify-cache.ts'
import { assembleSnapshot, type SnapshotParts } from './assemble.ts'
import { LiveTemplates } from './live-templates.ts'
import { LiveTrees, type LiveTreesOptions } from './scan/live-trees.ts'
import { strayLinks } from './scan/stray-links.ts'
import type { Snapshot } from './snapshot.ts'

export interface CatalogOptions {
  /** Default: `config.yaml` in `cwd`, which may be missing. */
  readonly configFile?: string
  readonly cwd: string
  readonly events: { readonly emit: EventSink }
  /** Milliseconds since 1970, as file times are. */
  readonly clock?: () => number
  /** Default of each time: that of `settleTimes`. */
  readonly settle?: Partial<SettleTimes>
  /** How often everything is looked at again; default one minute. */
  readonly rescanMs?: number
  /** How often the configuration is looked at; default 250 ms. */
  readonly configPollMs?: number
  /** How long configuration and templates must be the same before a change of them is read; default 300 ms. */
  readonly configQuietMs?: number
  /** See `ConfigWatchOptions`. */
  readonly isHalfDone?: () => Promise<boolean>
}

const defaultRescanMs = 60_000
const defaultQuietMs = 300
/** Changes within this time make one snapshot. */
const coalesceMs = 20

/**
 * Reads configuration, trees and templates, and follows their changes. `snapshot` is complete and
 * never changes; after a change, a new snapshot takes its place.
 */
export class Catalog {
  readonly #options: CatalogOptions
  readonly #listeners = new Set<(snapshot: Snapshot) => void>()
  #snapshot: Snapshot | undefined
  #loaded: LoadedConfig | undefined
  #refused: RefusedConfig | undefined
  /** The texts of the configuration in force, until they are kept. */
  #texts: ConfigTexts | undefined
  #keepIn: string | undefined
  #keeping: Promise<void> = Promise.resolve()
  /** The configuration that the services were opened with. */
  #startConfig: Config | undefined
  /** The keys that were last reported as waiting for a restart. */
  #restartKeys = ''
  /** The problems of definition files that were last reported. */
  #wrongFiles = ''
  #folders: Folders | undefined
  #configWatch: ConfigWatch | undefined
  #replaceTimer: NodeJS.Timeout | undefined
  #switching: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: CatalogOptions) {
    this.#options = options
  }

  /** The present snapshot. It exists only after `start`. */
  get snapshot(): Snapshot {
    if (!this.#snapshot) throw new Error('the catalog has no snapshot before it is started')
    return this.#snapshot
  }

  /**
   * Reads everything and begins to watch it. Resolves when the first snapshot exists: every tree was looked
   * at, and digests may still be computed.
   *
   * @throws ConfigError for a faulty configuration when no earlier one was kept.
   */
  async start(): Promise<void> {
    const { configFile, cwd, events, configPollMs, configQuietMs, isHalfDone } = this.#options
    const where = defined({ file: configFile, cwd })
    // Trees may take long to look at: what is edited meanwhile must not be missed.
    const since = await configState(where)
    const { loaded, texts, refused } = await loadStartConfig(where)
    if (refused) events.emit({ type: 'config', outcome: 'kept-last-good', message: refused.message })
    this.#loaded = loaded
    this.#refused = refused
    this.#texts = texts
    this.#startConfig = loaded.config
    await makeDefaultFolders(loaded.config)
    this.#folders = await this.#openFolders(loaded.config)
    this.#replaceSnapshot()
    this.#reportWrongFiles(loaded)
    this.#configWatch = await watchConfig({
      ...where,
      times: defined({ pollMs: configPollMs, quietMs: configQuietMs }),
      inForce: texts,
      since,
      ...defined({ isHalfDone }),
      emit: events.emit,
      mustExist: texts.text !== undefined,
      onLoaded: (changed, from) => this.#takeConfig(changed, from),
      onRefused: (why) => {
        this.#refused = why
      },
    })
  }

  /** Why the files of the configuration are not in force; undefined while they are. */
  get refusedConfig(): RefusedConfig | undefined {
    return this.#refused
  }

  /** How many definition files are not in force as they are on the disk. */
  get filesNotInForce(): number {
    return this.#loaded?.filesNotInForce ?? 0
  }

  /** Keeps the configuration in this folder, now and after each change: a later start may need it. */
  async keepConfigIn(dataFolder: string): Promise<void> {
    this.#keepIn = dataFolder
    await this.#keepConfig()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#replaceTimer)
    await this.#configWatch?.close()
    await this.#switching
    await this.#keeping
    await this.#folders?.close()
  }

  /** Calls `listener` with every new snapshot. Returns a function that removes the listener. */
  onChange(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Looks at everything now: configuration, templates, all trees. Resolves when the snapshot shows what was
   * found.
   */
  async rescan(): Promise<void> {
    await this.#configWatch?.reload()
    await this.#switching
    await this.#folders?.rescan()
    this.#replaceSnapshot()
  }

  /** Reads configuration and definitions now. Resolves when the snapshot shows them, or they are refused. */
  async readConfig(): Promise<void> {
    await this.#configWatch?.reload()
    await this.#switching
  }

  /** Reads the templates now. Resolves when the snapshot shows them. */
  async readTemplates(): Promise<void> {
    await this.#switching
    await this.#folders?.readTemplates()
    this.#replaceSnapshot()
  }

  /**
   * Looks at these trees now, without waiting for events. Resolves when the snapshot shows what was found.
   */
  async lookNow(treeIds: readonly string[]): Promise<void> {
    await this.#switching
    await this.#folders?.trees.lookAt(treeIds)
    this.#replaceSnapshot()
  }

  /**
   * Adds an earlier version of a tree, if it is still on the disk. `release` names that version. Resolves
   * when the snapshot has it.
   */
  async recall(id: string, release: Pick<Release, 'id' | 'version'>): Promise<void> {
    await this.#folders?.trees.recall(id, release)
    this.#replaceSnapshot()
  }

  #keepConfig(): Promise<void> {
    const [texts, folder] = [this.#texts, this.#keepIn]
    if (!texts || folder === undefined) return this.#keeping
    this.#texts = undefined
    this.#keeping = this.#keeping
      .then(() => keepLastGood(folder, texts))
      .catch((error: unknown) => {
        const message = `the configuration cannot be kept for a start with a broken one: ${failureMessage(error)}`
        this.#options.events.emit({ type: 'trouble', where: folder, message })
      })
    return this.#keeping
  }

  #takeConfig(loaded: LoadedConfig, texts: ConfigTexts): void {
    const before = this.#loaded?.config
    this.#loaded = loaded
    this.#refused = undefined
    this.#texts = texts
    void this.#keepConfig()
    if (before && samePaths(before, loaded.config)) this.#replaceSnapshot()
    else this.#switching = this.#switching.then(() => this.#switchFolders(loaded.config))
    this.#reportRestartKeys(loaded.config)
    this.#reportWrongFiles(loaded)
  }

  /** Reports definition files that are not in force as they are; once for each set of problems. */
  #reportWrongFiles({ problems }: LoadedConfig): void {
    const message = problems
      .filter(({ severity }) => severity === 'error')
      .map(problemLine)
      .join('\n')
    if (message !== '' && message !== this.#wrongFiles)
      this.#options.events.emit({ type: 'trouble', where: 'definitions', message })
    this.#wrongFiles = message
  }

  /** Reports changed keys that take effect only after a restart; once for each set of keys. */
  #reportRestartKeys(config: Config): void {
    const keys = this.#startConfig ? keysForRestart(this.#startConfig, config).join(', ') : ''
    if (keys !== '' && keys !== this.#restartKeys) {
      const message = `${keys}: changed, but treeboot reads this only at its start; restart it to apply the change`
      this.#options.events.emit({ type: 'trouble', where: config.file ?? 'config.yaml', message })
    }
    this.#restartKeys = keys
  }

  /**
   * Opens the folders of a new configuration. The old ones stay in the snapshot until the new ones are read.
   */
  async #switchFolders(config: Config): Promise<void> {
    if (this.#stopped) return
    const old = this.#folders
    this.#folders = await this.#openFolders(config)
    this.#replaceSnapshot()
    await old?.close()
  }

  #openFolders({ paths }: Config): Promise<Folders> {
    const {
      clock = Date.now,
      events,
      settle,
      rescanMs = defaultRescanMs,
      configQuietMs = defaultQuietMs,
    } = this.#options
    return openFolders(paths, configQuietMs, {
      clock,
      times: { ...settleTimes, ...settle },
      rescanMs,
      emit: events.emit,
      onChange: () => this.#replaceSoon(),
    })
  }

  #replaceSoon(): void {
    if (this.#stopped) return
    this.#replaceTimer ??= setTimeout(() => this.#replaceSnapshot(), coalesceMs)
  }

  #replaceSnapshot(): void {
    clearTimeout(this.#replaceTimer)
    this.#replaceTimer = undefined
    if (this.#stopped || !this.#loaded || !this.#folders) return
    this.#snapshot = assembleSnapshot({
      generation: (this.#snapshot?.generation ?? 0) + 1,
      loaded: this.#loaded,
      ...this.#folders.parts(),
    })
    for (const listener of this.#listeners) listener(this.#snapshot)
  }
}

/** What was read from the folders that the configuration names, kept up to date. */
interface Folders {
  readonly trees: LiveTrees
  parts(): Pick<SnapshotParts, 'trees' | 'earlier' | 'templates' | 'problems'>
  readTemplates(): Promise<void>
  rescan(): Promise<void>
  close(): Promise<void>
}

async function openFolders(
  paths: Config['paths'],
  quietMs: number,
  options: Omit<LiveTreesOptions, 'folder' | 'cache'>,
): Promise<Folders> {
  let stray = await strayLinks(paths)
  const cache = new VerifyCache(paths.data)
  const cacheProblems: SnapshotProblem[] = []
  const trouble = await cache.load()
  if (trouble !== undefined) cacheProblems.push({ severity: 'warning', where: paths.data, message: trouble })
  const templates = await LiveTemplates.open({ folder: paths.templates, onChange: options.onChange, quietMs })
  const trees = new LiveTrees({ ...options, folder: paths.trees, cache })
  await trees.start()
  return {
    trees,
    parts: () => ({
      trees: trees.trees,
      earlier: trees.earlier,
      templates: templates.current.texts,
      problems: [...cacheProblems, ...stray, ...templates.current.problems, ...trees.problems],
    }),
    readTemplates: () => templates.look(),
    rescan: async () => {
      stray = await strayLinks(paths)
      await Promise.all([templates.look(), trees.rescan()])
    },
    close: async () => {
      await templates.close()
      await trees.stop()
    },
  }
}

function samePaths(a: Config, b: Config): boolean {
  return JSON.stringify(a.paths) === JSON.stringify(b.paths)
}
