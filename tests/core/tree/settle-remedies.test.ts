import { expect, test } from 'vitest'
import { judgeTree, type SettleFacts, settleTimes } from '../../../server/core/tree/settle.ts'

const quiet: SettleFacts = {
  nowMs: 100_000,
  lastChangeMs: 0,
  missing: [],
  unreadable: [],
  unverified: [],
  damaged: [],
}

test.each<[string, Partial<SettleFacts>, RegExp | undefined]>([
  ['a file of another mode', { unreadable: ['vmlinuz'] }, undefined],
  ['an image that is cut short', { cutShort: { image: 'a.iso', missingBytes: 5 } }, undefined],
  [
    'a foreign kernel',
    { foreign: ['vmlinuz is a kernel for aarch64, and the tree says x86_64'] },
    /architecture/,
  ],
  ['a missing file', { missing: ['vmlinuz'] }, /copy that file again/],
])('to mend %s, one thing is said', (_, facts, remedy) => {
  const { reasons, remedy: found } = judgeTree({ ...quiet, ...facts }, settleTimes)
  expect(reasons).toHaveLength(1)
  if (remedy) expect(found).toMatch(remedy)
  else expect(found).toBeUndefined()
})
