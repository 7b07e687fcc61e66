import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { syncFolder, writeAtomically } from '../host/atomic-write.ts'
import { syncFile, syncTree, type TreeSize } from './durable.ts'
import { addToHistory, readHistory, retiredMs } from './history.ts'
import { checkTreeId, decodeId, folderOfId, folderOfVersion, ownFolder, versionsFolder } from './layout.ts'
import { contentOf, linkOf, occupantOf, occupied, switchTo } from './public-link.ts'
import { type Acceptance, readRecord, recordFile, type VersionRecord } from './record.ts'

/** A verified tree in the file system of `trees/` that is to become the current version. */
export interface Staged {
  readonly id: string
  readonly kind: VersionRecord['kind']
  /** The folder, or the ISO file. Publishing moves it. */
  readonly path: string
  /** This field and the next four go unchanged into the version's record, see `VersionRecord`. */
  readonly source: string
  readonly by?: string
  readonly accepted?: Acceptance
  readonly signed?: VersionRecord['signed']
  readonly upstream?: string
  /** Whether a folder that the operator placed by hand may be replaced. It becomes an earlier version. */
  readonly replace?: boolean
}

export interface VersionView extends VersionRecord {
  readonly current: boolean
  /** When another version replaced it. */
  readonly retiredMs?: number
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

