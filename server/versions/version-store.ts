import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { makeFolder, syncFolder, writeAtomically } from '../host/atomic-write.ts'
import { syncFile, syncTree, type TreeSize } from './durable.ts'
import { hideAll, hideEarlier } from './hide.ts'
import { addToHistory, newestIn, readHistory, retiredMs } from './history.ts'
import { checkTreeId, decodeId, folderOfId, folderOfVersion, versionsFolder } from './layout.ts'
import { exclusively } from './lock.ts'
import { contentOf, linkOf, occupantOf, occupied, removeNames, switchTo } from './public-link.ts'
import { type Acceptance, readRecord, recordFile, recordText, type VersionRecord } from './record.ts'
import {
  type IdState,
  isUnfinished,
  lastRetired,
  repairOf,
  type VersionView,
  withoutReplacing,
} from './recover.ts'
import { takeBack } from './take-back.ts'

export type { VersionView } from './recover.ts'

/** A verified tree in the file system of `trees/` that is to become the current version. */
export interface Staged {
  readonly id: string
  readonly kind: VersionRecord['kind']
  /** The folder, or the ISO file. Publishing moves it. */
  readonly path: string
  /** This field and the next six go unchanged into the version's record, see `VersionRecord`. */
  readonly source: string
  readonly by?: string
  readonly accepted?: Acceptance
  readonly signed?: VersionRecord['signed']
  readonly sha256?: VersionRecord['sha256']
  readonly bootTest?: VersionRecord['bootTest']
  readonly upstream?: string
  /** Whether a folder that the operator placed by hand may be replaced. It becomes an earlier version. */
  readonly replace?: boolean
}

/**
 * Publishes versions of trees, and switches between them. All its state is on the disk, so several processes
 * may use it at any time: the server, a command beside it, and the next process after a crash.
 */
export class VersionStore {
  readonly #trees: string
  readonly #clock: () => number

  /** @param trees Real path of `trees/`. */
  constructor(trees: string, clock: () => number = Date.now) {
    this.#trees = trees
    this.#clock = clock
  }

  get trees(): string {
    return this.#trees
  }

