import { defined } from '../../core/defined.ts'
import { distroOf } from '../../core/distro/distro.ts'
import { deepFreeze } from '../../core/freeze.ts'
import { dropMissingPlatforms, isPatchedByMastering, mainPlatform } from '../../core/tree/boot-files.ts'
import { imagesOf } from '../../core/tree/conclude.ts'
import { judgeTree, type SettleTimes, type TreeVerdict } from '../../core/tree/settle.ts'
import type { Tree, TreeProblem } from '../../core/tree/tree.ts'
import type { BackgroundVerifier } from '../../verify/background-verifier.ts'
import type { VersionRecord } from '../../versions/record.ts'
import { ArrivalWatch } from './arrival.ts'
import type { TreeLocation } from './discover.ts'
import {
  changedFile,
  filesToRead,
  isCurrent,
  isMissing,
  missingFiles,
  newestChangeMs,
  pathInVersion,
  readTree,
  type TreeReading,
  unreadableFiles,
} from './read-tree.ts'

/**
 * At start-up, a tree younger than this is looked at down to its last folder: a copy of it may still be
 * running.
 */
const youngMs = 10 * 60_000

/** What all tracked trees depend on: the clock, the settle times, and the verifier. */
export interface TrackingContext {
  /** Real path of `trees/`. */
  readonly folder: string
  readonly clock: () => number
  readonly times: SettleTimes
  readonly verifier: BackgroundVerifier
  /**
   * Whether a tree waits until its digests are computed. If not, only digests that the verifier knows already
   * count, and the tree is offered as one that was not verified.
   */
  readonly verify: boolean
}

/** Follows one tree: looks at it, notices that it is being copied or changed, and judges its state. */
export class TrackedTree {
  readonly location: TreeLocation
  readonly #context: TrackingContext
  #reading: TreeReading
  #lastChangeMs: number
  /** Whether a file of the published version was changed later: the tree must then be verified again. */
  #modifiedAfterPublish = false
  /** What changed last, relative to the tree, for messages. */
  #lastChanged: string | undefined
  #arrival: ArrivalWatch | undefined
  #unreadable: readonly string[]
  #tree: Tree

  private constructor(
    location: TreeLocation,
    reading: TreeReading,
    unreadable: readonly string[],
    context: TrackingContext,
  ) {
    this.location = location
    this.#reading = reading
    this.#unreadable = unreadable
    this.#context = context
    // Nothing is copied into a published version: it was complete when it became current.
    this.#lastChangeMs = reading.published ? 0 : Math.min(newestChangeMs(reading), context.clock())
    this.#tree = this.#treeNow()
  }

  /**
   * Begins to follow a tree that was not known before.
   *
   * @param atStart Whether this is the first scan. An old tree then counts as complete by its descriptor and
   *   images alone: looking at every folder of a thousand trees would take too long.
   */
  static async create(
    location: TreeLocation,
    reading: TreeReading,
    context: TrackingContext,
    atStart: boolean,
  ): Promise<TrackedTree> {
    const tracked = new TrackedTree(location, reading, await unreadableFiles(reading), context)
    // An image is one file: there are no folders in which a copy could still be running.
    if (reading.image || reading.published) return tracked
    if (!atStart || context.clock() - tracked.#lastChangeMs < youngMs) {
      tracked.#arrival = new ArrivalWatch(reading.diskPath, context.clock)
      await tracked.#lookAtArrival()
      tracked.judge()
      tracked.#arrival?.listen()
    }
    return tracked
  }

  /** The tree as a snapshot shows it; the same object while nothing about it changes. */
  get tree(): Tree {
    return this.#tree
  }

  get reading(): TreeReading {
    return this.#reading
  }

  /** Whether a running copy, or time alone, may change its state. */
  get isUnsettled(): boolean {
    return this.#tree.state === 'incoming'
  }

