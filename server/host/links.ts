import { readdir, readlink, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'

/**
 * Symlinks below a folder that strangers have filled. They are resolved by hand and name by name, so nothing
 * outside of the folder is looked at, whatever the links say.
 */

/** The most symlinks on one path: as many as Linux follows (path_resolution(7)). */
const mostLinks = 40
/** The most names on the way of one link. PATH_MAX allows two thousand, and each link as many again. */
const mostNames = 1000

export interface FoundLink {
  /** Relative to the folder. */
  readonly path: string
  readonly target: string
}

/**
 * Tells which symlinks lead out of a folder. What was read of the disk is kept, so a resolver is for one pass
 * over links that nobody changes meanwhile. Removing a link makes no other link lead out.
 */
export class LinkResolver {
  readonly #root: string
  readonly #targets = new Map<string, string | undefined>()

  /** @param root The folder. Nothing is said about symlinks above it. */
  constructor(root: string) {
    this.#root = root
  }

  /**
   * Whether a path leads out of the folder at any step. A name that is not there counts as a folder: somebody
   * may make it later. Paths with too many links or names count as leading out.
   *
   * @param path Relative to the folder.
   */
  async leadsOut(path: string): Promise<boolean> {
    const reached: string[] = []
    const left = namesOf(path)
    let links = 0
    for (let names = 0, name = left.pop(); name !== undefined; name = left.pop()) {
      if (++names > mostNames) return true
      if (name === '..') {
        if (reached.pop() === undefined) return true
        continue
      }
      const target = await this.#targetOf(join(this.#root, ...reached, name))
      if (target === undefined) {
        reached.push(name)
        continue
      }
      if (++links > mostLinks || target === '' || target.startsWith('/')) return true
      left.push(...namesOf(target))
    }
    return false
  }

  /** The target of a symlink; undefined when something else is there, or nothing. */
  async #targetOf(place: string): Promise<string | undefined> {
    if (this.#targets.has(place)) return this.#targets.get(place)
    const target = await readlink(place).catch((error: NodeJS.ErrnoException) => {
      if (notALink.has(error.code ?? '')) return undefined
      throw error
    })
    this.#targets.set(place, target)
    return target
  }
}

/** EINVAL: something else than a symlink is there. ENAMETOOLONG: nothing can be. */
const notALink = new Set(['EINVAL', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])

/** The names on a path, the last one first, without `.` and empty ones. */
function namesOf(path: string): string[] {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .reverse()
}

/** Removes every symlink below a folder that leads out of it. Returns these links. */
export async function removeLinksOut(root: string): Promise<readonly FoundLink[]> {
  const resolver = new LinkResolver(root)
  const removed: FoundLink[] = []
  for await (const place of othersBelow(root)) {
    const path = relative(root, place)
    const target = await readlink(place).catch(() => undefined)
    if (target === undefined || !(await resolver.leadsOut(path))) continue
    await rm(place, { force: true })
    removed.push({ path, target })
  }
  return removed
}

/** Whatever lies below a folder and is neither a file nor a folder: symlinks, pipes, sockets and devices. */
export async function* othersBelow(folder: string): AsyncGenerator<string> {
  for (const item of await readdir(folder, { withFileTypes: true })) {
    const place = join(folder, item.name)
    if (item.isDirectory()) yield* othersBelow(place)
    else if (!item.isFile()) yield place
  }
}
