import { describe, expect, test } from 'vitest'
import type { Event } from '../../server/events/bus.ts'
import { MovingTransfers, waitForTransfers } from '../../server/protocols/stop-grace.ts'

/** The transfers at a moment, by how much each has moved. */
const at = (moved: Readonly<Record<string, number>>) =>
  Object.entries(moved).map(([key, bytes]) => ({ key, moved: bytes }))

describe('the transfers that a stop waits for', () => {
  test('are those that move, each until it ends', () => {
    const moving = new MovingTransfers(at({ a: 0, b: 0 }), 0, 1000)
    moving.look(at({ a: 5, b: 1 }), 900)
    moving.look(at({ a: 6, b: 2 }), 1800)
    expect(moving.size).toBe(2)
    moving.look(at({ b: 3 }), 2000)
    expect(moving.size).toBe(1)
    moving.look([], 2100)
    expect(moving.size).toBe(0)
  })

  test('are no longer those that stand still, counted from their last step', () => {
    const moving = new MovingTransfers(at({ a: 0, b: 0 }), 0, 1000)
    moving.look(at({ a: 0, b: 1 }), 999)
    expect(moving.size).toBe(2)
    moving.look(at({ a: 0, b: 1 }), 1000)
    expect(moving.size).toBe(1)
    moving.look(at({ a: 9, b: 1 }), 1998)
    expect(moving.size).toBe(1)
    moving.look(at({ a: 10, b: 1 }), 1999)
    // What was given up does not count again.
    expect(moving.size).toBe(0)
  })

  test('are not those that began later', () => {
    const moving = new MovingTransfers(at({ a: 0 }), 0, 1000)
    moving.look(at({ a: 1, later: 0 }), 100)
    moving.look(at({ later: 1 }), 200)
    expect(moving.size).toBe(0)
  })

  test('may move backwards: a client that has started over moves', () => {
    const moving = new MovingTransfers(at({ a: 100 }), 0, 1000)
    moving.look(at({ a: 3 }), 900)
    moving.look(at({ a: 3 }), 1800)
    expect(moving.size).toBe(1)
  })
})

describe('waiting', () => {
  const told: string[] = []
  const events = (event: Event): void => {
    if (event.type === 'stop') told.push(event.message)
  }
  /** Moves at each look, for ever. */
  const endless = () => {
    let moved = 0
    return () => at({ a: moved++ })
  }

  test.each([
    ['no time is given', endless(), 0, []],
    [
      'the time is over',
      endless(),
      30,
      ['stopping: waiting for 1 transfer, at most 0.03 s; a second signal ends it'],
    ],
  ] as const)('ends when %s', async (_when, running, graceMs, lines) => {
    told.length = 0
    expect(await waitForTransfers(running, { graceMs: () => graceMs, events })).toBe(false)
    expect(told).toEqual(lines)
  })

  test('ends at once when it is cut', async () => {
    told.length = 0
    const cut = new AbortController()
    const waiting = waitForTransfers(endless(), { graceMs: () => 60_000, events, cut: cut.signal })
    expect(told).toEqual(['stopping: waiting for 1 transfer, at most 60 s; a second signal ends it'])
    cut.abort()
    expect(await waiting).toBe(false)
    // Cut before it began: nothing is said.
    expect(await waitForTransfers(endless(), { graceMs: () => 60_000, events, cut: cut.signal })).toBe(false)
    expect(told).toHaveLength(1)
  })

  test('asks for the time only when something runs', async () => {
    const graceMs = () => {
      throw new Error('there is no configuration yet')
    }
    expect(await waitForTransfers(() => [], { graceMs, events })).toBe(true)
  })
})
