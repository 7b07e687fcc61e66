import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../support/fuzz.ts'
import { goodPassword, hour, minute, openAccounts, withAnna } from './support.ts'

const address = '10.0.0.7'

describe('a session', () => {
  it('ends when it was not used for the idle time', async () => {
    const { accounts, clock } = await withAnna()
    const { id } = await accounts.signIn('anna', goodPassword, address)
    for (let n = 0; n < 20; n++) {
      clock.pass(30 * minute - 1)
      expect(await accounts.callerOfSession(id)).toBeDefined()
    }
    clock.pass(30 * minute)
    expect(await accounts.callerOfSession(id)).toBeUndefined()
  })

  it('ends at the latest after the longest time, however much it is used', async () => {
    const { accounts, clock, limits } = await withAnna()
    limits.maxMs = hour
    const { id } = await accounts.signIn('anna', goodPassword, address)
    for (let n = 0; n < 59; n++) {
      clock.pass(minute)
      expect(await accounts.callerOfSession(id)).toBeDefined()
    }
    clock.pass(minute)
    expect(await accounts.callerOfSession(id)).toBeUndefined()
  })

  it('goes on after a restart, and has then been idle a minute longer at most', async () => {
    const { accounts, clock, store } = await withAnna()
    const { id, csrf } = await accounts.signIn('anna', goodPassword, address)
    clock.pass(20 * minute)
    await accounts.callerOfSession(id)
    await accounts.close()
    const again = await openAccounts({ store, clock })
    clock.pass(29 * minute)
    expect((await again.accounts.callerOfSession(id))?.csrf).toBe(csrf)
  })

  it('ends at a restart when it begins in the future: the clock was set back', async () => {
    const { accounts, clock, store } = await withAnna()
    const { id } = await accounts.signIn('anna', goodPassword, address)
    await accounts.close()
    clock.step(-2 * minute)
    expect(await (await openAccounts({ store, clock })).accounts.callerOfSession(id)).toBeUndefined()
  })

  it('once ended, is not revived by a clock that is set back', async () => {
    const { accounts, clock } = await withAnna()
    const { id } = await accounts.signIn('anna', goodPassword, address)
    clock.step(13 * hour)
    expect(await accounts.callerOfSession(id)).toBeUndefined()
    clock.step(-13 * hour)
    expect(await accounts.callerOfSession(id)).toBeUndefined()
  })

  it('never lasts longer than its two times, however the clock is set', async () => {
    const aStep = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('pass' as const),
          ms: fc.integer({ min: 1, max: 32 * minute }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('step' as const),
          ms: fc.integer({ min: -20 * hour, max: 9 * minute }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('other' as const), ms: fc.constant(0) }) },
    )
    let uses = 0
    const live = async (
      steps: readonly { readonly kind: 'pass' | 'step' | 'other'; readonly ms: number }[],
    ) => {
      const { accounts, clock, limits } = await withAnna()
      limits.maxMs = 2 * hour
      const { id } = await accounts.signIn('anna', goodPassword, address)
      const ends = { made: clock.upMs + 2 * hour, idle: clock.upMs + 30 * minute }
      const apply = {
        step: (ms: number) => clock.step(ms),
        pass: (ms: number) => clock.pass(ms),
        // Records are new objects then.
        other: () => accounts.setAccount('anna', { role: 'admin' }),
      }
      for (const { kind, ms } of steps) {
        await apply[kind](ms)
        const isLive = (await accounts.callerOfSession(id)) !== undefined
        expect(isLive && clock.upMs >= Math.min(ends.made, ends.idle)).toBe(false)
        uses += isLive ? 1 : 0
        ends.idle = isLive ? clock.upMs + 30 * minute : 0
      }
    }
    await fc.assert(fc.asyncProperty(fc.array(aStep, { maxLength: 60 }), live), { numRuns: runs(500) })
    expect(uses).toBeGreaterThan(50)
  })
})
