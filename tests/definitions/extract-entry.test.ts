import { describe, expect, test } from 'vitest'
import { readYaml } from '../../server/config/yaml.ts'
import { extractEntry } from '../../server/definitions/extract-entry.ts'

const config = `# all
http: { port: 0 }
guests:
  # The first line of a paragraph that is about all.

  # of web
  web: # in the rack
    # its card
    mac: 52:54:00:aa:bb:01   # eth0
    vars:
      text: |
        one
          two

      list:
      - a
    # the end of web

  # of db
  db:
  low: { mac: 52:54:00:aa:bb:02 } # short
  last:
      args: [ quiet,
        text ]
`

/** The text of a config.yaml after a person has done what is said. */
function afterDeleting(text: string, { lines }: ReturnType<typeof extractEntry>): string {
  const all = text.split('\n')
  const cut = all.splice(lines.first - 1, lines.last - lines.first + 1)
  expect(`${cut.join('\n')}\n`).toBe(lines.text)
  if (lines.becomes) all.splice(lines.first - 1, 0, lines.becomes.replace(/\n$/, ''))
  return all.join('\n')
}

describe('an entry becomes a file with its comments', () => {
  test.each([
    [
      'web',
      [6, 17],
      `# of web
# in the rack
# its card
mac: 52:54:00:aa:bb:01   # eth0
vars:
  text: |
    one
      two

  list:
  - a
# the end of web
`,
    ],
    ['db', [19, 20], '# of db\n'],
    ['low', [21, 21], '{ mac: 52:54:00:aa:bb:02 } # short\n'],
    ['last', [22, 24], 'args: [ quiet,\n  text ]\n'],
  ])('%s', (name, [first, last], text) => {
    const found = extractEntry(config, 'guests', name)
    expect(found).toMatchObject({ text, lines: { first, last, becomes: '' } })
    const rest = readYaml(afterDeleting(config, found))
    expect(rest.faults).toEqual([])
    expect(Object.keys((rest.value as { guests: object }).guests)).toEqual(
      ['web', 'db', 'low', 'last'].filter((each) => each !== name),
    )
  })

  test('where CR ends the lines, and the last one has no end', () => {
    const found = extractEntry('guests:\r\n  a:\r\n    mac: x # m\r\n    args: y', 'guests', 'a')
    expect(found.text).toBe('mac: x # m\r\nargs: y')
    expect(found.lines).toMatchObject({ first: 2, last: 4 })
  })

  test('in braces the line is told as it becomes', () => {
    const text = 'guests: { a: { mac: x }, b: { mac: y } } # both\n'
    const found = extractEntry(text, 'guests', 'a')
    expect(found).toEqual({
      text: '{ mac: x }\n',
      lines: { first: 1, last: 1, text, becomes: 'guests: { b: { mac: y } } # both\n' },
    })
    expect(extractEntry('guests: { a: {} }\n', 'guests', 'a')).toMatchObject({
      text: '{}\n',
      lines: { becomes: 'guests: {}\n' },
    })
  })

  test('what repeats other parts is written out', () => {
    const text = 'profiles:\n  p: &p\n    args: x\nguests:\n  a: { vars: {} }\n  b: *p\n'
    expect(extractEntry(text, 'guests', 'b')).toMatchObject({
      text: 'args: x\n',
      lines: { first: 6, last: 6 },
    })
  })

  test.each([
    ['what others repeat', 'guests:\n  a: &a\n    mac: x\n  b: *a\n', 'a', 'unsupported'],
    ['what is not there', 'guests: { a: {} }\n', 'b', 'not-found'],
    ['what is no mapping', 'guests:\n  a: 5\n', 'a', 'unsupported'],
  ])('%s is refused', (_, text, name, kind) => {
    expect(() => extractEntry(text, 'guests', name)).toThrow(expect.objectContaining({ kind }))
  })
})
