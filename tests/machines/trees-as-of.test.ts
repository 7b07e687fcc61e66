import { expect, test } from 'vitest'
import { createTreeIndex } from '../../server/core/select/select.ts'
import { treesAsOf } from '../../server/machines/trees-as-of.ts'
import { fakeTree } from '../support/trees.ts'

const release = (version: number) => ({ id: 'alma/9', version, folder: `/trees/.treeboot/alma/${version}` })
const now = fakeTree({ id: 'alma/9', version: '9.9', release: release(3) })
const before = [1, 2].map((version) =>
  fakeTree({ id: 'alma/9', version: `9.${version}`, release: release(version) }),
)
const trees = createTreeIndex([now], before)

test('a client of the current version sees the snapshot itself', () => {
  expect(treesAsOf(trees, new Map())).toBe(trees)
  expect(treesAsOf(trees, new Map([['alma/9', 3]]))).toBe(trees)
})

test('clients of one earlier version share one index, also when they saw other trees', () => {
  const first = treesAsOf(trees, new Map([['alma/9', 1]]))
  expect(first.byId('alma/9')?.version).toBe('9.1')
  const entries: [string, number][] = [
    ['gone', 4],
    ['alma/9', 1],
  ]
  expect(treesAsOf(trees, new Map(entries))).toBe(first)
  expect(treesAsOf(trees, new Map([['alma/9', 2]])).byId('alma/9')?.version).toBe('9.2')
})
