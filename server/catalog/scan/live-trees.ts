import { realpath } from 'node:fs/promises'
import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import { isTemporaryFile } from '../../core/tree/names.ts'
import type { SettleTimes } from '../../core/tree/settle.ts'
import type { Release, Tree } from '../../core/tree/tree.ts'
import type { EventSink } from '../../events/bus.ts'
import { networkFileSystem } from '../../host/network-folder.ts'
import { BackgroundVerifier } from '../../verify/background-verifier.ts'
import type { VerifyCache } from '../../verify/verify-cache.ts'
import { EarlierTrees, readEarlierTree } from './earlier-trees.ts'
import { FolderWatch } from './folder-watch.ts'
import { TreeScanner } from './scanner.ts'

/** What `LiveTrees` works with, and whom it tells. */
export interface LiveTreesOptions {
  /** `trees/` as configured; it may be made later. */
  readonly folder: string
  readonly cache: VerifyCache
  readonly clock: () => number
  readonly times: SettleTimes
  /** How often everything is looked at again, to find changes that caused no event. */
  readonly rescanMs: number
  readonly emit: EventSink
  /** Called when `trees` or `problems` changed. */
  readonly onChange: () => void
}

/** How long events are collected before a look: one `mv` makes dozens. */
const collectMs = 50
/** How long digests are collected before their trees are judged. */
const collectDigestsMs = 30
/**
 * A network file system gives no events for what other machines write, so everything is looked at more often.
 */
const networkRescanMs = 5_000
/** How often a missing `trees/` is looked for. */
const missingRetryMs = 1_000
/** How often new digests are saved while others are still being computed. */
const saveEveryMs = 10_000

/** The trees below one folder, kept up to date: watchers and timers tell the scanner where to look. */
export class LiveTrees {
  readonly #options: LiveTreesOptions
  readonly #verifier: BackgroundVerifier
  #scanner: TreeScanner | undefined
  #watch: FolderWatch | undefined
  /** The kind of network file system that `trees/` is on, such as `NFS`; undefined on a local one. */
  #network: string | undefined
  #isMissing = false
  #isStopped = false
  #trees: readonly Tree[] = []
  readonly #earlier = new EarlierTrees()
  #notes = ''
  /** Real path of a folder -> names in it that changed, '' for an unknown one. */
  #changes = new Map<string, Set<string>>()
  /** Folders whose watch has just begun. */
  readonly #newlyWatched = new Set<string>()
  /** Real paths of files whose digest became known. */
  #digested = new Set<string>()
  #isLooking = false
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(options: LiveTreesOptions) {
    this.#options = options
    this.#verifier = new BackgroundVerifier(options.cache, (file) => this.#noteDigest(file))
  }

  get trees(): readonly Tree[] {
    return this.#trees
  }

  /** Trees in versions that were replaced, which machines may still be installing from. */
  get earlier(): readonly Tree[] {
    return this.#earlier.all
  }

