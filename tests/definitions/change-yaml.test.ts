import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readYaml, type YamlMapping } from '../../server/config/yaml.ts'
import { changeYaml } from '../../server/definitions/change-yaml.ts'
import { runs } from '../support/fuzz.ts'
import { type StyledFile, styledFile } from '../support/styled-yaml.ts'

describe('one key of a file', () => {
  it.each<[string, string, YamlMapping, string]>([
    ['a value', 'mac: a # c\nvars:\n  x: 1\n', { mac: 'b', vars: { x: 1 } }, 'mac: b # c\nvars:\n  x: 1\n'],
    ['quotes stay', `a: 'x'\nb: "y"\n`, { a: "it's", b: 'z' }, `a: 'it''s'\nb: "z"\n`],
    ['a number that is a text', 'version: 9\n', { version: '9.10' }, 'version: "9.10"\n'],
    [
      'a nested value',
      'vars:\n    x: 1   # one\n\n    y: 2\n',
      { vars: { x: 3, y: 2 } },
      'vars:\n    x: 3   # one\n\n    y: 2\n',
    ],
    ['a new key', 'mac: a # c\n# end\n', { mac: 'a', arch: 'x86_64' }, 'mac: a # c\narch: x86_64\n# end\n'],
    [
      'a new key behind a nested one',
      'v:\n  x: 1 # c\n\n',
      { v: { x: 1 }, b: true },
      'v:\n  x: 1 # c\nb: true\n\n',
    ],
    ['a new key behind a text', 't: |\n  x\n\nu: 1\n', { t: 'x\n', u: 1, v: 2 }, 't: |\n  x\n\nu: 1\nv: 2\n'],
    ['without an end of line', 'mac: a', { mac: 'a', b: 1 }, 'mac: a\nb: 1\n'],
    ['with DOS line ends', 'mac: a\r\n', { mac: 'a', b: [1, 2] }, 'mac: a\r\nb:\r\n  - 1\r\n  - 2\r\n'],
    ['a file of comments', '# web server\n', { mac: 'a' }, '# web server\nmac: a\n'],
    ['an empty file', '', { mac: 'a' }, 'mac: a\n'],
    ['an empty mapping', '{} # later\n', { mac: 'a' }, '{ mac: a } # later\n'],
    ['a removed key', '# id\nmac: a # c\n# kind\nb: 1\n', { b: 1 }, '# id\n# kind\nb: 1\n'],
    ['a removed block', 'v:\n  x: 1\n  y:\n    - 1\nb: 1\n', { b: 1 }, 'b: 1\n'],
    [
      'a flow mapping',
      'v: {x: 1,  y: "2" } # c\n',
      { v: { x: 1, y: '3', z: 'a,b' } },
      'v: {x: 1,  y: "3", z: "a,b" } # c\n',
    ],
    ['all of a flow mapping', 'v: { x: 1 } # c\nb: 1\n', { v: { z: 2 }, b: 1 }, 'v: { z: 2 } # c\nb: 1\n'],
    ['removed in a flow mapping', 'v: { x: 1, y: 2, z: 3 }\n', { v: { x: 1, z: 3 } }, 'v: { x: 1, z: 3 }\n'],
    ['the last one removed there', 'v: { x: 1, y: 2 }\n', { v: { x: 1 } }, 'v: { x: 1 }\n'],
    [
      'an item more',
      'p:\n- a # first\n- b\nq: 1\n',
      { p: ['a', 'b', 'c'], q: 1 },
      'p:\n- a # first\n- b\n- c\nq: 1\n',
    ],
    ['an item less', 'p:\n  - a # first\n  - b\n', { p: ['b'] }, 'p:\n  - b\n'],
    ['a changed item', 'p:\n  - a # first\n  - b\n', { p: ['x', 'b'] }, 'p:\n  - x # first\n  - b\n'],
    [
      'a key of an item',
      'u:\n  - name: a\n    id: 1 # x\n',
      { u: [{ name: 'a', id: 2 }] },
      'u:\n  - name: a\n    id: 2 # x\n',
    ],
    ['the first key of an item', 'u:\n  - name: a\n    id: 1\n', { u: [{ id: 1 }] }, 'u:\n  - id: 1\n'],
    [
      'a value that is not written',
      'mac:   # none yet\nb: 1\n',
      { mac: 'a', b: 1 },
      'mac: a   # none yet\nb: 1\n',
    ],
    [
      'a mapping that is not written',
      'vars: # c\nb: 1\n',
      { vars: { x: 1 }, b: 1 },
      'vars: # c\n  x: 1\nb: 1\n',
    ],
    [
      'a text below its key',
      't: |\n  old\n  text\nb: 1\n',
      { t: 'new\ntext\n', b: 1 },
      't: "new\\ntext\\n"\nb: 1\n',
    ],
    ['a list that was one value', 'p: a\nb: 1\n', { p: ['a', 'b'], b: 1 }, 'p:\n  - a\n  - b\nb: 1\n'],
    ['the same with a comment', 'p: a # c\nb: 1\n', { p: ['a', 'b'], b: 1 }, 'p: [a, b] # c\nb: 1\n'],
    ['an alias', 'a: &x 1\nb: *x\n', { a: 1, b: 2 }, 'a: &x 1\nb: 2\n'],
    ['an anchor that nobody uses', 'a: &x 1\n', { a: 2 }, 'a: 2\n'],
    ['a document with marks', '%YAML 1.2\n---\na: 1\n...\n', { a: 2 }, '%YAML 1.2\n---\na: 2\n...\n'],
    ['a byte order mark', '\uFEFFa: 1\n', { b: 1 }, '\uFEFFb: 1\n'],
    ['a word that older readers take for a boolean', 'a: x\n', { a: 'no' }, 'a: "no"\n'],
    ['the same that is new', 'a: x\n', { a: 'x', b: ['off'] }, 'a: x\nb:\n  - "off"\n'],
  ])('%s', (_, text, wanted, changed) => {
    expect(changeYaml(text, wanted)).toBe(changed)
  })

  it('is refused when an alias repeats it elsewhere', () => {
    const text = 'a: &x\n  z: 1\nb: *x\n'
    expect(() => changeYaml(text, { a: { z: 2 }, b: { z: 1 } })).toThrow('edit the file by hand')
    expect(changeYaml(text, { a: { z: 1 }, b: { z: 2 } })).toBe('a: &x\n  z: 1\nb:\n  z: 2\n')
  })

  it('is refused in a file that cannot be read', () => {
    expect(() => changeYaml('a: [\n', { a: 1 })).toThrow(/^line \d+: /)
    expect(() => changeYaml('- a\n', { a: 1 })).toThrow('not a mapping')
  })
})

