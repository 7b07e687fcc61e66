import { expect, test } from 'vitest'
import { SpinWait } from '../../../../server/protocols/tftp/native/spin-wait.ts'

/** A poll that finds the packets in the list, then none. Counts its calls. */
function poller(...found: number[]) {
  const seen = { polls: 0 }
  const poll = (): number => {
    seen.polls++
    return found.shift() ?? 0
  }
  return { seen, poll }
}

test('packets that are there end the wait at once', () => {
  const { seen, poll } = poller(3)
  expect(new SpinWait(2).wait(poll)).toBe(3)
  expect(seen.polls).toBe(1)
})

test('a packet that comes soon is found by spinning', () => {
  const { seen, poll } = poller(0, 0, 2)
  expect(new SpinWait(2).wait(poll)).toBe(2)
  expect(seen.polls).toBe(3)
})

test('spinning stops after it has failed some times, and is tried again now and then', () => {
  const spinWait = new SpinWait(2)
  const { seen, poll } = poller()
  const polls = Array.from({ length: 200 }, () => {
    const before = seen.polls
    expect(spinWait.wait(poll)).toBe(0)
    return seen.polls - before
  })
  expect(polls[0]).toBeGreaterThan(1)
  // Eight spins that fail use up the credit. Of the 192 other waits, each 64th tries a spin.
  const withoutCredit = polls.slice(8)
  expect(withoutCredit.filter((count) => count === 1).length).toBeGreaterThanOrEqual(192 - 3)
  expect(withoutCredit.some((count) => count > 1)).toBe(true)
})

test('a machine with one core never spins', () => {
  const { seen, poll } = poller(0, 1)
  expect(new SpinWait(1).wait(poll)).toBe(0)
  expect(seen.polls).toBe(1)
})
