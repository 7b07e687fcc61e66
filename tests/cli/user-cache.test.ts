import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { expect, test } from 'vitest'
import { userCacheFolder } from '../../server/cli/user-cache.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

test('the folder is that of the XDG specification', async () => {
  const home = temporaryFolder()
  expect(await userCacheFolder({ HOME: home })).toBe(join(home, '.cache/treeboot'))
  const cache = join(home, 'cache')
  expect(await userCacheFolder({ HOME: home, XDG_CACHE_HOME: cache })).toBe(join(cache, 'treeboot'))
  for (const none of ['', 'relative'])
    expect(await userCacheFolder({ HOME: home, XDG_CACHE_HOME: none })).toBe(join(home, '.cache/treeboot'))
  expect(await userCacheFolder({})).toBeUndefined()
  expect(await userCacheFolder({ HOME: join(home, 'a/b/c') })).toBeUndefined()
})

test('a folder of another user, and what is no folder, is not used', async () => {
  const home = temporaryFolder()
  const other = (getuid?.() ?? 0) + 1
  expect(await userCacheFolder({ HOME: home }, other)).toBeUndefined()
  mkdirSync(join(home, '.cache/treeboot'), { recursive: true })
  expect(await userCacheFolder({ HOME: home }, other)).toBeUndefined()
  writeBelow(home, 'file', '')
  expect(await userCacheFolder({ XDG_CACHE_HOME: join(home, 'file') })).toBeUndefined()
})
