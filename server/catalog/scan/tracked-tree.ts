import { distroOf } from '../../core/distro/distro.ts'
import { deepFreeze } from '../../core/freeze.ts'
import { dropMissingPlatforms, mainPlatform } from '../../core/tree/boot-files.ts'
import { judgeTree, type SettleTimes, type TreeVerdict } from '../../core/tree/settle.ts'
import type { Tree, TreeProblem } from '../../core/tree/tree.ts'
import type { BackgroundVerifier, Verification } from '../../verify/background-verifier.ts'
import { ArrivalWatch } from './arrival.ts'
import type { Place } from './discover.ts'
import {
  changedFile,
  claimsOf,
  isCurrent,
  isMissing,
  missingFiles,
  newestChangeMs,
  readTree,
  type TreeReading,
} from './read-tree.ts'

/** Below this age a tree met at start-up is looked at to its last folder: it may be the end of a copy. */
const youngMs = 10 * 60_000

/** What trees share: the clock, the patience, and who computes digests. */
export interface Tracking {
  /** Real path of `trees/`. */
  readonly folder: string
  readonly clock: () => number
  readonly times: SettleTimes
  readonly verifier: BackgroundVerifier
  /** Whether to wait for digests; if not, a tree is offered and says that it was not checked. */
  readonly verify: boolean
}

/** One tree through its life: looks at it, notices that it moves, judges its state. */
export class TrackedTree {
  readonly place: Place
  readonly #tracking: Tracking
  #reading: TreeReading
  #lastChangeMs: number
  /** Somebody has changed a file of the version that was published: what was verified then says nothing of it. */
  #meddled = false
  #moving: string | undefined
  #arrival: ArrivalWatch | undefined
  #tree: Tree

  private constructor(place: Place, reading: TreeReading, tracking: Tracking) {
    this.place = place
    this.#reading = reading
    this.#tracking = tracking
    // Nothing is copied into a published version: it was switched in whole.
    this.#lastChangeMs = reading.published ? 0 : Math.min(newestChangeMs(reading), tracking.clock())
    this.#tree = this.#judge()
  }

  /**
   * A tree that was not known before.
   * @param atStart Old trees are then taken as complete by their descriptor and images alone, for nobody wants to
   *   walk through a thousand of them.
   */
  static async meet(
    place: Place,
    reading: TreeReading,
    tracking: Tracking,
    atStart: boolean,
  ): Promise<TrackedTree> {
    const tracked = new TrackedTree(place, reading, tracking)
    // An image is one file, and looking at that says everything.
    if (reading.image || reading.published) return tracked
    if (!atStart || tracking.clock() - tracked.#lastChangeMs < youngMs) {
      tracked.#arrival = new ArrivalWatch(reading.folder, tracking.clock)
      await tracked.#lookAtArrival()
      tracked.judge()
      tracked.#arrival?.listen()
    }
    return tracked
  }

  /** As a snapshot shows it; the same object while nothing about it changes. */
  get tree(): Tree {
    return this.#tree
  }

  get reading(): TreeReading {
    return this.#reading
  }

  /** Whether time or a running copy may change its state. */
  get isUnsettled(): boolean {
    return this.#tree.state === 'incoming'
  }

