import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultOptionLimits, negotiate } from '../../../../server/protocols/tftp/wire/negotiate.ts'

const ask = (options: Record<string, string>, size = 1_000_000) =>
  negotiate(new Map(Object.entries(options)), size, defaultOptionLimits)

describe('what real clients ask', () => {
  test('EDK2', () => {
    expect([...ask({ tsize: '0', blksize: '1468', windowsize: '4' }).echo]).toEqual([
      ['tsize', '1000000'],
      ['blksize', '1468'],
      ['windowsize', '4'],
    ])
  })

  test('nothing: no OACK, 512 octets, one at a time', () => {
    expect(ask({})).toEqual({ blksize: 512, windowsize: 1, timeoutMs: 1000, echo: new Map() })
  })

  test('curl and U-Boot name a timeout', () => {
    const agreed = ask({ timeout: '6', blksize: '512' })
    expect(agreed.timeoutMs).toBe(6000)
    expect(agreed.echo.get('timeout')).toBe('6')
  })

  test('tsize is the real size, also of an empty file, whatever the client wrote', () => {
    expect(ask({ tsize: '0' }, 0).echo.get('tsize')).toBe('0')
    expect(ask({ tsize: 'x' }, 5).echo.get('tsize')).toBe('5')
  })
})

describe('a value out of range is left out, and the transfer goes on', () => {
  test.each([
    ['blksize', ['7', '0', '-1', '', '1e3', '0x200', ' 512', '99999999999']],
    ['windowsize', ['0', '65536', '-4', '', '4.5']],
    ['timeout', ['0', '256', '3000', '']],
    ['rollover', ['0', '1']],
    ['constructor', ['1']],
  ])('%s', (option, values) => {
    for (const value of values) expect(ask({ [option]: value }).echo.size, value).toBe(0)
  })

  test.each([
    ['blksize', '8', '8'],
    ['blksize', '65464', '65464'],
    ['blksize', '65465', '65464'],
    ['timeout', '1', '1'],
    ['timeout', '255', '255'],
    ['windowsize', '1', '1'],
  ])('%s %s is answered with %s', (option, asked, answer) => {
    expect(ask({ [option]: asked }).echo.get(option)).toBe(answer)
  })
})

test('a window never holds more octets than the limit, but always one block', () => {
  expect(ask({ blksize: '65464', windowsize: '64' }).windowsize).toBe(2)
  expect(
    negotiate(new Map([['windowsize', '9']]), 1, { ...defaultOptionLimits, windowBytes: 10 }).windowsize,
  ).toBe(1)
})

test('for any options: only what was asked, never more than was asked', () => {
  const value = fc.oneof(fc.integer({ min: -5, max: 70_000 }).map(String), fc.string({ maxLength: 6 }))
  const name: fc.Arbitrary<string> = fc.constantFrom(
    'blksize',
    'windowsize',
    'timeout',
    'tsize',
    'multicast',
    'x',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), fc.nat(), (pairs, size) => {
      const requested = new Map<string, string>(pairs)
      const agreed = negotiate(requested, size, defaultOptionLimits)
      for (const [option, answer] of agreed.echo) {
        expect(requested.has(option)).toBe(true)
        if (option !== 'tsize') expect(Number(answer)).toBeLessThanOrEqual(Number(requested.get(option)))
      }
      expect(agreed.echo.has('tsize')).toBe(requested.has('tsize'))
      expect(agreed.blksize).toBe(Number(agreed.echo.get('blksize') ?? 512))
      expect(agreed.windowsize).toBe(Number(agreed.echo.get('windowsize') ?? 1))
    }),
  )
})
