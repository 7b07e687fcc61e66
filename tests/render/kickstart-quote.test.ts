import { describe, expect, test } from 'vitest'
import { kickstartQuote, oneLine } from '../../server/render/kickstart-quote.ts'
import { htmlText } from '../../server/render/quote.ts'

describe('a word of a kickstart', () => {
  test.each(['web01', '/srv/x', 'a@b', '100%', 'k=v', 'a+b:c,d', 'w_1.x-y'])('%s needs no quotes', (text) =>
    expect(kickstartQuote(text)).toBe(text),
  )
  test.each([
    ['', '""'],
    ['a b', '"a b"'],
    ['tab\there', '"tab\there"'],
    ['"', '"\\""'],
    ['a\\', '"a\\\\"'],
    ['#x', '"#x"'],
    ['x#', '"x#"'],
    ['ü', '"ü"'],
  ])('%j is written as %s', (text, written) => expect(kickstartQuote(text)).toBe(written))
  test.each(['a\nb', '\0', '\x1f', '\x7f'])('%j is refused: no kickstart can hold it', (text) => {
    expect(() => kickstartQuote(text)).toThrow(expect.objectContaining({ kind: 'bad-request' }))
    expect(() => oneLine(text)).toThrow(expect.objectContaining({ kind: 'bad-request' }))
  })
})

test('one line may hold anything but an end that continues it', () => {
  expect(oneLine('"a" \\ #b')).toBe('"a" \\ #b')
  expect(() => oneLine('a\\')).toThrow(expect.objectContaining({ kind: 'bad-request' }))
})

test('text in HTML has none of its signs', () => {
  expect(htmlText(`<a b="c" d='e'>&amp;ü`)).toBe('&#60;a b=&#34;c&#34; d=&#39;e&#39;&#62;&#38;amp;ü')
})
