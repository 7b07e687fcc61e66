import { describe, expect, test } from 'vitest'
import { judgeTree, type SettleFacts } from '../../../server/core/tree/settle.ts'
import { stating } from '../../support/stating.ts'

const times = { quietMs: 1000, missingGraceMs: 30_000 }
const digest = { algorithm: 'sha256', hex: 'aa' } as const
const settled: SettleFacts = {
  nowMs: 100_000,
  lastChangeMs: 0,
  namedBy: '.treeinfo',
  missing: [],
  unreadable: [],
  unverified: [],
  damaged: [],
}

describe('the state of a tree follows from the observations', () => {
  test.each([
    { name: 'a change at this moment', facts: { lastChangeMs: 100_000 }, state: 'incoming', again: 1000 },
    {
      name: 'a change just short of quietMs ago',
      facts: { lastChangeMs: 99_001 },
      state: 'incoming',
      again: 1,
    },
    { name: 'a change exactly quietMs ago', facts: { lastChangeMs: 99_000 }, state: 'ready' },
    { name: 'nothing for long', facts: {}, state: 'ready' },
    {
      name: 'a kernel missing for a short time',
      facts: { lastChangeMs: 98_000, missing: ['vmlinuz'] },
      state: 'incoming',
      again: 28_000,
    },
    { name: 'a kernel missing for good', facts: { missing: ['vmlinuz'] }, state: 'broken' },
    {
      name: 'a kernel missing just short of the grace',
      facts: { lastChangeMs: 70_001, missing: ['vmlinuz'] },
      state: 'incoming',
      again: 1,
    },
    {
      name: 'a kernel missing at the end of the grace',
      facts: { lastChangeMs: 70_000, missing: ['vmlinuz'] },
      state: 'broken',
    },
    {
      name: 'an image that is cut short',
      facts: { lastChangeMs: 70_001, missing: ['vmlinuz'], cutShort: { image: 'a.iso', missingBytes: 5 } },
      state: 'incoming',
      again: 1,
    },
    {
      name: 'an image that is cut short for good',
      facts: { lastChangeMs: 70_000, cutShort: { image: 'a.iso', missingBytes: 5 } },
      state: 'broken',
    },
    {
      name: 'a damaged file in a tree that moves',
      facts: { lastChangeMs: 99_999, damaged: [{ path: 'vmlinuz', expected: digest, found: 'bb' }] },
      state: 'incoming',
      again: 999,
    },
    { name: 'digests to be checked', facts: { unverified: ['vmlinuz'] }, state: 'verifying' },
    {
      name: 'one file damaged, others not checked yet',
      facts: { unverified: ['initrd'], damaged: [{ path: 'vmlinuz', expected: digest, found: 'bb' }] },
      state: 'broken',
    },
  ])('$name: $state', ({ facts, state, again }) => {
    const verdict = judgeTree({ ...settled, ...facts }, times)
    expect(verdict.state).toBe(state)
    expect(verdict.lookAgainInMs).toBe(again)
    expect(verdict.reasons.length > 0).toBe(state !== 'ready')
  })

  test('the reason of a broken tree has the file, the expected and the found digest', () => {
    const damaged = [{ path: 'images/pxeboot/vmlinuz', expected: digest, found: 'bb' }]
    expect(judgeTree({ ...settled, damaged }, times).reasons).toEqual([
      expect.stringMatching(stating('images/pxeboot/vmlinuz', 'sha256', 'aa', 'bb')),
    ])
  })

  test('reasons name what changes, what is awaited, and why a file cannot be read', () => {
    const reasonsOf = (facts: Partial<SettleFacts>) => judgeTree({ ...settled, ...facts }, times).reasons
    expect(reasonsOf({ lastChangeMs: 99_999, moving: 'images/boot.iso' })).toEqual([
      expect.stringContaining('images/boot.iso'),
    ])
    expect(reasonsOf({ lastChangeMs: 98_000, missing: ['vmlinuz', 'initrd'] })).toEqual([
      expect.stringMatching(stating('vmlinuz', 'initrd', '.treeinfo')),
    ])
    expect(reasonsOf({ missing: ['vmlinuz', 'initrd'] })).toEqual([
      expect.stringContaining('vmlinuz'),
      expect.stringContaining('initrd'),
    ])
    const cutShort = { image: 'a.iso', missingBytes: 5 }
    expect(reasonsOf({ lastChangeMs: 98_000, cutShort })).toEqual([expect.stringContaining('a.iso')])
    expect(reasonsOf({ cutShort })).toEqual([expect.stringMatching(stating('a.iso', '5'))])
    expect(reasonsOf({ damaged: [{ path: 'vmlinuz', expected: digest, error: 'EIO' }] })).toEqual([
      expect.stringMatching(stating('vmlinuz', 'EIO')),
    ])
    expect(reasonsOf({ unverified: ['vmlinuz', 'initrd'] })).toEqual([
      expect.stringMatching(stating('vmlinuz', 'initrd')),
    ])
  })

  test('a missing file is reported with the descriptor that names it', () => {
    expect(judgeTree({ ...settled, missing: ['vmlinuz'] }, times).reasons).toEqual([
      expect.stringMatching(stating('vmlinuz', '.treeinfo')),
    ])
  })
})

describe('a tree that is being copied', () => {
  /** The time, the facts that change then, and the state that follows. */
  const script: [number, Partial<SettleFacts>, string][] = [
    [0, { missing: ['vmlinuz'], lastChangeMs: 0 }, 'incoming'],
    [900, { missing: [], lastChangeMs: 900 }, 'incoming'],
    [1800, { lastChangeMs: 1800 }, 'incoming'],
    [2790, {}, 'incoming'],
    [2800, { unverified: ['vmlinuz'] }, 'verifying'],
    [3000, { unverified: [] }, 'ready'],
    [9000, { lastChangeMs: 9000 }, 'incoming'],
    [10_500, { damaged: [{ path: 'vmlinuz', expected: digest, found: 'bb' }] }, 'broken'],
    [11_000, { damaged: [], lastChangeMs: 11_000 }, 'incoming'],
    [12_000, {}, 'ready'],
  ]
  test('goes through the states in order and is never ready while files change', () => {
    let facts = settled
    const seen: string[] = []
    for (const [nowMs, change] of script) {
      facts = { ...facts, ...change, nowMs }
      seen.push(judgeTree(facts, times).state)
    }
    expect(seen).toEqual(script.map(([, , state]) => state))
  })
})
