import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { syncFolder, writeAtomically } from '../host/atomic-write.ts'
import { syncFile, syncTree, type TreeSize } from './durable.ts'
import { addToHistory, readHistory, retiredMs } from './history.ts'
import { checkTreeId, decodeId, folderOfId, folderOfVersion, ownFolder, versionsFolder } from './layout.ts'
import { contentOf, linkOf, occupantOf, occupied, switchTo } from './place.ts'
import { type Acceptance, readRecord, recordFile, type VersionRecord } from './record.ts'

/** Something whole and verified, in the file system of `trees/`, that is to become what everyone sees. */
export interface Staged {
  readonly id: string
  readonly kind: VersionRecord['kind']
  /** The folder, or the ISO file. It is moved. */
  readonly path: string
  readonly source: string
  readonly by?: string
  readonly accepted?: Acceptance
  readonly signed?: VersionRecord['signed']
  readonly upstream?: string
  /** Whether a folder that the operator put there by hand may make room. It becomes an earlier version. */
  readonly replace?: boolean
}

export interface VersionView extends VersionRecord {
  readonly current: boolean
  /** When it was replaced by another. */
  readonly retiredMs?: number
}

/**
 * Versions of published trees. Everything on disk is its state, so any process may use one at any time: the server, a
 * command beside it, and the next one after a crash.
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

  /** @throws Failure `conflict` or `bad-request` when nothing can be published under this id. Worth asking before a long download. */
  async checkPlace(id: string, replace = false): Promise<void> {
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

  /** Moves what was staged into a new version and switches to it at once. */
  async publish(staged: Staged): Promise<VersionRecord> {
    const { id, kind, path, replace = false } = staged
    await this.checkPlace(id, replace)
    const size = kind === 'iso' ? { files: 1, bytes: await syncFile(path) } : await syncTree(path)
    await this.#adoptForeign(id)
    const version = await this.#newVersion(id)
    const record = this.#recordOf(staged, version, size)
    await writeAtomically(recordFile(this.#trees, id, version), toJson(record))
    // Onto the empty folder that reserved the number, which rename(2) replaces; an ISO goes into it.
    await rename(path, contentOf(this.#trees, id, version, kind))
    await syncFolder(folderOfVersion(this.#trees, id, version))
    await syncFolder(folderOfId(this.#trees, id))
    await this.#switch(record, 'publish', staged.by)
    return record
  }

  /** Back to an earlier version; without a number to the one that was current before. */
  async rollback(id: string, version?: number, by?: string): Promise<VersionRecord> {
    const versions = await this.versions(id)
    if (versions.length === 0) throw new Failure('not-found', `${id} was not published by treeboot`)
    const wanted =
      version === undefined
        ? versions
            .filter((each) => !each.current)
            .sort((a, b) => (b.retiredMs ?? 0) - (a.retiredMs ?? 0) || b.version - a.version)[0]
        : versions.find((each) => each.version === version)
    if (!wanted) {
      const numbers = versions.map((each) => each.version).join(', ')
      throw new Failure(
        'not-found',
        version === undefined
          ? `${id} has no earlier version to go back to`
          : `${id} has no version ${version}; it has ${numbers}`,
      )
    }
    if (wanted.current) throw new Failure('conflict', `version ${wanted.version} of ${id} is current already`)
    await this.checkPlace(id)
    const { current: _, retiredMs: __, ...record } = wanted
    await this.#switch(record, 'rollback', by)
    return record
  }

  /** Oldest first; only versions whose content is there. */
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
        current: isCurrent,
        ...(!isCurrent && retired !== undefined && { retiredMs: retired }),
      })
    }
    return found.sort((a, b) => a.version - b.version)
  }

  /** The version that everyone sees. */
  async current(id: string): Promise<number | undefined> {
    for (const kind of ['folder', 'iso'] as const) {
      const occupant = await occupantOf(this.#trees, linkOf(this.#trees, id, kind))
      if (occupant.kind === 'version' && occupant.id === id) return occupant.version
    }
    return undefined
  }

  /** Every id that has versions, sorted. */
  async ids(): Promise<readonly string[]> {
    const names = await readdir(versionsFolder(this.#trees)).catch(() => [])
    return names
      .map(decodeId)
      .filter((id): id is string => id !== undefined)
      .sort()
  }

  /** Finishes what a crash cut short between moving a version into place and switching to it. Returns the ids. */
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
    await addToHistory(this.#trees, id, {
      atMs: this.#clock(),
      action,
      version,
      ...(by !== undefined && { by }),
    })
  }

  /** A folder placed by hand becomes the version before the new one. Between the two renames the tree is not there. */
  async #adoptForeign(id: string): Promise<void> {
    const link = linkOf(this.#trees, id, 'folder')
    const occupant = await occupantOf(this.#trees, link)
    if (occupant.kind !== 'foreign' || !occupant.folder) return
    const version = await this.#newVersion(id)
    const staged: Staged = { id, kind: 'folder', path: link, source: 'a folder placed by hand' }
    const record = this.#recordOf(staged, version, { files: 0, bytes: 0 })
    await writeAtomically(recordFile(this.#trees, id, version), toJson(record))
    await addToHistory(this.#trees, id, { atMs: this.#clock(), action: 'adopt', version })
    await rename(link, folderOfVersion(this.#trees, id, version))
  }

  /** Reserves the next number by making its folder, which only one process can. */
  async #newVersion(id: string): Promise<number> {
    const folder = folderOfId(this.#trees, id)
    await mkdir(folder, { recursive: true })
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
    return {
      id,
      version,
      kind,
      publishedMs: this.#clock(),
      source,
      ...size,
      ...(by !== undefined && { by }),
      ...(accepted !== undefined && { accepted }),
      ...(signed !== undefined && { signed }),
      ...(upstream !== undefined && { upstream }),
    }
  }

  /** Takes a version out of sight with one rename, then deletes it. The caller has made sure that nobody needs it. */
  async remove(id: string, version: number): Promise<void> {
    if ((await this.current(id)) === version)
      throw new Failure('conflict', `version ${version} of ${id} is what everyone sees`)
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

function toJson(record: VersionRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`
}
