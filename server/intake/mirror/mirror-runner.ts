import { readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { dueMs } from '../../config/schedule.ts'
import type { Config, MirrorConfig } from '../../config/schema.ts'
import { starred } from '../../core/access/starred.ts'
import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { makeFolder, writeAtomically } from '../../host/atomic-write.ts'
import { VersionStore } from '../../versions/version-store.ts'
import { configuredOptions, linesOfTree, reportTrees } from '../configured-options.ts'
import { Cancelled } from '../import/progress.ts'
import type { BootGate } from '../publish-tree.ts'
import { AddressGuard } from './address-guard.ts'
import { mirrorTree } from './mirror-tree.ts'
import type { MirrorOptions, MirrorResult } from './options.ts'

/** What a run of a mirror needs of its caller. */
export type RunOptions = Pick<MirrorOptions, 'onProgress' | 'onRetry' | 'signal' | 'accept' | 'replace'> & {
  /** Who runs it, for the record of the version. */
  readonly by: string
}

export interface MirrorRunnerOptions {
  readonly config: () => Pick<Config, 'import' | 'imports' | 'limits' | 'mirrors' | 'paths' | 'verify'>
  readonly events: EventSink
  /** The boot test of versions; read at each run. */
  readonly bootGate?: () => BootGate | undefined
  readonly clock?: () => number
  /** Runs a mirror that is due, and resolves at its end. Default: at once, by `runNow`. */
  readonly runDue?: (mirror: MirrorConfig) => Promise<unknown>
  /** For tests. */
  readonly run?: typeof mirrorTree
}

/** How often we look for mirrors that are due: timers are limited to 24 days, and a computer may sleep. */
const checkEveryMs = 60_000
/** A failed mirror runs again after this time, unless its schedule is due earlier. */
const retryMs = 3_600_000
/** The most lines of a run that are kept. */
const maxLines = 40

/** What became of the last run of a mirror. */
export interface LastRun {
  readonly atMs: number
  readonly failed: boolean
  /** Absent in what an earlier treeboot wrote. */
  readonly outcome?: 'published' | 'unchanged' | 'refused' | 'failed' | 'cancelled'
  /** For people; secrets are starred. */
  readonly lines?: readonly string[]
}

/** Runs the mirrors of the configuration when they are due, one after the other, and remembers the last run of each. */
export class MirrorRunner {
  readonly #options: MirrorRunnerOptions
  readonly #clock: () => number
  readonly #aborter = new AbortController()
  #lastRuns: Record<string, LastRun> = Object.create(null)
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: MirrorRunnerOptions) {
    this.#options = options
    this.#clock = options.clock ?? Date.now
  }

  get #file(): string {
    return join(this.#options.config().paths.data, 'mirrors.json')
  }

  async start(): Promise<void> {
    try {
      const read = JSON.parse(await readFile(this.#file, 'utf8')) as Record<string, LastRun>
      this.#lastRuns = Object.assign(Object.create(null), read)
    } catch {
      // The first start, or a damaged file: every mirror is due, which does no harm.
    }
    this.#runRepeatedly()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#aborter.abort()
    await this.#running
  }

  #runRepeatedly(): void {
    if (this.#aborter.signal.aborted) return
    this.#running = this.runDue().finally(() => {
      if (this.#aborter.signal.aborted) return
      this.#timer = setTimeout(() => this.#runRepeatedly(), checkEveryMs).unref()
    })
  }

  /** Runs every mirror that is due now. */
  async runDue(): Promise<void> {
    const runNow = (mirror: MirrorConfig) => this.runNow(mirror, { by: 'the schedule' })
    const { runDue = runNow } = this.#options
    for (const mirror of this.#options.config().mirrors) {
      if (this.#aborter.signal.aborted) return
      const due = this.dueMs(mirror)
      if (due === undefined || due > this.#clock()) continue
      // What went wrong is told and remembered.
      await runDue(mirror).catch(() => undefined)
    }
  }

  /** When a mirror runs next; undefined for one without a schedule. */
  dueMs(mirror: MirrorConfig): number | undefined {
    if (!mirror.schedule) return undefined
    const last = this.#lastRuns[mirror.id]
    // A run in the future was written by a clock that was wrong: nobody knows how long ago it was.
    if (last && last.atMs > this.#clock()) return 0
    const due = dueMs(mirror.schedule, last?.atMs, atTimeOfDay)
    return last?.failed ? Math.min(due, last.atMs + retryMs) : due
  }

  lastRun(id: string): LastRun | undefined {
    return this.#lastRuns[id]
  }

  /**
   * Runs a mirror, tells what became of it, and remembers that. A run that is broken off, by the end of
   * the server or for a while, counts for nothing; one that a person gives up does.
   *
   * @throws Failure when nothing could be verified.
   */
  async runNow(mirror: MirrorConfig, options: RunOptions): Promise<MirrorResult> {
    const { events } = this.#options
    const { id } = mirror
    const signal = options.signal
      ? AbortSignal.any([options.signal, this.#aborter.signal])
      : this.#aborter.signal
    try {
      const result = await this.#mirror(mirror, { ...options, signal })
      reportTrees(events, result.trees, `the mirror ${id}`)
      await this.#remember(id, runOf(result))
      return result
    } catch (error) {
      const cancelled = signal.aborted && signal.reason instanceof Cancelled
      if (signal.aborted && !cancelled) throw error
      const lines = [String(starred(failureMessage(error)))]
      if (!cancelled) events({ type: 'publish', id, outcome: 'refused', lines })
      await this.#remember(id, cancelled ? cancelledRun : { failed: true, outcome: 'failed', lines })
      throw error
    }
  }

  async #remember(id: string, run: Omit<LastRun, 'atMs'>): Promise<void> {
    this.#lastRuns[id] = { atMs: this.#clock(), ...run }
    const text = `${JSON.stringify(this.#lastRuns, undefined, 2)}\n`
    await writeAtomically(this.#file, text).catch((error: unknown) =>
      this.#options.events({ type: 'trouble', where: this.#file, message: failureMessage(error) }),
    )
  }

  async #mirror(mirror: MirrorConfig, options: RunOptions): Promise<MirrorResult> {
    const { config, bootGate, run = mirrorTree } = this.#options
    const { paths, imports } = config()
    const { id, urls, bootOnly, inFile } = mirror
    const configured = await configuredOptions(config())
    // For `mirrors.json`, which is written at the end of the run.
    await makeFolder(paths.data)
    const store = new VersionStore(await realpath(paths.trees))
    // Only a person writes config.yaml; an account of the API may write mirrors.d.
    const guard = new AddressGuard(inFile ? imports.allow : [...imports.allow, ...urls.map(serverOf)])
    const gate = defined({ bootGate: bootGate?.() })
    return run(store, urls, { ...configured, ...options, ...gate, id, bootOnly, guard })
  }
}

const cancelledRun = { failed: false, outcome: 'cancelled', lines: [] } as const

function runOf({ trees, notes, unchanged }: MirrorResult): Omit<LastRun, 'atMs'> {
  const lines = [...trees.flatMap((tree) => linesOfTree(tree, 'its upstream')), ...notes].slice(0, maxLines)
  if (unchanged) return { failed: false, outcome: 'unchanged', lines }
  const failed = trees.some(({ result }) => result.outcome === 'refused')
  return { failed, outcome: failed ? 'refused' : 'published', lines }
}

/** All of the server that a URL names. */
function serverOf(url: string): string {
  return URL.canParse(url) ? `${new URL(url).protocol}//${new URL(url).host}/` : url
}

/** The moment with this time of day on the day of `ms`. `dueMs` leaves the time zone to its caller. */
function atTimeOfDay(ms: number, hour: number, minute: number): number {
  return new Date(ms).setHours(hour, minute, 0, 0)
}
