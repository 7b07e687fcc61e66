import { expect, test } from 'vitest'
import { folderEntry } from '../../server/files/entry.ts'
import { FolderListings } from '../../server/files/folder-listings.ts'
import type { Entry } from '../../server/files/source.ts'

const file: Entry = {
  ...{ name: 'x', kind: 'file', size: 1, modifiedMs: 0, etag: 'a', extent: { file: '/a', offset: 0 } },
  open: () => Promise.reject(new Error('not opened here')),
}

function listings() {
  const state = { nowMs: 0, reads: 0 }
  const kept = new FolderListings(() => state.nowMs)
  const get = (stamp: string, name = 'x', folder = '/a') =>
    kept.get(folder, stamp, async () => {
      state.reads++
      return [folderEntry(name, 0)]
    })
  return { state, kept, get }
}

test('a listing is read once in a second, and is the same one while nothing has changed', async () => {
  const { state, get } = listings()
  const first = await get('1')
  state.nowMs = 999
  expect(await get('1')).toBe(first)
  expect(state.reads).toBe(1)
  state.nowMs = 1000
  expect(await get('1')).toBe(first)
  expect(state.reads).toBe(2)
})

test.each([
  ['a file has grown', { ...file, etag: 'b' }],
  ['a file has another name', { ...file, name: 'y' }],
  ['a symlink leads to the same file by another path', { ...file, extent: { file: '/b', offset: 0 } }],
  ['a folder has taken the place of a file', { ...folderEntry('x', 0), etag: 'a' }],
])('%s: the new listing counts', async (_, changed) => {
  let nowMs = 0
  const kept = new FolderListings(() => nowMs)
  expect(await kept.get('/a', '1', async () => [file])).toEqual([file])
  nowMs = 1000
  expect(await kept.get('/a', '1', async () => [changed])).toEqual([changed])
})

test('a change of the folder is seen at once, and each folder has its own', async () => {
  const { state, get } = listings()
  await get('1', 'old')
  expect((await get('2', 'new'))?.map(({ name }) => name)).toEqual(['new'])
  expect((await get('2', 'other', '/b'))?.map(({ name }) => name)).toEqual(['other'])
  expect(state.reads).toBe(3)
})

test('requests that come while a folder is read share the reading, and a failure is not kept', async () => {
  const { kept, state, get } = listings()
  let finish: (entries: readonly Entry[] | undefined) => void = () => {}
  let fail: (error: Error) => void = () => {}
  const slow = () =>
    new Promise<readonly Entry[] | undefined>((resolve, reject) => {
      state.reads++
      finish = resolve
      fail = reject
    })
  const shared = [kept.get('/a', '1', slow), kept.get('/a', '1', slow)]
  expect(state.reads).toBe(1)
  fail(new Error('no descriptor is left'))
  for (const each of shared) await expect(each).rejects.toThrow('no descriptor')
  const again = kept.get('/a', '1', slow)
  finish(undefined)
  expect(await again).toBeUndefined()
  expect(await get('1')).toBeUndefined()
  expect(state.reads).toBe(2)
})