  /** Looks again. False when it is no tree any more. */
  async look(): Promise<boolean> {
    await this.#lookAtArrival()
    const isSame = await isCurrent(this.#reading)
    if (isSame && !this.isUnsettled) return true
    if (!isSame) {
      const reading = await readTree(this.place, this.#tracking.folder)
      if (!reading) return false
      const changed = changedFile(this.#reading, reading)
      const isSameVersion = reading.published?.version === this.#reading.published?.version
      this.#meddled = isSameVersion && (this.#meddled || changed !== undefined)
      this.#reading = reading
      if (changed !== undefined) this.#changed(this.#tracking.clock(), changed)
    }
    this.judge()
    return true
  }

  /** Judges anew what is known; digests may have become known meanwhile. */
  judge(): void {
    const tree = this.#judge()
    if (JSON.stringify(tree) !== JSON.stringify(this.#tree)) this.#tree = tree
    if (this.isUnsettled && !this.#arrival && !this.#reading.image) {
      this.#arrival = new ArrivalWatch(this.#reading.folder, this.#tracking.clock)
      this.#arrival.listen()
    } else if (!this.isUnsettled) this.close()
  }

  /** Ends what is watched only while a copy runs. */
  close(): void {
    this.#arrival?.close()
    this.#arrival = undefined
  }

  async #lookAtArrival(): Promise<void> {
    const moved = await this.#arrival?.look()
    if (moved && moved.atMs > this.#lastChangeMs) this.#changed(moved.atMs, moved.what)
  }

  #changed(atMs: number, what: string | undefined): void {
    this.#lastChangeMs = atMs
    this.#moving = what
  }

  #judge(): Tree {
    const { clock, times, verifier, verify } = this.#tracking
    const nowMs = clock()
    // The clock was set back: count from now, or the tree would be incoming until it has caught up.
    if (this.#lastChangeMs > nowMs) this.#lastChangeMs = nowMs
    const { image } = this.#reading
    const facts = {
      nowMs,
      lastChangeMs: this.#lastChangeMs,
      missing: missingFiles(this.#reading),
      unverified: [],
      damaged: [],
      ...(this.#moving !== undefined && { moving: this.#moving }),
      ...(this.#reading.namedBy !== undefined && { namedBy: this.#reading.namedBy }),
      ...(image &&
        image.missingBytes > 0 && {
          cutShort: { image: image.name, missingBytes: image.missingBytes },
        }),
    }
    const unchecked = judgeTree(facts, times)
    if (unchecked.state !== 'ready') return treeOf(this.place, this.#reading, unchecked)
    const { published } = this.#reading
    const checked = verifier.check(claimsOf(this.#reading), verify)
    const damaged = checked.damaged.filter(({ path }) => !published?.accepted?.paths.includes(path))
    // What was published had been verified before: it is offered at once, and checked again meanwhile.
    const trusted = published !== undefined && !this.#meddled
    const unverified = verify && !trusted ? checked.unverified : []
    const verdict = judgeTree({ ...facts, damaged, unverified }, times)
    return treeOf(this.place, this.#reading, verdict, trusted ? { unverified: [], damaged } : checked)
  }
}

/** The tree as everyone else sees it, frozen to the bottom. */
export function treeOf(
  place: Place,
  reading: TreeReading,
  verdict: TreeVerdict,
  checked?: Verification,
): Tree {
  const { description, files } = reading
  const { platforms, problems } = dropMissingPlatforms(description, (path) => isMissing(reading, path))
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
    id: place.id,
    distro: distroOf(description),
    origin: reading.image
      ? { kind: 'iso', path: reading.folder, name: reading.image.name }
      : { kind: 'folder', path: reading.folder },
    ...(reading.release && { release: reading.release }),
    ...(reading.published?.upstream !== undefined && { upstream: reading.published.upstream }),
    state: verdict.state,
    reasons: verdict.reasons,
    sizes,
    modifiedMs,
    problems: [...description.problems, ...problems, ...treeProblems(reading, verdict, checked)],
  })
}

function treeProblems(reading: TreeReading, verdict: TreeVerdict, checked?: Verification): TreeProblem[] {
  const problems: TreeProblem[] = []
  const { accepted } = reading.published ?? {}
  if (accepted)
    problems.push({
      message: `published by ${accepted.by} in spite of its faults (${accepted.why}): ${accepted.faults.join('; ')}`,
    })
  if (mainPlatform(reading.description) === undefined)
    problems.push({ message: 'names no kernel: good as a repository, but it boots no guest' })
  if (verdict.state === 'incoming') return problems
  for (const file of Object.keys(reading.description.checksums))
    if (!reading.files.get(file))
      problems.push({ file, message: `${file} has a digest in the descriptor and is missing` })
  if (verdict.state === 'ready' && checked && checked.unverified.length > 0)
    problems.push({
      message: `not verified yet: ${checked.unverified.join(', ')}; a running server checks the digests`,
    })
  return problems
}
