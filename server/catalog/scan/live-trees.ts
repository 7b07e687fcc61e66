import { realpath, statfs } from 'node:fs/promises'
import { failureMessage } from '../../core/failure.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import { isTemporaryFile } from '../../core/tree/names.ts'
import type { SettleTimes } from '../../core/tree/settle.ts'
import type { Release, Tree } from '../../core/tree/tree.ts'
import type { EventSink } from '../../events/bus.ts'
import { BackgroundVerifier } from '../../verify/background-verifier.ts'
import type { VerifyCache } from '../../verify/verify-cache.ts'
import { EarlierTrees, readEarlierTree } from './earlier-trees.ts'
import { FolderWatch } from './folder-watch.ts'
import { TreeScanner } from './scanner.ts'

export interface LiveTreesOptions {
  /** `trees/` as configured; it may come into being later. */
  readonly folder: string
  readonly cache: VerifyCache
  readonly clock: () => number
  readonly times: SettleTimes
  /** Everything is looked at again this often, for changes that nobody told. */
  readonly rescanMs: number
  readonly emit: EventSink
  /** `trees` or `problems` changed. */
  readonly onChange: () => void
}

/** Events are collected for so long before anyone looks: one `mv` makes dozens. */
const collectMs = 50
const digestMs = 30
/** A network file system tells nothing of what others write to it, so it is asked more often. */
const networkRescanMs = 5_000
/** How often a missing `trees/` is looked for. */
const missingRetryMs = 1_000
const saveEveryMs = 10_000

/** The trees below one folder, kept up to date: watchers and timers tell the scanner where to look. */
export class LiveTrees {
  readonly #options: LiveTreesOptions
  readonly #verifier: BackgroundVerifier
  #scanner: TreeScanner | undefined
  #watch: FolderWatch | undefined
  #network: string | undefined
  #missing = false
  #stopped = false
  #shown: readonly Tree[] = []
  readonly #earlier = new EarlierTrees()
  #shownNotes = ''
  #happened = new Map<string, Set<string>>()
  /** Folders whose watch was just asked for. */
  readonly #fresh = new Set<string>()
  /** Real paths of files whose digest just became known. */
  #digested = new Set<string>()
  #looking = false
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(options: LiveTreesOptions) {
    this.#options = options
    this.#verifier = new BackgroundVerifier(options.cache, (file) => this.#noteDigest(file))
  }

  get trees(): readonly Tree[] {
    return this.#shown
  }

  /** Of versions that were replaced, as far as somebody may be in the middle of them. */
  get earlier(): readonly Tree[] {
    return this.#earlier.all
  }

