import { describe, expect, test } from 'vitest'
import { evaluateConditions, parseHttpDate } from '../../../../server/protocols/http/files/conditions.ts'

const now = { etag: 'abc', modifiedMs: Date.UTC(2024, 0, 1, 12, 0, 0, 700) }
const same = 'Mon, 01 Jan 2024 12:00:00 GMT'
const before = 'Mon, 01 Jan 2024 11:59:59 GMT'

describe('preconditions in the order of RFC 9110 section 13.2.2', () => {
  test.each([
    [{}, 'proceed'],
    [{ 'if-match': '"abc"' }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': '"x", "abc"' }, 'proceed'],
    [{ 'if-match': '"x"' }, 'precondition-failed'],
    [{ 'if-match': 'W/"abc"' }, 'precondition-failed'],
    [{ 'if-unmodified-since': same }, 'proceed'],
    [{ 'if-unmodified-since': before }, 'precondition-failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'proceed'],
    [{ 'if-match': '"abc"', 'if-unmodified-since': before }, 'proceed'],
    [{ 'if-none-match': '"abc"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"' }, 'proceed'],
    [{ 'if-modified-since': same }, 'not-modified'],
    [{ 'if-modified-since': before }, 'proceed'],
    [{ 'if-none-match': '"x"', 'if-modified-since': same }, 'proceed'],
    [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 'precondition-failed'],
    [{ 'if-match': '"abc"', 'if-none-match': '"abc"' }, 'not-modified'],
  ])('%j: %s', (headers, result) => {
    expect(evaluateConditions(headers, now)).toBe(result)
  })
})

test('the three date forms of RFC 9110 mean the same, and nothing else is a date', () => {
  const ms = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ])
    expect(parseHttpDate(text)).toBe(ms)
  for (const text of [
    '',
    '0',
    '1994',
    'Sun, 06 Nov 1994 08:49:37 +0100',
    'Sun, 99 Nov 1994 08:49:37 GMT',
    undefined,
  ])
    expect(parseHttpDate(text)).toBeUndefined()
})