  /** Adds an earlier version of a tree: after a restart only the current versions are known. */
  async recall(id: string, release: Pick<Release, 'id' | 'version'>): Promise<void> {
    const current = this.#trees.find((tree) => tree.id === id)
    const folder = await realpath(this.#options.folder).catch(() => undefined)
    if (!current || folder === undefined) return
    if (current.release?.id === release.id && current.release.version === release.version) return
    const tree = await readEarlierTree(folder, current, release)
    if (!tree) return
    this.#earlier.add(tree)
    this.#options.onChange()
  }

  get problems(): readonly SnapshotProblem[] {
    const { folder } = this.#options
    const warn = (message: string, remedy?: string): SnapshotProblem =>
      defined({ severity: 'warning' as const, where: folder, message, remedy })
    if (this.#isMissing) {
      const missing = warn('the folder is missing, so there are no trees', 'make it, or set paths.trees')
      return [{ ...missing, severity: 'error' }]
    }
    const notes = (this.#scanner?.notes ?? []).map((note) => warn(note))
    if (this.#network === undefined) return notes
    const late = `lies on ${this.#network}, where changes by other machines are noticed up to ${networkRescanMs / 1000} s late`
    return [warn(late), ...notes]
  }

  /** Resolves when every tree was looked at once; digests may still be unknown. */
  async start(): Promise<void> {
    this.#cancel('start')
    const folder = await realpath(this.#options.folder).catch(() => undefined)
    if (this.#isStopped) return
    this.#isMissing = folder === undefined
    if (folder === undefined) {
      this.#after('start', missingRetryMs, () => this.#startLate())
      return
    }
    const { clock, times, emit } = this.#options
    this.#network = await networkFileSystem(folder)
    this.#watch = new FolderWatch(
      (changed, name) => this.#noteChange(changed, name),
      (message) => emit({ type: 'trouble', where: this.#options.folder, message }),
    )
    this.#scanner = new TreeScanner({ folder, clock, times, verifier: this.#verifier, verify: true })
    await this.#scanner.scan()
    this.#update()
    this.#verifier.start()
    await this.#watchFolders()
    this.#rescanLater()
  }

  /** Looks at everything now. */
  async rescan(): Promise<void> {
    // Without a scanner and with a folder, `start` is still at work, and looks at everything itself.
    if (!this.#scanner) return this.#isMissing ? this.#startLate() : undefined
    if ((await realpath(this.#options.folder).catch(() => undefined)) === undefined) await this.#restart()
    else {
      await this.#scanner.scan()
      await this.#earlier.prune()
      await this.#watchFolders()
      this.#update()
    }
  }

  /** Looks at these ids now. Resolves when `trees` has what was found there. */
  async lookAt(ids: readonly string[]): Promise<void> {
    if (!this.#scanner) return this.rescan()
    await this.#scanner.lookAtIds(ids)
    this.#update()
    await this.#watchFolders()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    await this.#verifier.stop()
    await this.#watch?.close()
    await this.#scanner?.close()
    await this.#save()
  }

  async #startLate(): Promise<void> {
    await this.start()
    if (!this.#isMissing) this.#options.onChange()
  }

  /** Called when `trees/` was removed: forgets all trees and begins as at the start. */
  async #restart(): Promise<void> {
    await this.#watch?.close()
    await this.#scanner?.close()
    this.#scanner = undefined
    this.#watch = undefined
    this.#update()
    await this.start()
    this.#options.onChange()
  }

  /** Called when something changed in a watched folder. */
  #noteChange(folder: string, name = ''): void {
    // rsync writes under a temporary name and renames; the final name follows in a moment.
    const changed = isTemporaryFile(name) ? '' : name
    const names = this.#changes.get(folder)
    if (names) names.add(changed)
    else this.#changes.set(folder, new Set([changed]))
    if (!this.#timers.has('look')) this.#after('look', collectMs, () => this.#lookAtChanges())
  }

  async #lookAtChanges(): Promise<void> {
    // Changes during a look are collected, and are looked at right after it.
    if (this.#isLooking || !this.#scanner) return
    this.#isLooking = true
    try {
      while (this.#changes.size > 0 && !this.#isStopped) {
        const changes = this.#changes
        this.#changes = new Map()
        await this.#scanner.lookAtChanges(changes)
        await this.#watchFolders()
        this.#update()
      }
    } finally {
      this.#isLooking = false
    }
  }

  /**
   * Watches the folders that the scanner names. A new one may have changed before its watch began, so it is
   * looked at once more.
   */
  async #watchFolders(): Promise<void> {
    const folders = await this.#scanner?.foldersToWatch()
    if (!folders || this.#isStopped) return
    for (const folder of this.#watch?.set(folders) ?? []) this.#newlyWatched.add(folder)
    if (this.#newlyWatched.size > 0 && !this.#timers.has('newly watched'))
      this.#after('newly watched', 2 * collectMs, async () => {
        for (const folder of this.#newlyWatched) this.#noteChange(folder)
        this.#newlyWatched.clear()
      })
  }

  /**
   * Called for each new digest. Hundreds may come in a second, so their trees are judged together soon after.
   */
  #noteDigest(file: string): void {
    this.#digested.add(file)
    if (!this.#timers.has('digest')) this.#after('digest', collectDigestsMs, () => this.#judgeDigested())
  }

  async #judgeDigested(): Promise<void> {
    const files = this.#digested
    this.#digested = new Set()
    await this.#scanner?.takeDigests(files)
    this.#update()
    if (this.#verifier.idle) await this.#save()
    else if (!this.#timers.has('save')) this.#after('save', saveEveryMs, () => this.#save())
  }

  async #save(): Promise<void> {
    try {
      await this.#options.cache.save()
    } catch (error) {
      const message = `digests cannot be saved for the next start: ${failureMessage(error)}`
      this.#options.emit({ type: 'trouble', where: 'data', message })
    }
  }

  #rescanLater(): void {
    const { rescanMs } = this.#options
    const pause = this.#network === undefined ? rescanMs : Math.min(rescanMs, networkRescanMs)
    this.#after('rescan', pause, async () => {
      try {
        await this.rescan()
      } finally {
        this.#rescanLater()
      }
    })
  }

  /** Takes over the trees and notes of the scanner, reports the differences, and polls while copies run. */
  #update(): void {
    if (this.#isStopped) return
    const before = this.#trees
    const trees = this.#scanner?.trees ?? []
    const notes = (this.#scanner?.notes ?? []).join('\n')
    const hasOtherNotes = notes !== this.#notes
    const hasOtherTrees = trees.length !== before.length || trees.some((tree, at) => tree !== before[at])
    this.#notes = notes
    if (hasOtherTrees) {
      this.#trees = trees
      this.#earlier.keepReplaced(before, trees)
      this.#emitStates(before, trees)
    }
    if (hasOtherTrees || hasOtherNotes) this.#options.onChange()
    this.#pollUnsettled()
  }

  #pollUnsettled(): void {
    if (!this.#scanner?.hasUnsettled || this.#timers.has('poll')) return
    // Four looks in each quiet time, but no pause below 10 ms or above a quarter of a second.
    const pauseMs = Math.min(250, Math.max(10, this.#options.times.quietMs / 4))
    this.#after('poll', pauseMs, async () => {
      await this.#scanner?.lookAtUnsettled()
      this.#update()
    })
  }

  #emitStates(before: readonly Tree[], after: readonly Tree[]): void {
    const removed = new Map(before.map((tree) => [tree.id, tree]))
    for (const { id, state, reasons } of after) {
      const previous = removed.get(id)
      removed.delete(id)
      // An incoming tree is reported once, because its reasons name each file that arrives.
      const isSame =
        previous?.state === state && (state === 'incoming' || previous.reasons.join() === reasons.join())
      if (!isSame) this.#options.emit({ type: 'tree', id, state, reasons })
    }
    for (const id of removed.keys()) this.#options.emit({ type: 'tree', id, state: 'removed', reasons: [] })
  }

  #cancel(name: string): void {
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
  }

  /**
   * Runs the action after `ms`. A timer of the same name is replaced; the action may start a new timer of its
   * name.
   */
  #after(name: string, ms: number, action: () => Promise<void>): void {
    this.#cancel(name)
    if (this.#isStopped) return
    const timer = setTimeout(() => {
      this.#timers.delete(name)
      action().catch((error: unknown) => {
        const message = `looking at the trees failed: ${failureMessage(error)}`
        this.#options.emit({ type: 'trouble', where: this.#options.folder, message })
      })
    }, ms)
    timer.unref()
    this.#timers.set(name, timer)
  }
}