describe('files of any style', () => {
  it('every byte but those of the value stays as it was', () => {
    fc.assert(
      fc.property(styledFile, fc.integer(), ({ before, after, path, text }: StyledFile, seed) => {
        const changed = changeYaml(text, withValue(dataOf(text), path, `new${seed}`))
        expect(changed.slice(0, before.length)).toBe(before)
        expect(changed.slice(-after.length || changed.length)).toBe(after)
        expect(changed.length).toBeLessThan(before.length + after.length + 20)
      }),
      { numRuns: Math.max(200, runs(3000)) },
    )
  })

  it('whatever changes, the file then says what is wanted, or the change is refused', () => {
    fc.assert(
      fc.property(styledFile, styledFile, ({ text }, other) => {
        const wanted = dataOf(other.text)
        expect(dataOf(changeYaml(text, wanted))).toEqual(wanted)
      }),
      { numRuns: Math.max(200, runs(3000)) },
    )
  })
})

function dataOf(text: string): YamlMapping {
  const { value, faults } = readYaml(text)
  expect(faults).toEqual([])
  return value as YamlMapping
}

function withValue(data: YamlMapping, [first = '', ...rest]: readonly string[], value: string): YamlMapping {
  const inner = data[first] as YamlMapping
  return { ...data, [first]: rest.length === 0 ? value : withValue(inner, rest, value) }
}