  /** Looks again. False when it is not a tree any more. */
  async look(): Promise<boolean> {
    await this.#lookAtArrival()
    // Another mode of an image changes none of its stamps, and may let it be read.
    const isSame = (await isCurrent(this.#reading)) && this.#reading.image?.unreadable === undefined
    const isAsReadable = isSame && (await this.#lookAtModes())
    if (isAsReadable && !this.isUnsettled) return true
    if (!isSame) {
      const reading = await readTree(this.location, this.#context.folder)
      if (!reading) return false
      const changed = changedFile(this.#reading, reading)
      const isSameVersion = reading.published?.version === this.#reading.published?.version
      this.#modifiedAfterPublish = isSameVersion && (this.#modifiedAfterPublish || changed !== undefined)
      this.#reading = reading
      await this.#lookAtModes()
      if (changed !== undefined) this.#noteChange(this.#context.clock(), changed)
    }
    this.judge()
    return true
  }

  /** Judges the state of the last reading again: more digests may have been computed since. */
  judge(): void {
    const tree = this.#treeNow()
    if (JSON.stringify(tree) !== JSON.stringify(this.#tree)) this.#tree = tree
    if (this.isUnsettled && !this.#arrival && !this.#reading.image) {
      this.#arrival = new ArrivalWatch(this.#reading.diskPath, this.#context.clock)
      this.#arrival.listen()
    } else if (!this.isUnsettled) this.close()
  }

  /** Ends the watch on all its folders, which is only needed while a copy runs. */
  close(): void {
    this.#arrival?.close()
    this.#arrival = undefined
  }

  /** Notes which boot files may not be opened now. False when these are others than before. */
  async #lookAtModes(): Promise<boolean> {
    const before = this.#unreadable.join('\n')
    this.#unreadable = await unreadableFiles(this.#reading)
    return this.#unreadable.join('\n') === before
  }

  async #lookAtArrival(): Promise<void> {
    const change = await this.#arrival?.look()
    if (change && change.atMs > this.#lastChangeMs) this.#noteChange(change.atMs, change.path)
  }

  #noteChange(atMs: number, path: string | undefined): void {
    this.#lastChangeMs = atMs
    this.#lastChanged = path
  }

  /** The tree, with the state that follows from its last reading and the digests known by now. */
  #treeNow(): Tree {
    const { clock, times, verifier, verify } = this.#context
    const nowMs = clock()
    // When the clock was set back, the quiet time begins now. Otherwise the tree would be incoming until the
    // clock has caught up.
    if (this.#lastChangeMs > nowMs) this.#lastChangeMs = nowMs
    const { image, namedBy } = this.#reading
    const isCut = image !== undefined && image.missingBytes > 0
    const facts = defined({
      nowMs,
      lastChangeMs: this.#lastChangeMs,
      missing: missingFiles(this.#reading),
      unreadable: this.#unreadable,
      foreign: foreignOfMain(this.#reading),
      unverified: [],
      damaged: [],
      moving: this.#lastChanged,
      namedBy,
      unreadableImage:
        image?.unreadable === undefined ? undefined : { image: image.name, why: image.unreadable },
      cutShort: isCut ? { image: image.name, missingBytes: image.missingBytes } : undefined,
    })
    // First without digests: none is computed for a tree that is incoming or lacks a boot file.
    const unchecked = judgeTree(facts, times)
    if (unchecked.state !== 'ready') return treeOf(this.location, this.#reading, unchecked)
    const { published } = this.#reading
    const checked = verifier.check(filesToRead(this.#reading), verify)
    // Faults that somebody accepted when publishing do not make the version broken.
    const { description } = this.#reading
    const damaged = checked.damaged.filter(
      (file) =>
        !published?.accepted?.paths.includes(file.path) &&
        !('found' in file && isPatchedByMastering(file.path, description)),
    )
    // A published version was verified before: it is offered at once, and verified again meanwhile.
    const trusted = published !== undefined && !this.#modifiedAfterPublish
    const unverified = verify && !trusted ? [...checked.unverified, ...checked.unread] : []
    const verdict = judgeTree({ ...facts, damaged, unverified }, times)
    const sha256 = this.#sha256(trusted ? published.sha256 : undefined)
    const tree = treeOf(this.location, this.#reading, verdict, trusted ? [] : checked.unverified)
    return deepFreeze({ ...tree, sha256 })
  }

  /** SHA-256 of the images by path: as computed from what is there, else as it was when the version was published. */
  #sha256(published: VersionRecord['sha256'] = {}): Tree['sha256'] {
    const { description, files } = this.#reading
    const found: Record<string, string> = {}
    for (const path of imagesOf(description)) {
      const stamp = files.get(path)
      const recorded = pathInVersion(this.#reading, path)
      const hex =
        (stamp && this.#context.verifier.sha256(stamp)) ??
        (Object.hasOwn(published, recorded) ? published[recorded] : undefined)
      if (stamp && hex !== undefined) found[path] = hex
    }
    return found
  }
}

/**
 * The tree as a snapshot shows it, deeply frozen.
 *
 * @param unverified Files whose digest is not known yet.
 */
export function treeOf(
  location: TreeLocation,
  reading: TreeReading,
  verdict: TreeVerdict,
  unverified: readonly string[] = [],
): Tree {
  const { description, files } = reading
  const { platforms, problems } = dropMissingPlatforms(
    description,
    (path) => isMissing(reading, path),
    reading.foreign,
  )
  const sizes: Record<string, number> = {}
  let modifiedMs = 0
  for (const [path, stamp] of files) {
    if (!stamp) continue
    sizes[path] = stamp.size
    modifiedMs = Math.max(modifiedMs, stamp.mtimeMs)
  }
  return deepFreeze({
    ...description,
    platforms,
    id: location.id,
    distro: distroOf(description),
    origin: reading.image
      ? { kind: 'iso', path: reading.diskPath, name: reading.image.name, size: reading.image.size }
      : { kind: 'folder', path: reading.diskPath },
    ...(reading.release && { release: reading.release }),
    ...(reading.published?.upstream !== undefined && { upstream: reading.published.upstream }),
    state: verdict.state,
    reasons: verdict.reasons,
    ...defined({ remedy: verdict.remedy }),
    ...(verdict.state === 'ready' && unverified.length > 0 && { unverified }),
    sizes,
    sha256: {},
    modifiedMs,
    problems: [...description.problems, ...problems, ...treeProblems(reading, verdict)],
  })
}

/** What is wrong with the kernel of the main platform: without it the tree boots nothing. */
function foreignOfMain({ description, foreign }: TreeReading): string[] {
  const main = mainPlatform(description)
  return foreign.filter(({ platform }) => platform === main).map(({ path, message }) => `${path} ${message}`)
}

function treeProblems(reading: TreeReading, verdict: TreeVerdict): TreeProblem[] {
  const problems: TreeProblem[] = []
  const { accepted } = reading.published ?? {}
  if (accepted)
    problems.push({
      message: `published by ${accepted.by} in spite of its faults (${accepted.why}): ${accepted.faults.join('; ')}`,
    })
  if (mainPlatform(reading.description) === undefined && reading.image?.unreadable === undefined)
    problems.push({
      message:
        'packages only: it names no kernel, so guests can use it as a repository and cannot boot from it',
    })
  if (verdict.state === 'incoming') return problems
  for (const file of Object.keys(reading.description.checksums))
    if (!reading.files.get(file))
      problems.push({ file, message: `${file} has a digest in the descriptor and is missing` })
  return problems
}
