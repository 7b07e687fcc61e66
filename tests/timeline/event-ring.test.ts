import { expect, test } from 'vitest'
import type { BootEvent } from '../../server/core/boots/boot-event.ts'
import { EventRing } from '../../server/timeline/event-ring.ts'

const event = (seq: number): BootEvent => ({
  seq,
  atMs: 1000 * seq,
  boot: 1,
  machine: 'web01',
  state: 'running',
  steps: [],
})

test('a client that had seen everything before a restart has missed nothing', () => {
  const ring = new EventRing([event(4), event(5)], 20_005)
  expect(ring.after(5)).toEqual([])
  expect(ring.after(20_005)).toEqual([])
  ring.add(event(20_006))
  expect(ring.after(5)?.map((each) => each.seq)).toEqual([20_006])
  expect(ring.after(4)?.map((each) => each.seq)).toEqual([5, 20_006])
  for (const seq of [2, 6, 20_007]) expect(ring.after(seq)).toBeUndefined()
})

test('events of a time and later', () => {
  const ring = new EventRing([event(4), event(5)], 5)
  expect(ring.since(5000).map(({ seq }) => seq)).toEqual([5])
  expect(ring.since(0)).toHaveLength(2)
  expect(ring.since(5001)).toEqual([])
})
