import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultOptionLimits, negotiate } from '../../../../server/protocols/tftp/wire/options.ts'

const negotiated = (options: Record<string, string>, size = 1_000_000) =>
  negotiate(new Map(Object.entries(options)), size, defaultOptionLimits)

describe('requests of real clients', () => {
  test('EDK2 gets all three of its options', () => {
    expect([...negotiated({ tsize: '0', blksize: '1468', windowsize: '4' }).accepted]).toEqual([
      ['tsize', '1000000'],
      ['blksize', '1468'],
      ['windowsize', '4'],
    ])
  })

  test('without options: blocks of 512 octets, a window of 1, no OACK', () => {
    expect(negotiated({})).toEqual({ blksize: 512, windowsize: 1, timeoutMs: 1000, accepted: new Map() })
  })

  test('curl and U-Boot ask for a timeout', () => {
    const agreed = negotiated({ timeout: '6', blksize: '512' })
    expect(agreed.timeoutMs).toBe(6000)
    expect(agreed.accepted.get('timeout')).toBe('6')
  })

  test('tsize is the real size, also of an empty file, whatever value the client sent', () => {
    expect(negotiated({ tsize: '0' }, 0).accepted.get('tsize')).toBe('0')
    expect(negotiated({ tsize: 'x' }, 5).accepted.get('tsize')).toBe('5')
  })
})

describe('a value out of its range is left out of the OACK', () => {
  test.each([
    ['blksize', ['7', '0', '-1', '', '1e3', '0x200', ' 512', '99999999999']],
    ['windowsize', ['0', '65536', '-4', '', '4.5']],
    ['timeout', ['0', '256', '3000', '']],
    ['rollover', ['0', '1']],
    ['constructor', ['1']], // a property of every object
  ])('%s', (option, values) => {
    for (const value of values) expect(negotiated({ [option]: value }).accepted.size, value).toBe(0)
  })

  test.each([
    ['blksize', '8', '8'],
    ['blksize', '65464', '65464'],
    ['blksize', '65465', '65464'],
    ['timeout', '1', '1'],
    ['timeout', '255', '255'],
    ['windowsize', '1', '1'],
  ])('%s %s becomes %s', (option, requested, value) => {
    expect(negotiated({ [option]: requested }).accepted.get(option)).toBe(value)
  })
})

test('a window never has more octets than the limit, but always one block', () => {
  expect(negotiated({ blksize: '65464', windowsize: '64' }).windowsize).toBe(2)
  expect(
    negotiate(new Map([['windowsize', '9']]), 1, { ...defaultOptionLimits, windowBytes: 10 }).windowsize,
  ).toBe(1)
})

test('for any options: only those that were requested, with values no greater', () => {
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
      for (const [option, value] of agreed.accepted) {
        expect(requested.has(option)).toBe(true)
        if (option !== 'tsize') expect(Number(value)).toBeLessThanOrEqual(Number(requested.get(option)))
      }
      expect(agreed.accepted.has('tsize')).toBe(requested.has('tsize'))
      expect(agreed.blksize).toBe(Number(agreed.accepted.get('blksize') ?? 512))
      expect(agreed.windowsize).toBe(Number(agreed.accepted.get('windowsize') ?? 1))
    }),
  )
})
