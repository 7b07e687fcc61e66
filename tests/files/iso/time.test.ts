import { describe, expect, test } from 'vitest'
import { digitsTime, recordTime } from '../../../server/files/iso/time.ts'

describe('a time of seven bytes', () => {
  test.each([
    ['in UTC', [124, 4, 14, 12, 34, 56, 0], '2024-04-14T12:34:56Z'],
    ['an hour east of Greenwich', [124, 4, 14, 12, 34, 56, 4], '2024-04-14T11:34:56Z'],
    ['a quarter of an hour west', [124, 4, 14, 12, 34, 56, 0xff], '2024-04-14T12:49:56Z'],
    ['52 quarters east, the most there are', [100, 1, 1, 0, 0, 0, 52], '1999-12-31T11:00:00Z'],
    ['in the first year', [0, 1, 1, 0, 0, 0, 0], '1900-01-01T00:00:00Z'],
    ['in the last year', [255, 12, 31, 23, 59, 59, 0], '2155-12-31T23:59:59Z'],
    ['that is not set: month 0', [124, 0, 14, 12, 34, 56, 4], '1970-01-01T00:00:00Z'],
  ])('%s', (_, bytes, expected) => {
    expect(recordTime(Buffer.from([9, 9, ...bytes, 9]), 2)).toBe(Date.parse(expected))
  })
})

describe('a time in digits', () => {
  test.each([
    ['in UTC, without its hundredths', '2024041412345678', 0, '2024-04-14T12:34:56Z'],
    ['an hour east of Greenwich', '2024041412345600', 4, '2024-04-14T11:34:56Z'],
    ['a quarter of an hour west', '2024041412345600', -1, '2024-04-14T12:49:56Z'],
    ['whose hundredths are no digits', '20240414123456  ', 0, '2024-04-14T12:34:56Z'],
    ['that is not set: all digits are 0', '0000000000000000', 4, '1970-01-01T00:00:00Z'],
  ])('%s', (_, digits, zone, expected) => {
    const bytes = Buffer.from(`99${digits}.99`, 'latin1')
    bytes.writeInt8(zone, 18)
    expect(digitsTime(bytes, 2)).toBe(Date.parse(expected))
  })

  test.each(Array.from({ length: 14 }, (_, at) => at))('that has no digit at %d is not set', (at) => {
    const bytes = Buffer.from('2024041412345600\0', 'latin1')
    bytes.write('x', at, 'latin1')
    expect(digitsTime(bytes, 0)).toBe(0)
  })
})
