import { expect, test } from 'vitest'
import {
  doubtOf,
  heldText,
  type StoreEvidence,
  type StorePast,
  type WitnessSays,
} from '../../../server/core/guest/doubt.ts'
import { stating } from '../../support/stating.ts'

const mark = { id: 'ours', changes: 10 }
const fresh: StorePast = { mark: { id: 'ours', changes: 0 }, settled: false, witnessed: false }
const used: StorePast = { mark, settled: true, witnessed: true }
const at = (changes: number, id = 'ours'): WitnessSays => ({ id, changes })

test.each<[string, Omit<StoreEvidence, 'acceptNew'>, string | undefined]>([
  ['the data folder was lost', { past: fresh, witnesses: [at(9, 'theirs')], hasGuests: true }, 'new store'],
  [
    'the data folder was lost, and no guest is defined yet',
    { past: fresh, witnesses: [at(9, 'theirs')], hasGuests: false },
    'new store',
  ],
  ['only the configuration was restored', { past: fresh, witnesses: [], hasGuests: true }, 'new store'],
  ['a newcomer starts the server first', { past: fresh, witnesses: [], hasGuests: false }, undefined],
  [
    'an old backup was copied over the data folder',
    { past: used, witnesses: [at(11)], hasGuests: true },
    'old store',
  ],
  [
    'the store of another server was copied over it',
    { past: used, witnesses: [at(3, 'theirs')], hasGuests: true },
    'old store',
  ],
  [
    'the trees were moved, and the witness with them',
    { past: used, witnesses: [], hasGuests: true },
    'old store',
  ],
  [
    'the first start after an upgrade',
    { past: { ...used, witnessed: false }, witnesses: [], hasGuests: true },
    undefined,
  ],
  ['a crash between commit and witness', { past: used, witnesses: [at(9)], hasGuests: true }, undefined],
  ['an ordinary start', { past: used, witnesses: [at(10)], hasGuests: true }, undefined],
  [
    'a profile that installs unknown machines comes after the first start',
    { past: { ...used, unjudged: true }, witnesses: [at(10)], hasGuests: true, installsUnknown: true },
    'new store',
  ],
  [
    'the same without a witness',
    {
      past: { ...used, witnessed: false, unjudged: true },
      witnesses: [],
      hasGuests: true,
      installsUnknown: true,
    },
    'new store',
  ],
  [
    'guests come after the first start',
    { past: { ...used, unjudged: true }, witnesses: [at(10)], hasGuests: true },
    undefined,
  ],
  [
    'such a profile comes to a store that knows guests',
    { past: used, witnesses: [at(10)], hasGuests: true, installsUnknown: true },
    undefined,
  ],
  ['a damaged witness', { past: used, witnesses: ['damaged'], hasGuests: true }, 'old store'],
  [
    'one of two witnesses is ahead',
    { past: used, witnesses: [at(10), at(12)], hasGuests: true },
    'old store',
  ],
])('%s', (_, evidence, expected) => {
  const { past, witnesses } = evidence
  expect(doubtOf({ ...evidence, acceptNew: false })).toBe(expected)
  // The operator can accept a new store, and no lost or old one.
  const isFirstStart = (!past.settled && witnesses.length === 0) || past.unjudged === true
  expect(doubtOf({ ...evidence, acceptNew: true })).toBe(isFirstStart ? undefined : expected)
})

test('an operator learns who is held, why, and the command that ends it', () => {
  const text = (held: string[]) => heldText({ reason: 'old store', held })
  expect(text(['web01'])).toMatch(stating('web01', 'may be old', 'treeboot install --held'))
  expect(text(['web01', 'web02', 'db'])).toMatch(stating('web01', '2 more', 'treeboot install --held'))
  expect(text([])).toMatch(stating('may be old', 'treeboot install --held'))
})
