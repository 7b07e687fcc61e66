import { link, lstat, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type CleanPath, isServedName } from '../../files/path.ts'
import { LinkResolver } from '../../host/links.ts'
import { shown, treePath, twice } from './tree-path.ts'

export interface TreeLink {
  /** Relative to the tree. */
  readonly path: string
  /**
   * For a hard link a path relative to the tree; for a symlink the text as written, relative to its folder.
   */
  readonly target: string
  readonly hard: boolean
}

/** The longest target that Linux takes (symlink(2)). */
const mostTargetBytes = 4095

/**
 * The links of a growing tree. Of several entries with one name the last one counts, as when tar(1) unpacks
 * them one after the other.
 */
export class TreeLinks {
  readonly #root: string
  /** In the order in which they were added last. */
  readonly #links = new Map<CleanPath, TreeLink>()

  constructor(root: string) {
    this.#root = root
  }

  /**
   * Adds a link. A hard link to an earlier link becomes a second one like that.
   *
   * @returns Why the link is left out; undefined when it is added.
   */
  add({ path, target, hard }: TreeLink): string | undefined {
    const at = treePath(path)
    const leftOut = (reason: string) => `${path} is left out: ${reason}`
    if (target === '') return leftOut('it is a link to nothing')
    if (!isServedName(target) || Buffer.byteLength(target) > mostTargetBytes)
      return leftOut(`no link can lead to ${shown(target)}`)
    if (!hard && target.startsWith('/')) return leftOut(`it is a link to ${target}, outside of the tree`)
    if (!hard) {
      this.#set(at, { path, target, hard })
      return undefined
    }
    if (target.split('/').includes('..')) return leftOut(`it is a link to ${target}, outside of the tree`)
    const inTree = treePath(target)
    // Tar(1) writes such entries when a name occurs twice among its arguments.
    if (inTree === at) return undefined
    const original = this.#links.get(inTree) ?? { target: inTree, hard }
    if (original.hard && original.target === at) return undefined
    this.#set(at, { path, target: original.target, hard: original.hard })
    return undefined
  }

  /** Drops the link of this name, if there is one: a later entry has taken its place. */
  forget(path: string): void {
    if (this.#links.size > 0) this.#links.delete(treePath(path))
  }

  /**
   * Makes the links in a tree that has all files and no symlink, and removes those that lead out.
   *
   * @param makeFolder Makes a folder of the tree and those above it.
   * @returns Why links were left out.
   */
  async make(makeFolder: (folder: string) => Promise<void>): Promise<string[]> {
    const links = [...this.#links]
    const notes: string[] = []
    // All folders first: from here on none is made, so none is made through a link.
    for (const [at] of links) await makeFolder(dirname(join(this.#root, at)))
    for (const [at] of links) await this.#refuseFolder(at)
    // Then the hard links: link(2) follows symlinks on the way to its target, and there are none yet.
    for (const [at, each] of links)
      if (each.hard && !(await this.#makeHardLink(at, each.target)))
        notes.push(
          `${each.path} is left out: it is a link to ${each.target}, which is not a file of the tree`,
        )
    for (const [at, each] of links) if (!each.hard) await symlink(each.target, await this.#cleared(at))
    const resolver = new LinkResolver(this.#root)
    for (const [at, each] of links) {
      if (each.hard || !(await resolver.leadsOut(at))) continue
      await rm(join(this.#root, at), { force: true })
      notes.push(`${each.path} is left out: its link to ${each.target} leads out of the tree`)
    }
    return notes
  }

  #set(at: CleanPath, treeLink: TreeLink): void {
    this.#links.delete(at)
    this.#links.set(at, treeLink)
  }

  /** False when the target is not a file. */
  async #makeHardLink(at: CleanPath, target: string): Promise<boolean> {
    const from = join(this.#root, target)
    const stats = await lstat(from).catch(() => undefined)
    if (!stats?.isFile()) return false
    await link(from, await this.#cleared(at))
    return true
  }

  async #refuseFolder(at: CleanPath): Promise<void> {
    const stats = await lstat(join(this.#root, at)).catch(() => undefined)
    if (stats?.isDirectory()) throw twice(at.slice(1))
  }

  /** The path on the disk, where a file of the same name is removed. */
  async #cleared(at: CleanPath): Promise<string> {
    const place = join(this.#root, at)
    await rm(place, { force: true })
    return place
  }
}
