import type { CleanPath } from '../files/path.ts'

/** A path relative to the folder `at` of a tree: `images/x`, `../../AppStream/os/repodata/repomd.xml`. */
export function relativeTo(at: CleanPath, path: CleanPath): string {
  const from = at === '/' ? [] : at.slice(1).split('/')
  const to = path === '/' ? [] : path.slice(1).split('/')
  let same = 0
  while (same < from.length && from[same] === to[same]) same++
  return [...from.slice(same).map(() => '..'), ...to.slice(same)].join('/') || '.'
}
