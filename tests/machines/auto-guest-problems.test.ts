import { expect, test } from 'vitest'
import type { Guest } from '../../server/core/guest/guest.ts'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import { type GuestState, newState } from '../../server/core/guest/state.ts'
import { halfMadeProblems } from '../../server/machines/auto-guest-problems.ts'

const name = 'auto-525400000001'

/** Whether there is a problem for a record of this name and state. */
function isTold(state: GuestState, { as = name, defined = false, isBeingMade = false } = {}): boolean {
  const guest = { name: as, macs: [], profiles: [], settings: {}, definedAt: '' } as unknown as Guest
  const guests = createGuestIndex(defined ? [guest] : [])
  return halfMadeProblems(new Map([[as, state]]), guests, () => isBeingMade).length === 1
}

test('a guest that was made by half is told with the commands that end it', () => {
  const [problem] = halfMadeProblems(new Map([[name, newState]]), createGuestIndex([]), () => false)
  expect(problem?.remedy).toBe(
    `to install it: treeboot guests add ${name} mac=52:54:00:00:00:01 profile=PROFILE; if not: treeboot guests forget ${name}`,
  )
})

test('a guest that has a file, that is being made, or that has done anything, was not', () => {
  expect(isTold(newState)).toBe(true)
  expect(isTold(newState, { defined: true })).toBe(false)
  expect(isTold(newState, { isBeingMade: true })).toBe(false)
  expect(isTold(newState, { as: 'web01' })).toBe(false)
  // A person removed its file, or said that it shall be forgotten.
  expect(isTold({ ...newState, sinceMs: 1 })).toBe(false)
  expect(isTold({ ...newState, install: 1 })).toBe(false)
  expect(isTold({ ...newState, state: 'held' })).toBe(false)
})