  /**
   * Checks that a tree can be published under this id. Callers do so before a long download.
   *
   * @param replace See `Staged`.
   * @throws Failure `bad-request` for an id that no tree can have, `conflict` when treeboot did not publish
   *   what exists there, or when a folder above it is a tree.
   */
  async checkIdIsFree(id: string, replace = false): Promise<void> {
    checkTreeId(id)
    for (const kind of ['folder', 'iso'] as const) {
      const occupant = await occupantOf(this.#trees, linkOf(this.#trees, id, kind))
      if (occupant.kind !== 'foreign' || (replace && kind === 'folder' && occupant.folder)) continue
      throw occupied(kind === 'iso' ? `${id}.iso` : id, occupant.folder ? 'a folder' : 'a file or link')
    }
    const parts = id.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const above = parts.slice(0, depth).join('/')
      const occupant = await occupantOf(this.#trees, linkOf(this.#trees, above, 'folder'))
      if (occupant.kind === 'none' || (occupant.kind === 'foreign' && occupant.folder)) continue
      throw new Failure(
        'conflict',
        `${above} is a tree already, so ${id} cannot be below it; choose another id`,
      )
    }
  }

  /**
   * Moves a staged tree into a new version and switches to that version. The switch is the last step that can
   * fail: until then nobody sees a change, and a failure moves the tree back to where it was.
   */
  async publish(staged: Staged): Promise<VersionRecord> {
    const { id, kind, path, replace } = staged
    await this.checkIdIsFree(id, replace)
    // Takes long, so it comes before the lock.
    const size = kind === 'iso' ? { files: 1, bytes: await syncFile(path) } : await syncTree(path)
    return exclusively(this.#trees, () => this.#publish(staged, size))
  }

  async #publish(staged: Staged, size: TreeSize): Promise<VersionRecord> {
    const { id, kind, path, replace } = staged
    await this.checkIdIsFree(id, replace)
    const occupant = await occupantOf(this.#trees, linkOf(this.#trees, id, 'folder'))
    const reserved: number[] = []
    try {
      // A folder placed by hand becomes the version before the new one.
      const replaces = occupant.kind === 'foreign' ? await this.#reserve(id, reserved) : undefined
      const version = await this.#reserve(id, reserved)
      const record = { ...this.#recordOf(staged, version, size), ...defined({ replaces }) }
      await this.#writeRecord(record)
      // rename(2) replaces the empty folder that reserved the number; an ISO is moved into that folder.
      await rename(path, contentOf(this.#trees, id, version, kind))
      await this.#syncVersion(id, version)
      await this.#show(record)
      return record
    } catch (error) {
      await takeBack(this.#trees, { id, kind, path, reserved })
      throw error
    }
  }

  /** Switches back to an earlier version; without a number, to the one that was current before. */
  rollback(id: string, version?: number, by?: string): Promise<VersionRecord> {
    return exclusively(this.#trees, () => this.#rollback(id, version, by))
  }

  async #rollback(id: string, version?: number, by?: string): Promise<VersionRecord> {
    const versions = await this.versions(id)
    if (versions.length === 0) throw new Failure('not-found', `${id} was not published by treeboot`)
    // What was withdrawn comes back as the version that was public last.
    const last = versions.some(({ current }) => current) ? undefined : await this.neededVersion(id)
    const number = version ?? last?.version
    const wanted =
      number === undefined ? lastRetired(versions) : versions.find((each) => each.version === number)
    if (!wanted) {
      const numbers = versions.map((each) => each.version).join(', ')
      const missing = version === undefined ? 'an earlier version' : `a version ${version}`
      throw new Failure('not-found', `${id} does not have ${missing}; it has ${numbers}`)
    }
    if (wanted.current) throw new Failure('conflict', `version ${wanted.version} of ${id} is current already`)
    await this.checkIdIsFree(id)
    const record = withoutReplacing(wanted)
    // First the line: without it, an interrupted publication would be finished later, in spite of the rollback.
    const newest = await this.#highestNumber(id)
    await addToHistory(this.#trees, id, [
      defined({ atMs: this.#clock(), action: 'rollback' as const, version: record.version, newest, by }),
    ])
    await switchTo(this.#trees, record)
    return record
  }

  /**
   * Takes the public name of a tree away: clients see it no more. Its versions stay, and `rollback` shows one again.
   *
   * @throws Failure `conflict` when no version of it has a public name.
   */
  withdraw(id: string): Promise<VersionView> {
    return exclusively(this.#trees, async () => {
      // A line that is missing would let the next start finish the publication again.
      await this.#repair(id)
      const current = (await this.versions(id)).find((version) => version.current)
      if (!current) throw new Failure('conflict', `no version of ${id} is offered`)
      await removeNames(this.#trees, id)
      return current
    })
  }

  /** All versions whose content is on the disk, oldest first. */
  async versions(id: string): Promise<readonly VersionView[]> {
    return (await this.#state(id)).versions
  }

  async #state(id: string): Promise<IdState> {
    const folder = folderOfId(this.#trees, id)
    const [asFolder, asIso] = await Promise.all(
      (['folder', 'iso'] as const).map((kind) => occupantOf(this.#trees, linkOf(this.#trees, id, kind))),
    )
    const links = [asFolder, asIso]
      .filter((each) => each?.kind === 'version')
      .filter((each) => each.id === id)
    const lines = await readHistory(this.#trees, id)
    const [link] = links
    // A switch whose line is missing: the link says when it was.
    const lastLine = lines.at(-1)
    const isNoted = !link || (lastLine?.version === link.version && lastLine.action !== 'adopt')
    const unnoted = isNoted
      ? []
      : [{ atMs: link.sinceMs, action: 'rollback' as const, version: link.version }]
    const versions: VersionView[] = []
    for (const item of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const version = Number(item.name)
      // Not a link: one lies here for the moment in which it changes places with a folder.
      if (!/^[1-9]\d*$/.test(item.name) || !item.isDirectory()) continue
      const record = await readRecord(this.#trees, id, version)
      if (!record || (await readdir(join(folder, item.name)).catch(() => [])).length === 0) continue
      const current = version === link?.version
      const retired = current ? undefined : retiredMs([...lines, ...unnoted], version)
      versions.push({ ...record, ...defined({ current, retiredMs: retired }) })
    }
    versions.sort((a, b) => a.version - b.version)
    return { versions, lines, unnoted, links, isFree: asFolder?.kind === 'none' && asIso?.kind === 'none' }
  }

  /** A version that must stay although it is not current, and why. */
  async neededVersion(id: string): Promise<{ readonly version: number; readonly why: string } | undefined> {
    const state = await this.#state(id)
    const last = state.versions.at(-1)
    if (last && !last.current && isUnfinished(state, last))
      return { version: last.version, why: 'its publication was interrupted: the next start finishes it' }
    if (state.links.length > 0) return undefined
    // The version that was public last, or else the newest.
    const lines = state.lines.toReversed()
    const numbers = new Set(state.versions.map(({ version }) => version))
    const version = lines.find((line) => numbers.has(line.version))?.version ?? last?.version
    return version === undefined
      ? undefined
      : { version, why: 'the last one, which no name in trees/ leads to' }
  }

  /** The number of the current version. */
  async current(id: string): Promise<number | undefined> {
    for (const kind of ['folder', 'iso'] as const) {
      const occupant = await occupantOf(this.#trees, linkOf(this.#trees, id, kind))
      if (occupant.kind === 'version' && occupant.id === id) return occupant.version
    }
    return undefined
  }

  /** All ids that have versions, sorted. */
  async ids(): Promise<readonly string[]> {
    const names = await readdir(versionsFolder(this.#trees)).catch(() => [])
    return names
      .map(decodeId)
      .filter((id): id is string => id !== undefined)
      .sort()
  }

  /**
   * Repairs what a crash left: finishes publications whose content was in place already, shows a tree again
   * whose name was between two renames, and writes missing lines of the history. Returns the ids whose tree may
   * have changed. A tree that cannot be repaired does not keep the others from it.
   */
  async recover(
    onTrouble: (id: string, error: unknown) => void = () => undefined,
  ): Promise<readonly string[]> {
    const switched: string[] = []
    for (const id of await this.ids()) {
      try {
        // Without the lock at first: mostly nothing is to be done, and `trees/` may be read-only.
        if (!repairOf(await this.#state(id))) continue
        if (await exclusively(this.#trees, () => this.#repair(id))) switched.push(id)
      } catch (error) {
        onTrouble(id, error)
      }
    }
    return switched
  }

  /** Returns whether the public name was touched. */
  async #repair(id: string): Promise<boolean> {
    const repair = repairOf(await this.#state(id))
    if (repair?.kind === 'finish') await this.#show(repair.record)
    if (repair?.kind === 'show') await switchTo(this.#trees, repair.record)
    if (repair?.kind === 'note') await addToHistory(this.#trees, id, [repair.line])
    // A tree that is shown again has no line yet.
    if (repair?.kind === 'show') await this.#repair(id)
    return repair !== undefined && repair.kind !== 'note'
  }

  /** Makes a version that is completely in place the current one. */
  async #show(record: VersionRecord): Promise<void> {
    const { id, version, replaces, by } = record
    if (replaces !== undefined) {
      const adopted = { id, kind: 'folder', source: 'a folder placed by hand' } as const
      // Its files are not counted: the folder was never verified.
      await this.#writeRecord(this.#recordOf(adopted, replaces, { files: 0, bytes: 0 }))
      await syncFolder(folderOfId(this.#trees, id))
    }
    await switchTo(this.#trees, record)
    const atMs = this.#clock()
    const adopt = replaces === undefined ? [] : [{ atMs, action: 'adopt' as const, version: replaces }]
    const publish = defined({ atMs, action: 'publish' as const, version, by })
    // The tree is public now, on the disk, too. A line that does not fit on it is made up for: see `#state`.
    await addToHistory(this.#trees, id, [...adopt, publish]).catch(() => undefined)
  }

  #writeRecord(record: VersionRecord): Promise<void> {
    return writeAtomically(recordFile(this.#trees, record.id, record.version), recordText(record))
  }

  /** Makes the names of a version durable: its content, its number, and all folders above. */
  async #syncVersion(id: string, version: number): Promise<void> {
    const folders = [folderOfVersion(this.#trees, id, version), folderOfId(this.#trees, id)]
    for (const folder of [...folders, versionsFolder(this.#trees)]) await syncFolder(folder)
  }

  /** The highest number that was ever used, by a version, a record, or a line of the history; 0 for none. */
  async #highestNumber(id: string): Promise<number> {
    // Names are `3`, `3.json` and `history`.
    const names = await readdir(folderOfId(this.#trees, id)).catch(() => [])
    const used = names.map((name) => Number.parseInt(name, 10)).filter(Number.isFinite)
    return Math.max(newestIn(await readHistory(this.#trees, id)), ...used)
  }

  /** Reserves the next number by making its folder: only one process can make it. */
  async #reserve(id: string, reserved: number[]): Promise<number> {
    const folder = folderOfId(this.#trees, id)
    await makeFolder(folder)
    const version = (await this.#highestNumber(id)) + 1
    await mkdir(join(folder, String(version)))
    reserved.push(version)
    return version
  }

  #recordOf(
    staged: Pick<Staged, 'id' | 'kind' | 'source'> & Partial<Staged>,
    version: number,
    size: TreeSize,
  ): VersionRecord {
    const { id, kind, source, by, accepted, signed, sha256, bootTest, upstream } = staged
    const publishedMs = this.#clock()
    const rest = defined({ by, accepted, signed, sha256, bootTest, upstream })
    return { id, version, kind, publishedMs, source, ...size, ...rest }
  }

  /** Hides a version by one rename, then deletes it. Callers make sure that no machine needs it. */
  async remove(id: string, version: number, { evenLast = false } = {}): Promise<void> {
    const trash = await exclusively(this.#trees, async () =>
      hideEarlier(this.#trees, await this.versions(id), { id, version, evenLast }),
    )
    await rm(trash, { recursive: true, force: true })
  }

  /**
   * Removes a tree with all its versions. What an interruption leaves is not offered. Callers make sure that no machine
   * needs it.
   *
   * @param seen The numbers of its versions. When there are others by now, nothing is removed.
   */
  async removeAll(id: string, seen: readonly number[]): Promise<void> {
    const trash = await exclusively(this.#trees, async () => {
      // A line that is missing would let the next start show again what an interruption leaves.
      await this.#repair(id)
      return hideAll(this.#trees, id, await this.versions(id), seen)
    })
    for (const each of trash) await rm(each, { recursive: true, force: true })
  }
}
