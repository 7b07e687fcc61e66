import { readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { dueMs } from '../../config/schedule.ts'
import type { Config, MirrorConfig } from '../../config/schema.ts'
import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { makeFolder, writeAtomically } from '../../host/atomic-write.ts'
import { readSignaturePolicy } from '../../verify/signatures/key-files.ts'
import { VersionStore } from '../../versions/version-store.ts'
import type { ImportedTree } from '../import/import-tree.ts'
import { type BootGate, errorTexts } from '../publish-tree.ts'
import { mirrorTree } from './mirror-tree.ts'

export interface MirrorRunnerOptions {
  readonly config: () => Pick<Config, 'import' | 'limits' | 'mirrors' | 'paths' | 'verify'>
  readonly events: EventSink
  /** The boot test of versions; read at each run. */
  readonly bootGate?: () => BootGate | undefined
  readonly clock?: () => number
  /** For tests. */
  readonly run?: typeof mirrorTree
}

/** How often we look for mirrors that are due: timers are limited to 24 days, and a computer may sleep. */
const checkEveryMs = 60_000
/** A failed mirror runs again after this time, unless its schedule is due earlier. */
const retryMs = 3_600_000
/** The most faults that an event names. */
const maxLines = 20

interface LastRun {
  readonly atMs: number
  readonly failed: boolean
}

/** Runs the mirrors of the configuration when they are due, one after the other. */
export class MirrorRunner {
  readonly #options: MirrorRunnerOptions
  readonly #clock: () => number
  readonly #aborter = new AbortController()
  #lastRuns: Record<string, LastRun> = {}
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
      this.#lastRuns = JSON.parse(await readFile(this.#file, 'utf8')) as Record<string, LastRun>
    } catch {
      // The first start, or a damaged file: every mirror is due, which does no harm.
      this.#lastRuns = {}
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
    for (const mirror of this.#options.config().mirrors) {
      if (this.#aborter.signal.aborted) return
      const due = this.dueMs(mirror)
      if (due === undefined || due > this.#clock()) continue
      await this.#run(mirror)
    }
  }

  /** When a mirror runs next; undefined for one without a schedule, which only `treeboot mirror` runs. */
  dueMs(mirror: MirrorConfig): number | undefined {
    if (!mirror.schedule) return undefined
    const last = this.#lastRuns[mirror.id]
    const due = dueMs(mirror.schedule, last?.atMs, atTimeOfDay)
    return last?.failed ? Math.min(due, last.atMs + retryMs) : due
  }

  async #run(mirror: MirrorConfig): Promise<void> {
    const { events } = this.#options
    const { id } = mirror
    let failed = true
    try {
      const trees = await this.#mirror(mirror)
      for (const tree of trees) this.#report(id, tree)
      failed = trees.some(({ result }) => result.outcome === 'refused')
    } catch (error) {
      if (this.#aborter.signal.aborted) return
      events({ type: 'publish', id, outcome: 'refused', lines: [failureMessage(error)] })
    }
    this.#lastRuns = { ...this.#lastRuns, [id]: { atMs: this.#clock(), failed } }
    const text = `${JSON.stringify(this.#lastRuns, undefined, 2)}\n`
    await writeAtomically(this.#file, text).catch((error: unknown) =>
      events({ type: 'trouble', where: this.#file, message: failureMessage(error) }),
    )
  }

  async #mirror({ id, urls, bootOnly }: MirrorConfig): Promise<readonly ImportedTree[]> {
    const { config, bootGate, run = mirrorTree } = this.#options
    const { verify, paths, limits, import: importing } = config()
    const signatures = await readSignaturePolicy(verify)
    // For `mirrors.json`, which is written at the end of the run.
    await makeFolder(paths.data)
    const store = new VersionStore(await realpath(paths.trees))
    const { signal } = this.#aborter
    const { trees } = await run(store, urls, {
      id,
      bootOnly,
      by: 'the schedule',
      signal,
      ...importing,
      ...limits,
      ...defined({ signatures, bootGate: bootGate?.() }),
    })
    return trees
  }

  #report(mirror: string, { id, result }: ImportedTree): void {
    const lines =
      result.outcome === 'published'
        ? [`${id}: version ${result.record.version} from the mirror ${mirror}`]
        : errorTexts(result.findings).slice(0, maxLines)
    this.#options.events({ type: 'publish', id, outcome: result.outcome, lines })
  }
}

/** The moment with this time of day on the day of `ms`. `dueMs` leaves the time zone to its caller. */
function atTimeOfDay(ms: number, hour: number, minute: number): number {
  return new Date(ms).setHours(hour, minute, 0, 0)
}
