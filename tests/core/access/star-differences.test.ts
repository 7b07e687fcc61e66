import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { otherSecrets, otherText, otherVar } from '../../../server/core/access/other-secret.ts'
import { starDifferences } from '../../../server/core/access/star-differences.ts'
import { runs } from '../../support/fuzz.ts'

const all = Array.from({ length: otherSecrets }, (_, which) => which)

describe('another secret', () => {
  it('has the length of the true one, its blanks, and no other character of it in its place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (secret) => {
        const kept = /^\$\w+\$(?:rounds=\d+\$)?/.exec(secret)?.[0] ?? ''
        const texts = [secret, ...all.map((which) => otherText(secret, which))]
        for (const other of texts) expect(other.length).toBe(secret.length)
        const characters = texts.map((text) => [...text.slice(kept.length)])
        for (const [at, true_] of (characters[0] ?? []).entries()) {
          const here = characters.map((each) => each[at])
          if (/\s/.test(true_)) expect(new Set(here).size).toBe(1)
          else expect(new Set(here).size).toBe(texts.length)
        }
      }),
      { numRuns: runs(5000) },
    )
  })

  it('has the form that templates ask for', () => {
    const crypt = '$6$rounds=5000$saltsalt$Vt5Xk0xqZ6yoQmWvS2u4uAQh.Bm/'
    expect(otherText(crypt, 0)).toMatch(/^\$6\$rounds=5000\$[a-z]{8}.[a-z]/i)
    expect(otherText('cafe01', 1)).toMatch(/^[a-f]{4}\d\d$/)
  })

  it('stands in all that a name or a form says', () => {
    const value = {
      plain: 'a',
      users: [{ name: 'ann', password: 'pw', sudo: true }],
      proxy: 'http://u:secret@h/',
      api_tokens: { first: 'abc', number: 17 },
    }
    const other = otherVar('x', value, 0) as typeof value
    expect(other).toMatchObject({ plain: 'a', users: [{ name: 'ann', sudo: true }] })
    expect(other.proxy).toMatch(/^http:\/\/u:\w{6}@h\/$/)
    for (const [before, after] of [
      [value.proxy, other.proxy],
      [value.users[0]?.password, other.users[0]?.password],
      [value.api_tokens.first, other.api_tokens.first],
      [value.api_tokens.number, other.api_tokens.number],
    ])
      expect(after).not.toBe(before)
    expect(String(other.api_tokens.number)).toHaveLength(2)
  })
})

describe('starred differences', () => {
  it.each([
    [
      'rootpw --plaintext abc x',
      ['rootpw --plaintext xyz x', 'rootpw --plaintext pqr x'],
      'rootpw --plaintext *** x',
    ],
    ['a\n pw: "abc"\nb', ['a\n pw: "xyz"\nb', 'a\n pw: "pqr"\nb'], 'a\n pw: "***"\nb'],
    // A part that is the same by chance.
    ['h=abcdefg', ['h=xbcdefq', 'h=ybcdefr'], 'h=***'],
    ['h=abXdefg', ['h=abYdefg', 'h=abZdefg'], 'h=***'],
    // Other lengths.
    ['  n: aa', ['  n: b', '  n: cc'], '  ***'],
    // Other numbers of lines.
    ['a\nx\ny\nz', ['a\nq\nz', 'a\nr\nz'], 'a\n***\n***\nz'],
    ['a\nb', [''], '***\n***'],
    ['same', ['same', 'same'], 'same'],
  ])('of %j', (text, others, expected) => expect(starDifferences(text, others)).toBe(expected))
})
