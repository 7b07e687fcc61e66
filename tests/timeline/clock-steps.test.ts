import { describe, expect, test } from 'vitest'
import type { Boot } from '../../server/core/boots/boot.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { BootRecorder } from '../../server/timeline/recorder.ts'
import { SteadyClock } from '../../server/timeline/steady-clock.ts'
import { epochMs, recordingOf } from '../support/boots.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

describe('a clock that is set', () => {
  test('is followed when somebody asks by how much, and goes on before', () => {
    let [nowMs, upMs] = [epochMs, 5]
    const clock = new SteadyClock({ now: () => nowMs, up: () => upMs })
    const pass = (ms: number): void => {
      nowMs += ms
      upMs += ms
    }
    pass(1000)
    expect(clock.now()).toBe(epochMs + 1000)
    nowMs -= dayMs
    pass(1000)
    expect(clock.now()).toBe(epochMs + 2000)
    nowMs += hourMs
    expect(clock.takeStep()).toBe(hourMs - dayMs)
    expect(clock.now()).toBe(nowMs)
    expect(clock.takeStep()).toBe(0)
    // NTP that slows a clock down makes no step, and the time does not go back.
    nowMs -= 100
    expect(clock.now()).toBe(nowMs + 100)
    expect(clock.takeStep()).toBe(0)
  })

  /** Plays a boot, and sets the clock before its event of each of these numbers. */
  async function played(steps: ReadonlyMap<number, number>) {
    let [nowMs, upMs] = [epochMs, 0]
    const store = memoryStore().boots
    const boots = new BootRecorder({
      keepMs: () => 90 * dayMs,
      onTrouble: (error) => expect.unreachable(String(error)),
      clock: () => nowMs,
      up: () => upMs,
    })
    await boots.open(store)
    const states: string[] = []
    boots.subscribe(({ state }) => states.push(state))
    let stepMs = 0
    for (const [n, { at, event }] of recordingOf('proxy-bios-ipxe').events.entries()) {
      stepMs += steps.get(n) ?? 0
      upMs = at
      nowMs = epochMs + stepMs + at
      boots.sink(event)
      if (n % 3 === 0) await boots.flush()
    }
    const [boot] = await boots.list({ limit: 1 })
    await boots.close()
    return { boot, states: new Set(states), endMs: epochMs + stepMs }
  }

  /** Times relative to the last clock. */
  function relative(boot: Boot | undefined, toMs: number): unknown {
    const steps = boot?.steps.map(({ kind, startMs, endMs, rate }) => ({
      kind,
      start: startMs - toMs,
      end: endMs - toMs,
      rate: Math.round(rate / 1000),
    }))
    return { state: boot?.state, start: (boot?.startMs ?? 0) - toMs, last: (boot?.lastMs ?? 0) - toMs, steps }
  }

  test.each([
    ['back by an hour', [[7, -hourMs]]],
    ['forward by days', [[7, 3 * dayMs]]],
    [
      'there and back again, from 1970',
      [
        [2, -epochMs],
        [9, epochMs],
      ],
    ],
    [
      'to 2036 and back, between two looks',
      [
        [7, 10 * 365 * dayMs],
        [8, -10 * 365 * dayMs],
      ],
    ],
  ] as const)('%s changes no distance in the timeline of a boot, and lets none go', async (_, steps) => {
    const usual = await played(new Map())
    const stepped = await played(new Map(steps))
    expect(relative(stepped.boot, stepped.endMs)).toEqual(relative(usual.boot, usual.endMs))
    expect(stepped.states).toEqual(usual.states)
    for (const { startMs, endMs } of stepped.boot?.steps ?? []) expect(endMs).toBeGreaterThanOrEqual(startMs)
  })

  test('while the server was away leaves no boot in the future', async () => {
    const store = memoryStore().boots
    let nowMs = epochMs
    const made = () =>
      new BootRecorder({ keepMs: () => 90 * dayMs, onTrouble: () => undefined, clock: () => nowMs })
    const before = made()
    await before.open(store)
    for (const { at, event } of recordingOf('proxy-bios-ipxe').events.slice(0, 8)) {
      nowMs = epochMs + at
      before.sink(event)
    }
    await before.close()
    // The battery of this machine is empty.
    nowMs = 60_000
    const after = made()
    await after.open(store)
    expect(await after.list({ limit: 1 })).toMatchObject([{ state: 'running', guest: 'web01' }])
    nowMs += dayMs
    expect((await after.list({ limit: 1 }))[0]?.state).not.toBe('running')
    await after.close()
  })
})
