import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyText } from '../support/any-text.ts'
import { guestOf, parse, refusal } from '../support/config.ts'
import { runs } from '../support/fuzz.ts'
import { stating } from '../support/stating.ts'

describe('names of Object.prototype are ordinary names', () => {
  test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])('%s', (name) => {
    const loaded = parse(`profiles: { ${name}: { args: [a] } }\nguests: { ${name}: { profile: ${name} } }`)
    expect(guestOf(loaded, name).profiles).toEqual([name])
    expect(refusal(`guests: { a: { profile: ${name} } }`)).toContain(`'${name}'`)
    expect(refusal(`${name}: 1`)).toMatch(stating('config.yaml:1:1', name))
  })

  test('__proto__ is refused everywhere', () => {
    expect(refusal('__proto__: { http: 1 }')).toMatch(stating('config.yaml:1:1', 'key', 'plain name'))
    expect(refusal('guests: { a: { vars: { __proto__: { x: 1 } } } }')).toMatch(
      stating('config.yaml:1:', 'key', 'plain name'),
    )
  })
})

describe('hostile YAML is refused with one error', () => {
  test('aliases that multiply', () => {
    // Ten values, and twelve lines that each hold the line before ten times: 10^13 values.
    const lines = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
    for (let i = 0; i < 12; i++) {
      const previous = String.fromCharCode(97 + i)
      const next = String.fromCharCode(98 + i)
      lines.push(`${next}: &${next} [${`*${previous},`.repeat(10)}]`)
    }
    expect(refusal(lines.join('\n'))).toMatch(/alias/)
  })

  test('an alias inside of its own anchor', () => {
    expect(refusal('guests: &g { a: { vars: { x: *g } } }')).toMatch(/nested|alias/)
  })

  test.each(['[', '{a: ', '- '])('20,000 times %j', (part) => {
    expect(refusal(part.repeat(20_000))).not.toBe('accepted')
  })

  test('arbitrary text gives a configuration or a ConfigError, never a crash', () => {
    const lump = fc.constantFrom(
      'guests:',
      'profiles:',
      '\n',
      '  ',
      '\t',
      ': ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '<<: ',
      '!x ',
      '"',
      "'",
      '#',
      'a',
      'mac',
      'args',
      'vars',
      'tree',
      'inherits',
      '~',
      '1',
      '|',
      '>',
      '%',
      '---',
      '\u0000',
      '__proto__',
      '? ',
    )
    const text = fc.oneof(
      anyText(),
      fc.array(lump, { maxLength: 30 }).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(text, (input) => void refusal(input)),
      { numRuns: runs(150) },
    )
  })

  test('arbitrary values in the right places give a configuration or a ConfigError', () => {
    const value = fc.jsonValue({ maxDepth: 3 })
    const mapping = fc.dictionary(
      fc.constantFrom('mac', 'args', 'tree', 'vars', 'virt', 'profile', 'ip', 'uuid', 'serial', 'retry'),
      value,
    )
    const config = fc.record(
      { guests: fc.dictionary(fc.string(), mapping), profiles: value, http: value, paths: value },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(config, (input) => void refusal(JSON.stringify(input))),
      { numRuns: runs(40) },
    )
  })
})
