import { realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { readAtMost } from '../host/read-at-most.ts'

/** `gitdir: ...` in the file `.git` of a worktree or submodule (gitrepository-layout(5)) is a path. */
const maxPathBytes = 8192

/** A lock that stands. Another one of the same path has another identity. */
export interface GitLock {
  readonly path: string
  readonly identity: string
}

/** The locks of all repositories that some folders are in. `guests.d` alone may be one, or a link into one. */
export async function standingGitLocks(folders: readonly string[]): Promise<readonly GitLock[]> {
  const found = (await Promise.all(folders.map(standingGitLock))).filter((lock) => lock !== undefined)
  return [...new Map(found.map((lock) => [lock.path, lock])).values()]
}

/**
 * The lock that git holds while it writes files of the repository that a folder is in: a pull, merge, checkout or
 * rebase makes `index.lock` in the git directory, writes the work tree, and renames the lock to `index` (git's
 * `repo_hold_locked_index`). Undefined when it does not stand.
 */
async function standingGitLock(folder: string): Promise<GitLock | undefined> {
  const gitDirectory = await gitDirectoryAbove(await realpath(folder).catch(() => folder))
  if (gitDirectory === undefined) return undefined
  const path = join(gitDirectory, 'index.lock')
  const stats = await stat(path, { bigint: true }).catch(() => undefined)
  return stats && { path, identity: `${stats.dev} ${stats.ino} ${stats.ctimeNs}` }
}

async function gitDirectoryAbove(folder: string): Promise<string | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, '.git')
    const stats = await stat(path).catch(() => undefined)
    if (stats?.isDirectory()) return path
    if (stats?.isFile()) {
      const bytes = await readAtMost(path, maxPathBytes).catch(() => undefined)
      const named = /^gitdir: (.+)/.exec(bytes?.toString() ?? '')?.[1]
      if (named !== undefined) return resolve(at, named.trimEnd())
    }
    if (dirname(at) === at) return undefined
  }
}
