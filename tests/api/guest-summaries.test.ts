import { expect, test } from 'vitest'
import { GuestSummaries } from '../../server/api/guest-summaries.ts'
import { guestSummary } from '../../server/api/views.ts'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import { type GuestState, newState } from '../../server/core/guest/state.ts'
import { createTreeIndex } from '../../server/core/select/select.ts'
import { parse } from '../support/config.ts'

function guestsOf(text: string) {
  return parse(text).guests
}

test('the summary of a guest is made again when its state or the snapshot is another one', () => {
  const made: string[] = []
  const summaries = new GuestSummaries((guest, trees, state) => {
    made.push(guest.name)
    return guestSummary(guest, trees, state)
  })
  const states = new Map<string, GuestState>()
  const trees = createTreeIndex([])
  const all = guestsOf('guests:\n  a: { mac: "52:54:00:aa:bb:01" }\n  b: { mac: "52:54:00:aa:bb:02" }\n')
  const snapshot = { guests: createGuestIndex(all), trees }
  const read = (now = snapshot): readonly { name: string; state: string }[] =>
    summaries.of(now.guests.all, now.trees, (guest) => states.get(guest.name))

  expect(read().map(({ name, state }) => [name, state])).toEqual([
    ['a', 'install'],
    ['b', 'install'],
  ])
  read()
  expect(made).toEqual(['a', 'b'])
  states.set('b', { ...newState, state: 'local' })
  expect(read().map(({ state }) => state)).toEqual(['install', 'local'])
  expect(made).toEqual(['a', 'b', 'b'])
  read({ ...snapshot, trees: createTreeIndex([]) })
  expect(made).toEqual(['a', 'b', 'b', 'a', 'b'])
  expect(read({ ...snapshot, guests: createGuestIndex([]) })).toEqual([])
})
