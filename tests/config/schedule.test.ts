import { expect, test } from 'vitest'
import { dueMs, parseSchedule } from '../../server/config/schedule.ts'

test.each([
  ['every 24h', { kind: 'every', ms: 86_400_000 }],
  ['every 30 minutes', { kind: 'every', ms: 1_800_000 }],
  ['every 7d', { kind: 'every', ms: 7 * 86_400_000 }],
  ['daily at 03:00', { kind: 'daily', hour: 3, minute: 0 }],
  ['Daily at 23:59', { kind: 'daily', hour: 23, minute: 59 }],
  ['every 5m', undefined],
  ['daily at 24:00', undefined],
  ['hourly', undefined],
  ['', undefined],
])('the schedule %j is %j', (text, expected) => {
  expect(parseSchedule(text)).toEqual(expected)
})

const utc = (ms: number, hour: number, minute: number) => new Date(ms).setUTCHours(hour, minute, 0, 0)
const at = (text: string) => Date.parse(`2026-01-${text}:00Z`)

test('a job that never ran is due at once; a daily job is due once a day', () => {
  const daily = { kind: 'daily', hour: 3, minute: 0 } as const
  expect(dueMs(daily, undefined, utc)).toBe(0)
  expect(dueMs(daily, at('05T02:00'), utc)).toBe(at('05T03:00'))
  expect(dueMs(daily, at('05T03:00'), utc)).toBe(at('06T03:00'))
  expect(dueMs(daily, at('05T14:00'), utc)).toBe(at('06T03:00'))
  expect(dueMs({ kind: 'every', ms: 3_600_000 }, at('05T14:00'), utc)).toBe(at('05T15:00'))
})

test('a daily job is due once on a day of 25 hours, too', () => {
  // In this time zone 5 January ends an hour late: from then on its clocks are an hour behind.
  const endOfDay = at('06T01:00')
  const local = (ms: number, hour: number, minute: number) =>
    ms < endOfDay
      ? utc(Math.min(ms, at('05T23:59')), hour, minute)
      : utc(ms - 3_600_000, hour, minute) + 3_600_000
  const daily = { kind: 'daily', hour: 0, minute: 30 } as const
  expect(dueMs(daily, at('05T00:30'), local)).toBe(at('06T01:30'))
})
