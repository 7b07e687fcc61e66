import fc from 'fast-check'

const surrogates = { from: 0xd800, count: 0x800 }

/**
 * Text of any Unicode characters. It is the same as `fc.string({ unit: 'binary' })`, which makes a table of a
 * million characters first and takes over a second for it.
 */
export function anyText(
  lengths: Pick<fc.StringConstraints, 'minLength' | 'maxLength'> = {},
): fc.Arbitrary<string> {
  return fc.string({ unit: character, ...lengths })
}

const character = fc.nat(0x10ffff - surrogates.count).map(
  (n) => String.fromCodePoint(n < surrogates.from ? n : n + surrogates.count),
  // The way back: with it fc.string also makes words such as `__proto__` of these characters.
  (text) => {
    const point = typeof text === 'string' ? text.codePointAt(0) : undefined
    if (point === undefined || text !== String.fromCodePoint(point)) throw new Error('not one character')
    return point < surrogates.from ? point : point - surrogates.count
  },
)
