import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatCmdline, formatKernelArg, parseKernelArgs } from '../../../server/core/boot/kernel-args.ts'
import { failureKind } from '../../../server/core/failure.ts'
import { runs } from '../../support/fuzz.ts'

describe('a command line is read as Linux reads it', () => {
  test.each([
    ['quiet', [{ key: 'quiet' }]],
    ['  console=ttyS0,115200   quiet ', [{ key: 'console', value: 'ttyS0,115200' }, { key: 'quiet' }]],
    ['empty= x', [{ key: 'empty', value: '' }, { key: 'x' }]],
    ['a="b c" d', [{ key: 'a', value: 'b c' }, { key: 'd' }]],
    ['"a=b c" d', [{ key: 'a', value: 'b c' }, { key: 'd' }]],
    ['a=b"c d"e', [{ key: 'a', value: 'b"c d"e' }]],
    ['root=live:http://h/x?y=z', [{ key: 'root', value: 'live:http://h/x?y=z' }]],
    ['inst.foo=a=b', [{ key: 'inst.foo', value: 'a=b' }]],
    ['--- console=hvc0', [{ key: '---' }, { key: 'console', value: 'hvc0' }]],
  ])('%s', (text, args) => {
    expect(parseKernelArgs(text)).toEqual(args)
  })
})

test('only values with blanks are quoted', () => {
  expect(
    formatCmdline([{ key: 'a', value: 'b c' }, { key: 'ds', value: "nocloud;s='x'" }, { key: 'q' }]),
  ).toBe(`a="b c" ds=nocloud;s='x' q`)
})

test.each([
  { key: 'a', value: 'b\nc' },
  { key: 'a', value: 'say "hi' },
  { key: 'a', value: '"x y' },
  { key: 'a b', value: 'c' },
  { key: 'a=b', value: 'c' },
  { key: '', value: 'c' },
  { key: '' },
  { key: 'a\0' },
])('$key=$value cannot be written on a command line', (arg) => {
  try {
    formatKernelArg(arg)
    expect.unreachable()
  } catch (error) {
    expect(failureKind(error)).toBe('invalid-data')
  }
})

test('written arguments are read back as they were, or refused', () => {
  const word = fc.string({
    unit: fc.constantFrom('a', '=', '"', ' ', '\\', "'", ';', '$', '{', '}', 'é', '-'),
  })
  const arg = fc.record({ key: word, value: word }, { requiredKeys: ['key'] })
  fc.assert(
    fc.property(fc.array(arg, { maxLength: 4 }), (args) => {
      const sayable = args.filter((candidate) => {
        try {
          formatKernelArg(candidate)
          return true
        } catch {
          return false
        }
      })
      expect(parseKernelArgs(formatCmdline(sayable))).toEqual(sayable)
    }),
    { numRuns: runs(500) },
  )
})

test('no text crashes the parser', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
      for (const arg of parseKernelArgs(text)) expect(typeof arg.key).toBe('string')
    }),
  )
})