  /** Takes a tree of an earlier version in again: after a restart nobody has met it. */
  async recall(id: string, release: Pick<Release, 'id' | 'version'>): Promise<void> {
    const now = this.#shown.find((tree) => tree.id === id)
    const folder = await realpath(this.#options.folder).catch(() => undefined)
    if (!now || folder === undefined) return
    if (now.release?.id === release.id && now.release.version === release.version) return
    const tree = await readEarlierTree(folder, now, release)
    if (!tree) return
    this.#earlier.add(tree)
    this.#options.onChange()
  }

  get problems(): readonly SnapshotProblem[] {
    const { folder } = this.#options
    const warn = (message: string, remedy?: string): SnapshotProblem => ({
      severity: 'warning',
      where: folder,
      message,
      ...(remedy !== undefined && { remedy }),
    })
    if (this.#missing)
      return [warn('there is no such folder, so there are no trees', 'make it, or set paths.trees')]
    const notes = (this.#scanner?.notes ?? []).map((note) => warn(note))
    if (this.#network === undefined) return notes
    const late = `lies on ${this.#network}, where changes made by others are noticed up to ${networkRescanMs / 1000} s late`
    return [warn(late), ...notes]
  }

  /** Resolves when every tree was looked at once; digests may still be unknown. */
  async start(): Promise<void> {
    const folder = await realpath(this.#options.folder).catch(() => undefined)
    if (this.#stopped) return
    this.#missing = folder === undefined
    if (folder === undefined) {
      this.#after('start', missingRetryMs, () => this.#startLate())
      return
    }
    const { clock, times, emit } = this.#options
    this.#network = await networkFileSystem(folder)
    this.#watch = new FolderWatch(
      (changed, name) => this.#note(changed, name),
      (message) => emit({ type: 'trouble', where: this.#options.folder, message }),
    )
    this.#scanner = new TreeScanner({ folder, clock, times, verifier: this.#verifier, verify: true })
    await this.#scanner.scan()
    this.#show()
    this.#verifier.start()
    await this.#watchFolders()
    this.#rescanLater()
  }

  /** Looks at everything now. */
  async rescan(): Promise<void> {
    if (!this.#scanner) return this.#missing ? this.#startLate() : undefined
    // Gone or another folder by the same name: begin anew.
    if ((await realpath(this.#options.folder).catch(() => undefined)) === undefined) await this.#lost()
    else {
      await this.#scanner.scan()
      await this.#earlier.prune()
      await this.#watchFolders()
      this.#show()
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#verifier.stop()
    await this.#watch?.close()
    await this.#scanner?.close()
    await this.#save()
  }

  async #startLate(): Promise<void> {
    await this.start()
    if (!this.#missing) this.#options.onChange()
  }

  async #lost(): Promise<void> {
    await this.#watch?.close()
    await this.#scanner?.close()
    this.#scanner = undefined
    this.#watch = undefined
    this.#show()
    await this.start()
    this.#options.onChange()
  }

  /** Something changed in a watched folder. */
  #note(folder: string, name = ''): void {
    const names = this.#happened.get(folder)
    // rsync's temporary name says that a copy runs; the name it will get says the same a moment later.
    if (names) names.add(isTemporaryFile(name) ? '' : name)
    else this.#happened.set(folder, new Set([isTemporaryFile(name) ? '' : name]))
    if (!this.#timers.has('look')) this.#after('look', collectMs, () => this.#look())
  }

  async #look(): Promise<void> {
    // What happens while we look is collected meanwhile and looked at right after.
    if (this.#looking || !this.#scanner) return
    this.#looking = true
    try {
      while (this.#happened.size > 0 && !this.#stopped) {
        const happened = this.#happened
        this.#happened = new Map()
        await this.#scanner.lookAt(happened)
        await this.#watchFolders()
        this.#show()
      }
    } finally {
      this.#looking = false
    }
  }

  /** Between finding a folder and watching it things may have happened there: it is looked at once more. */
  async #watchFolders(): Promise<void> {
    const folders = await this.#scanner?.foldersToWatch()
    if (!folders || this.#stopped) return
    for (const folder of this.#watch?.set(folders) ?? []) this.#fresh.add(folder)
    if (this.#fresh.size > 0 && !this.#timers.has('fresh'))
      this.#after('fresh', 2 * collectMs, async () => {
        for (const folder of this.#fresh) this.#note(folder)
        this.#fresh.clear()
      })
  }

  /** Small files come by the hundred in a second; what is known is then looked at in one go. */
  #noteDigest(file: string): void {
    this.#digested.add(file)
    if (!this.#timers.has('digest')) this.#after('digest', digestMs, () => this.#judgeDigested())
  }

  async #judgeDigested(): Promise<void> {
    const files = this.#digested
    this.#digested = new Set()
    await this.#scanner?.digestsKnown(files)
    this.#show()
    if (this.#verifier.idle) await this.#save()
    else if (!this.#timers.has('save')) this.#after('save', saveEveryMs, () => this.#save())
  }

  async #save(): Promise<void> {
    try {
      await this.#options.cache.save()
    } catch (error) {
      const message = `digests cannot be kept for the next start: ${failureMessage(error)}`
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

  /** Tells what is different from what was shown last, and keeps looking while copies run. */
  #show(): void {
    if (this.#stopped) return
    const trees = this.#scanner?.trees ?? []
    const before = this.#shown
    const notes = (this.#scanner?.notes ?? []).join('\n')
    const noted = notes !== this.#shownNotes
    this.#shownNotes = notes
    if (trees.length !== before.length || trees.some((tree, at) => tree !== before[at])) {
      this.#shown = trees
      this.#earlier.replaced(before, trees)
      this.#tellStates(before, trees)
      this.#options.onChange()
    } else if (noted) this.#options.onChange()
    if (this.#scanner?.hasUnsettled && !this.#timers.has('poll')) {
      const pause = Math.min(250, Math.max(10, this.#options.times.quietMs / 4))
      this.#after('poll', pause, async () => {
        await this.#scanner?.lookAtUnsettled()
        this.#show()
      })
    }
  }

  #tellStates(before: readonly Tree[], after: readonly Tree[]): void {
    const states = new Map(before.map((tree) => [tree.id, tree]))
    for (const { id, state, reasons } of after) {
      const known = states.get(id)
      states.delete(id)
      const same = known?.state === state && (state === 'incoming' || known.reasons.join() === reasons.join())
      if (!same) this.#options.emit({ type: 'tree', id, state, reasons })
    }
    for (const id of states.keys()) this.#options.emit({ type: 'tree', id, state: 'removed', reasons: [] })
  }

  /** One timer by that name, which may start itself anew. */
  #after(name: string, ms: number, action: () => Promise<void>): void {
    clearTimeout(this.#timers.get(name))
    if (this.#stopped) return
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

/** `statfs(2)` magic numbers of file systems on which inotify sees only what this machine writes itself. */
const networkFileSystems = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x65735546, 'FUSE'],
])

async function networkFileSystem(folder: string): Promise<string | undefined> {
  const type = await statfs(folder).then(
    (stats) => stats.type,
    () => 0,
  )
  // Some are above 2^31 and come as negative numbers.
  return networkFileSystems.get(type >>> 0)
}