  /** Moves a staged tree into a new version and switches to that version. */
  async publish(staged: Staged): Promise<VersionRecord> {
    const { id, kind, path, replace = false } = staged
    await this.checkIdIsFree(id, replace)
    const size = kind === 'iso' ? { files: 1, bytes: await syncFile(path) } : await syncTree(path)
    await this.#adoptForeign(id)
    const version = await this.#newVersion(id)
    const record = this.#recordOf(staged, version, size)
    await writeAtomically(recordFile(this.#trees, id, version), toJson(record))
    // rename(2) replaces the empty folder that reserved the number; an ISO is moved into that folder.
    await rename(path, contentOf(this.#trees, id, version, kind))
    await syncFolder(folderOfVersion(this.#trees, id, version))
    await syncFolder(folderOfId(this.#trees, id))
    await this.#switch(record, 'publish', staged.by)
    return record
  }

  /** Switches back to an earlier version; without a number, to the one that was current before. */
  async rollback(id: string, version?: number, by?: string): Promise<VersionRecord> {
    const versions = await this.versions(id)
    if (versions.length === 0) throw new Failure('not-found', `${id} was not published by treeboot`)
    const wanted =
      version === undefined ? lastRetired(versions) : versions.find((each) => each.version === version)
    if (!wanted) {
      const numbers = versions.map((each) => each.version).join(', ')
      const missing = version === undefined ? 'an earlier version' : `a version ${version}`
      throw new Failure('not-found', `${id} does not have ${missing}; it has ${numbers}`)
    }
    if (wanted.current) throw new Failure('conflict', `version ${wanted.version} of ${id} is current already`)
    await this.checkIdIsFree(id)
    const { current: _, retiredMs: __, ...record } = wanted
    await this.#switch(record, 'rollback', by)
    return record
  }

  /** All versions whose content is on the disk, oldest first. */
  async versions(id: string): Promise<readonly VersionView[]> {
    const folder = folderOfId(this.#trees, id)
    const names = await readdir(folder).catch(() => [])
    const history = await readHistory(this.#trees, id)
    const current = await this.current(id)
    const found: VersionView[] = []
    for (const name of names) {
      if (!/^[1-9]\d*$/.test(name)) continue
      const record = await readRecord(this.#trees, id, Number(name))
      if (!record || (await readdir(join(folder, name)).catch(() => [])).length === 0) continue
      const retired = retiredMs(history, record.version)
      const isCurrent = record.version === current
      found.push({
        ...record,
        ...defined({ current: isCurrent, retiredMs: isCurrent ? undefined : retired }),
      })
    }
    return found.sort((a, b) => a.version - b.version)
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
   * Finishes publications that a crash interrupted after their content was moved into place. Returns the ids.
   */
  async recover(): Promise<readonly string[]> {
    const finished: string[] = []
    for (const id of await this.ids()) {
      const last = (await this.versions(id)).at(-1)
      const history = await readHistory(this.#trees, id)
      const newest = Math.max(0, ...history.map((entry) => entry.version))
      if (!last || last.version <= newest) continue
      const { current: _, retiredMs: __, ...record } = last
      await this.#switch(record, 'publish', last.by)
      finished.push(id)
    }
    return finished
  }

  async #switch(record: VersionRecord, action: 'publish' | 'rollback', by?: string): Promise<void> {
    const { id, version, kind } = record
    await switchTo(this.#trees, id, version, kind)
    await addToHistory(this.#trees, id, defined({ atMs: this.#clock(), action, version, by }))
  }

  /**
   * Turns a folder that was placed by hand into a version; its number precedes that of the new version. Until
   * the switch to the new version, nothing exists at the public name.
   */
  async #adoptForeign(id: string): Promise<void> {
    const link = linkOf(this.#trees, id, 'folder')
    const occupant = await occupantOf(this.#trees, link)
    if (occupant.kind !== 'foreign' || !occupant.folder) return
    const version = await this.#newVersion(id)
    const staged: Staged = { id, kind: 'folder', path: link, source: 'a folder placed by hand' }
    // Its files are not counted: the folder was never verified.
    const record = this.#recordOf(staged, version, { files: 0, bytes: 0 })
    await writeAtomically(recordFile(this.#trees, id, version), toJson(record))
    await addToHistory(this.#trees, id, { atMs: this.#clock(), action: 'adopt', version })
    await rename(link, folderOfVersion(this.#trees, id, version))
  }

  /** Reserves the next number by making its folder: only one process can make it. */
  async #newVersion(id: string): Promise<number> {
    const folder = folderOfId(this.#trees, id)
    await mkdir(folder, { recursive: true })
    // Names are `3`, `3.json` and `history`.
    const used = (await readdir(folder)).map((name) => Number.parseInt(name, 10)).filter(Number.isFinite)
    const history = (await readHistory(this.#trees, id)).map((entry) => entry.version)
    for (let version = Math.max(0, ...used, ...history) + 1; ; version++) {
      try {
        await mkdir(join(folder, String(version)))
        return version
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
    }
  }

  #recordOf(staged: Staged, version: number, size: TreeSize): VersionRecord {
    const { id, kind, source, by, accepted, signed, upstream } = staged
    const publishedMs = this.#clock()
    return { id, version, kind, publishedMs, source, ...size, ...defined({ by, accepted, signed, upstream }) }
  }

  /** Hides a version by one rename, then deletes it. Callers make sure that no machine needs it. */
  async remove(id: string, version: number): Promise<void> {
    if ((await this.current(id)) === version)
      throw new Failure('conflict', `version ${version} of ${id} is the current one`)
    const folder = folderOfId(this.#trees, id)
    const trash = join(this.#trees, ownFolder, `removed-${encodeURIComponent(id)}-${version}-${process.pid}`)
    await rename(join(folder, String(version)), trash)
    await rm(recordFile(this.#trees, id, version), { force: true })
    await rm(trash, { recursive: true, force: true })
    const left = await readdir(folder)
    if (left.every((name) => name === 'history')) {
      await rm(join(folder, 'history'), { force: true })
      await rmdir(folder).catch(() => undefined)
    }
  }
}

/** The version that was current before the present one. */
function lastRetired(versions: readonly VersionView[]): VersionView | undefined {
  return versions.filter((each) => !each.current).sort(lastCurrentFirst)[0]
}

/** The order of earlier versions for `sort`: the one that was replaced last comes first. */
export function lastCurrentFirst(a: VersionView, b: VersionView): number {
  return (b.retiredMs ?? 0) - (a.retiredMs ?? 0) || b.version - a.version
}

function toJson(record: VersionRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`
}
