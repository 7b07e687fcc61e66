import { expect, test } from 'vitest'
import { summarize } from './ci-reporter.ts'

test('the summary counts each test once and names those that a reader should look at', () => {
  const { lines, ...counts } = summarize([
    { name: 'a > passes', state: 'passed' },
    { name: 'a > passes late', state: 'passed', retries: 1 },
    { name: 'b > lacks a client', state: 'skipped', note: 'lftp is not installed (package lftp)' },
    { name: 'b > is left out', state: 'skipped' },
    { name: 'c > fails', state: 'failed', retries: 1 },
    { name: 'c > never ended', state: 'pending' },
  ])
  expect(counts).toEqual({ passed: 2, failed: 2, skipped: 2 })
  expect(lines).toEqual([
    'Skipped:',
    '  b > lacks a client: lftp is not installed (package lftp)',
    '  b > is left out: no reason given',
    'Tried again:',
    '  a > passes late: passed after 1 more',
    '  c > fails: failed after 1 more',
    'Failed:',
    '  c > fails: failed',
    '  c > never ended: pending',
  ])
})

test('a run in which every test passed at once needs no lines', () => {
  expect(summarize([{ name: 'a', state: 'passed', retries: 0 }]).lines).toEqual([])
})
