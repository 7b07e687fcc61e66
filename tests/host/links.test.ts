import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LinkResolver, removeLinksOut } from '../../server/host/links.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/** A folder with links, name to target. `a/b` and `f` are there. */
function folderWith(links: Readonly<Record<string, string>>): string {
  const root = join(temporaryFolder(), 'root')
  mkdirSync(join(root, 'a/b'), { recursive: true })
  writeFileSync(join(root, 'f'), 'x')
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path))
  return root
}

const inside = {
  file: 'f',
  here: '.',
  'a/b/top': '../..',
  'a/b/through': 'top/file',
  dangling: 'not/there/../../f',
  'a/again': '../a/b/top/a/b/top/f',
}
const outside = {
  parent: '..',
  absolute: '/etc',
  'a/b/above': 'top/..',
  'a/b/far': 'top/a/../../x',
  'by-another': 'a/b/above/root/f',
  'back-in': '../root/f',
  circle: 'circle',
  'not-there': 'missing/../..',
}

test.each([
  ...Object.keys(inside).map((path) => [path, false] as const),
  ...Object.keys(outside).map((path) => [path, true] as const),
  // Names above the folder are looked at by nobody, not even for a path without links.
  ['a/../..', true] as const,
  ['file/below', false] as const,
])('%s leads out: %s', async (path, isOut) => {
  const root = folderWith({ ...inside, ...outside })
  expect(await new LinkResolver(root).leadsOut(path)).toBe(isOut)
})

test('as many links as Linux follows are followed', async () => {
  const chain = Array.from({ length: 42 }, (_, n) => [`l${n}`, n === 0 ? 'f' : `l${n - 1}`] as const)
  const resolver = new LinkResolver(folderWith(Object.fromEntries(chain)))
  expect(await resolver.leadsOut('l39')).toBe(false)
  expect(await resolver.leadsOut('l40')).toBe(true)
})

test('the links that lead out are removed, and the others stay', async () => {
  const root = folderWith({ ...inside, ...outside })
  const removed = await removeLinksOut(root)
  expect(Object.fromEntries(removed.map(({ path, target }) => [path, target]))).toEqual(outside)
  expect(readdirSync(join(root, 'a/b')).sort()).toEqual(['through', 'top'])
  expect(existsSync(join(root, 'a/b/through'))).toBe(true)
})
