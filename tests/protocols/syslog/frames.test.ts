import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameReader } from '../../../server/protocols/syslog/frames.ts'

/** The lines of a stream that comes in pieces of so many bytes. */
function linesOf(stream: string | Buffer, piece = Number.MAX_SAFE_INTEGER): string[] {
  const bytes = Buffer.from(stream)
  const lines: string[] = []
  const frames = new FrameReader((line) => lines.push(line.toString()))
  for (let at = 0; at < bytes.length; at += piece) frames.push(bytes.subarray(at, at + piece))
  frames.end()
  return lines
}

describe.each([1, 2, 7, Number.MAX_SAFE_INTEGER])('in pieces of %d bytes', (piece) => {
  test.each([
    ['line feeds', '<13>a\n<13>b\n', ['<13>a', '<13>b']],
    ['NUL', '<13>a\0<13>b\0', ['<13>a', '<13>b']],
    ['counted', '5 <13>a7 <13>b\nc', ['<13>a', '<13>b\nc']],
    ['both in one stream', '5 <13>a<13>b\n5 <13>c', ['<13>a', '<13>b', '<13>c']],
    ['no end', '<13>a\n<13>b', ['<13>a', '<13>b']],
    ['a count, and less than it says', '9 <13>a', ['<13>a']],
    ['digits without a blank', '12:30 hello\n', ['12:30 hello']],
    ['digits alone', '123', ['123']],
    ['more digits than a length has', '123456789 a\n', ['123456789 a']],
    ['empty lines', '\n\n<13>a\n\n', ['<13>a']],
  ])('%s', (_name, stream, lines) => {
    expect(linesOf(stream, piece)).toEqual(lines)
  })
})

test('of a line of more than 8 KiB the first 8 KiB are kept', () => {
  const long = 'x'.repeat(8192)
  expect(linesOf(`${long}\nnext\n`)).toEqual([long, 'next'])
  expect(linesOf(`${long}yz\nnext\n`)).toEqual([long, 'next'])
  expect(linesOf(`8194 ${long}yz4 next`, 1000)).toEqual([long, 'next'])
  // A length that never ends is skipped, and nothing of it is kept.
  expect(linesOf(`9999999 ${'x'.repeat(100_000)}`, 1000)).toEqual([long])
})

test('lines come out as they went in, however they are cut', () => {
  const line = fc.string({ unit: fc.constantFrom('a', '1', ' ', '<', 'ü'), minLength: 1, maxLength: 40 })
  const counted = (text: string) => `${Buffer.byteLength(text)} ${text}`
  fc.assert(
    fc.property(fc.array(fc.tuple(line, fc.boolean())), fc.integer({ min: 1, max: 50 }), (all, piece) => {
      const stream = all.map(([text, isCounted]) => (isCounted ? counted(text) : `<${text}\n`)).join('')
      const lines = all.map(([text, isCounted]) => (isCounted ? text : `<${text}`))
      expect(linesOf(stream, piece)).toEqual(lines)
    }),
  )
})
