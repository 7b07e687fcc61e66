import express from 'express'
import request from 'supertest'
import { expect, test } from 'vitest'
import { CallLimits } from '../../server/api/call-limits.ts'
import type { ApiContext } from '../../server/api/context.ts'
import { needs, type Route, route } from '../../server/api/route.ts'
import { routerOf } from '../../server/api/router.ts'
import type { Caller } from '../../server/core/access/access.ts'
import { Failure } from '../../server/core/failure.ts'
import { requestLimits } from '../../server/core/limits/requests.ts'

const token = (account: string, name: string): Caller => ({
  kind: 'token',
  account,
  token: name,
  role: 'viewer',
})
const person: Caller = { kind: 'account', account: 'anna', role: 'viewer' }
const anonymous: Caller = { kind: 'anonymous', account: 'anonymous', role: 'viewer' }

/** How many of some calls at once are taken. */
function taken(limits: CallLimits, calls: number, caller?: Caller, from = '192.0.2.1'): number {
  let count = 0
  for (let n = 0; n < calls; n++) {
    try {
      limits.take(caller, from)
      count++
    } catch (error) {
      expect(error).toMatchObject({ kind: 'too-many', retryAfterMs: expect.any(Number) })
    }
  }
  return count
}

test('a caller may make its calls in a second, and twice as many at once', () => {
  let nowMs = 5
  const limits = new CallLimits({ up: () => nowMs })
  const { entries } = requestLimits.apiCalls
  expect(taken(limits, 5000, person)).toBe(2 * entries)
  nowMs += 500
  expect(taken(limits, 5000, person)).toBe(entries / 2)
  nowMs += 1000
  expect(taken(limits, 5000, person)).toBe(entries)
  nowMs += 3_600_000
  expect(taken(limits, 5000, person)).toBe(2 * entries)
})

test('each token, account and address has its own, and nobody uses up that of another', () => {
  const limits = new CallLimits({ perSecond: 10, up: () => 0 })
  for (const caller of [person, token('anna', 'ci'), token('anna', 'backup'), token('berta', 'ci')])
    expect(taken(limits, 50, caller)).toBe(20)
  expect(taken(limits, 50, anonymous, '192.0.2.1')).toBe(20)
  // Wrong credentials count for the address, and so with nobody's.
  expect(taken(limits, 50, undefined, '192.0.2.1')).toBe(0)
  expect(taken(limits, 50, anonymous, '192.0.2.2')).toBe(20)
  expect(taken(limits, 50, anonymous, '2001:db8::1')).toBe(20)
  expect(taken(limits, 50, anonymous, '2001:db8::2')).toBe(0)
})

test('the time to wait is the time until the next call', () => {
  let nowMs = 0
  const limits = new CallLimits({ perSecond: 10, up: () => nowMs })
  taken(limits, 20, person)
  expect(() => limits.take(person, '')).toThrow(expect.objectContaining({ retryAfterMs: 100 }))
  nowMs += 50
  expect(() => limits.take(person, '')).toThrow(expect.objectContaining({ retryAfterMs: 50 }))
  nowMs += 50
  expect(() => limits.take(person, '')).not.toThrow()
})

test('100,000 callers take a bounded memory', () => {
  const limits = new CallLimits({ up: () => 0 })
  for (let n = 0; n < 100_000; n++) limits.take(undefined, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
  expect(limits.size).toBe(10_000)
})

test('beyond its limit a caller is told when to ask again, and who needs no credentials is not counted', async () => {
  const rows: readonly Route[] = [
    route({
      method: 'GET',
      path: '/closed',
      access: needs('viewer'),
      answers: { 204: {} },
      handle: () => ({ status: 204 }),
    }),
    route({
      method: 'GET',
      path: '/open',
      access: 'everybody',
      answers: { 204: {} },
      handle: () => ({ status: 204 }),
    }),
    route({
      method: 'GET',
      path: '/later',
      access: 'everybody',
      answers: { 204: {} },
      handle: () => {
        throw new Failure('unavailable', 'later', { retryAfterMs: 90_500 })
      },
    }),
  ]
  const app = express().use(
    routerOf({
      routes: rows,
      context: {} as ApiContext,
      limits: new CallLimits({ perSecond: 2, up: () => 0 }),
      requesterOf: () => ({ protocol: 'http', address: '192.0.2.1', localAddress: '192.0.2.2' }),
      onSendingOf: () => () => {},
      onFault: () => {},
      accessOf: () => ({
        accounts: {
          callerOfToken: async (name) => (name === 'none' ? undefined : token('anna', name)),
          callerOfSession: async () => undefined,
        },
        from: '192.0.2.1',
        anonymous: undefined,
        ownUrl: undefined,
        proxies: [],
        whyMisdirected: () => undefined,
      }),
    }),
  )
  const statuses = async (path: string, as: string): Promise<number[]> => {
    const found: number[] = []
    for (let n = 0; n < 6; n++)
      found.push((await request(app).get(path).set('Authorization', `Bearer ${as}`)).status)
    return found
  }
  expect(await statuses('/closed', 'ci')).toEqual([204, 204, 204, 204, 429, 429])
  expect(await statuses('/closed', 'other')).toEqual([204, 204, 204, 204, 429, 429])
  expect(await statuses('/closed', 'none')).toEqual([401, 401, 401, 401, 429, 429])
  expect(await statuses('/open', 'ci')).toEqual(Array(6).fill(204))
  const refused = await request(app).get('/closed').set('Authorization', 'Bearer ci')
  expect([refused.headers['retry-after'], refused.body.error]).toEqual(['1', 'too-many'])
  expect((await request(app).get('/later')).headers['retry-after']).toBe('91')
})
