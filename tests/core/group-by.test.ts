import { expect, test } from 'vitest'
import { groupBy } from '../../server/core/group-by.ts'

test('an item stands under each of its keys, and the items of a key keep their order', () => {
  const groups = groupBy(['cab', 'a', 'b', ''], (word) => word)
  expect([...groups]).toEqual([
    ['c', ['cab']],
    ['a', ['cab', 'a']],
    ['b', ['cab', 'b']],
  ])
})
