import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { TransientFailure, type Upstream } from '../../../server/intake/mirror/upstream.ts'
import { UpstreamPool } from '../../../server/intake/mirror/upstream-pool.ts'

/** Mirrors that answer as the test says, and a clock that only pauses and `later` move. */
function inputs(...names: string[]) {
  const upstreams = names.map((url): Upstream => {
    const unused = () => Promise.reject(new Error('the pool itself fetches nothing'))
    return { url, get: unused, list: unused, close: async () => undefined }
  })
  let nowMs = 5_000_000
  const pauses: number[] = []
  const asked: string[] = []
  const pause = async (ms: number) => {
    pauses.push(ms)
    const untilMs = nowMs + ms
    // Requests that pause at the same moment wait for the same time.
    await new Promise(setImmediate)
    nowMs = Math.max(nowMs, untilMs)
  }
  // `chance` 1: no pause is shortened.
  const told: string[] = []
  const timing = { pause, chance: () => 1, clock: () => nowMs }
  const pool = new UpstreamPool(upstreams, timing, ({ why, waitMs }) => told.push(`${why} ${waitMs}`))
  const ask = (answer: (name: string) => string | undefined, options = {}) =>
    pool.ask(
      'x',
      async ({ url }) => {
        asked.push(url)
        return answer(url)
      },
      options,
    )
  const later = (ms: number) => {
    nowMs += ms
  }
  return { ask, asked, pauses, later, told }
}

const busy = (retryAfterMs?: number) => new TransientFailure('busy', { retryAfterMs, isOfServer: true })
const throwing = (error: Error): never => {
  throw error
}

test('a mirror that sends Retry-After is asked for no file until then, and the next mirror serves them', async () => {
  const { ask, asked, pauses, later } = inputs('a', 'b')
  const answer = (name: string) => (name === 'a' ? throwing(busy(120_000)) : 'from b')
  for (let file = 0; file < 5; file++) expect(await ask(answer)).toBe('from b')
  later(119_000)
  await ask(answer)
  expect(asked).toEqual(['a', 'b', 'b', 'b', 'b', 'b', 'b'])
  expect(pauses).toEqual([])
  later(2000)
  expect(await ask(() => 'well again')).toBe('well again')
  expect(asked.at(-1)).toBe('a')
})

test('the only mirror is waited for as long as its Retry-After says, and at most five minutes', async () => {
  const { ask, asked, pauses } = inputs('a')
  const times = [7000, 3_600_000]
  const answer = () => {
    const wait = times.shift()
    return wait === undefined ? 'at last' : throwing(busy(wait))
  }
  expect(await ask(answer)).toBe('at last')
  expect(pauses).toEqual([7000, 300_000])
  expect(asked).toHaveLength(3)
})

test('without Retry-After the pauses double, and six files that fail at once count as one failure', async () => {
  const { ask, pauses } = inputs('a')
  await expect(ask(() => throwing(busy()))).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/^x .*busy/),
  })
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000])
  const six = inputs('a')
  let failures = 6
  const answer = () => (failures-- > 0 ? throwing(busy()) : 'well')
  expect(await Promise.all(Array.from({ length: 6 }, () => six.ask(answer)))).toEqual(Array(6).fill('well'))
  expect(Math.max(...six.pauses)).toBe(500)
})

test('six files that wait for one mirror are told once, and again when it stays away for much longer', async () => {
  const { ask, told } = inputs('a')
  let failures = 6
  const answer = () => (failures-- > 0 ? throwing(busy(failures === 0 ? 60_000 : undefined)) : 'well')
  await Promise.all(Array.from({ length: 6 }, () => ask(answer)))
  expect(told).toEqual(['busy 500', 'busy 60000'])
})

test('a mirror that another one stands in for is not told', async () => {
  const { ask, told } = inputs('a', 'b')
  expect(await ask((name) => (name === 'a' ? throwing(busy()) : 'from b'))).toBe('from b')
  expect(told).toEqual([])
})

test('a file that is damaged at one mirror comes from another, and fails when it is damaged at all', async () => {
  const { ask, asked } = inputs('a', 'b')
  const damaged = new Failure('invalid-data', 'x is damaged')
  expect(await ask((name) => (name === 'a' ? throwing(damaged) : 'good'))).toBe('good')
  expect(asked).toEqual(['a', 'b'])
  await expect(ask(() => throwing(damaged))).rejects.toThrow('x is damaged')
  expect(asked.slice(2).sort()).toEqual(['a', 'a', 'b', 'b'])
})

test('a failure of one file does not delay the other files of its server', async () => {
  const { ask, asked, pauses } = inputs('a')
  let first = true
  const odd = new TransientFailure('answers 500')
  const slow = ask(() => {
    if (!first) return 'second try'
    first = false
    throw odd
  })
  expect(await ask(() => 'at once')).toBe('at once')
  expect(await slow).toBe('second try')
  expect(asked).toEqual(['a', 'a', 'a'])
  expect(pauses).toEqual([500])
})

test('a 403 is final: an optional file counts as missing, any other fails', async () => {
  const { ask, asked, pauses } = inputs('a', 'b')
  const refusal = new Failure('forbidden', 'a answers 403')
  const answer = (name: string) => (name === 'a' ? throwing(refusal) : undefined)
  await expect(ask(answer)).rejects.toThrow('a answers 403')
  expect(await ask(answer, { isOptional: true })).toBeUndefined()
  expect(await ask(() => undefined)).toBeUndefined()
  expect([asked.length, pauses.length]).toEqual([6, 0])
})

test('an optional file that one mirror lacks is not waited for at another; a required file is', async () => {
  const { ask, pauses } = inputs('a', 'b')
  const answer = (name: string) => (name === 'a' ? throwing(busy(90_000)) : undefined)
  expect(await ask(answer, { isOptional: true })).toBeUndefined()
  expect(pauses).toEqual([])
  expect(await ask((name) => (name === 'a' ? 'only there' : undefined))).toBe('only there')
  expect(pauses).toEqual([90_000])
})
