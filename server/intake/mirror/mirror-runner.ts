import { mkdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { dueMs } from '../../config/schedule.ts'
import type { Config, MirrorConfig } from '../../config/schema.ts'
import { failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { writeAtomically } from '../../host/atomic-write.ts'
import { readSignaturePolicy } from '../../verify/signatures/key-files.ts'
import { VersionStore } from '../../versions/version-store.ts'
import { findingText } from '../publish-tree.ts'
import { type MirrorResult, mirrorTree } from './mirror-tree.ts'

export interface MirrorRunnerOptions {
  readonly config: () => Pick<Config, 'mirrors' | 'paths' | 'verify'>
  readonly events: EventSink
  readonly clock?: () => number
  /** For tests. */
  readonly run?: typeof mirrorTree
}

/** Timers cannot wait for longer than 24 days, and a laptop's lid may have been shut meanwhile. */
const lookAgainMs = 60_000
/** After a failure, however long the schedule is. */
const retryMs = 3_600_000

interface Last {
  readonly atMs: number
  readonly failed: boolean
}

/** Looks at the mirrors of the configuration when they are due, one after the other. */
export class MirrorRunner {
  readonly #options: MirrorRunnerOptions
  readonly #clock: () => number
  #last: Record<string, Last> = {}
  #timer: NodeJS.Timeout | undefined
  #aborter = new AbortController()
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
      this.#last = JSON.parse(await readFile(this.#file, 'utf8')) as Record<string, Last>
    } catch {
      // The first start, or a damaged file: every mirror is due, which does no harm.
      this.#last = {}
    }
    this.#look()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#aborter.abort()
    await this.#running
  }

  #look(): void {
    if (this.#aborter.signal.aborted) return
    this.#running = this.runDue().finally(() => {
      if (this.#aborter.signal.aborted) return
      this.#timer = setTimeout(() => this.#look(), lookAgainMs).unref()
    })
  }

  /** Everything that is due now. */
  async runDue(): Promise<void> {
    for (const mirror of this.#options.config().mirrors) {
      if (this.#aborter.signal.aborted) return
      const due = this.dueMs(mirror)
      if (due === undefined || due > this.#clock()) continue
      await this.#run(mirror)
    }
  }

  /** When a mirror is next looked at; undefined when only `treeboot mirror` does. */
  dueMs(mirror: MirrorConfig): number | undefined {
    if (!mirror.schedule) return undefined
    const last = this.#last[mirror.id]
    const due = dueMs(mirror.schedule, last?.atMs, atTimeOfDay)
    return last?.failed ? Math.min(due, last.atMs + retryMs) : due
  }

  async #run(mirror: MirrorConfig): Promise<void> {
    const { events, config, run = mirrorTree } = this.#options
    const { id, urls, bootOnly } = mirror
    let failed = true
    try {
      const { verify, paths } = config()
      const { trees, data } = paths
      const signatures = await readSignaturePolicy(verify)
      await mkdir(data, { recursive: true })
      const store = new VersionStore(await realpath(trees))
      const signal = this.#aborter.signal
      const checked = signatures && { signatures }
      const outcome = await run(store, urls, { id, bootOnly, by: 'the schedule', signal, ...checked })
      failed = !this.#tell(id, outcome)
    } catch (error) {
      if (this.#aborter.signal.aborted) return
      events({ type: 'publish', id, outcome: 'refused', lines: [failureMessage(error)] })
    }
    this.#last = { ...this.#last, [id]: { atMs: this.#clock(), failed } }
    await writeAtomically(this.#file, `${JSON.stringify(this.#last, undefined, 2)}\n`).catch(
      (error: unknown) => events({ type: 'trouble', where: this.#file, message: failureMessage(error) }),
    )
  }

  #tell(mirror: string, outcome: MirrorResult): boolean {
    let good = true
    for (const { id, result } of outcome.trees) {
      if (result.outcome === 'refused') good = false
      const lines =
        result.outcome === 'published'
          ? [`${id}: version ${result.record.version} from the mirror ${mirror}`]
          : result.findings
              .filter((each) => each.severity === 'error')
              .slice(0, 20)
              .map(findingText)
      this.#options.events({ type: 'publish', id, outcome: result.outcome, lines })
    }
    return good
  }
}

function atTimeOfDay(ms: number, hour: number, minute: number): number {
  return new Date(ms).setHours(hour, minute, 0, 0)
}
