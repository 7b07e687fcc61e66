import { afterAll, expect, test } from 'vitest'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { expectGoldenPart } from '../support/golden.ts'
import { type JinjaRow, jinjaContext, jinjaRows } from '../support/jinja-rows.ts'

const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

const templates = new Map(jinjaRows.map(({ write }) => [write, `{{ ${write} }}`]))

async function outcome(write: string): Promise<JinjaRow> {
  try {
    const { text } = await renderer.render({ name: write, templates, context: jinjaContext })
    return { write, gives: text }
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    const remedy =
      typeof cause === 'object' && cause && 'remedy' in cause ? String(cause.remedy) : String(error)
    return { write, instead: remedy }
  }
}

test.each(jinjaRows)('$write', async (row) => {
  expect(await outcome(row.write)).toEqual(row)
})

test.each([
  // What is written anew keeps its lines, so the error of the next line has its number.
  ["{{ 'a' | indent(\n  width=2,\n  first=true) }}\n{{ nope }}", /:4: the variable nope/],
  ["{{ '%s' %\n text }}\n{{ {'a': 1}\n.get('b',\n 'c') }}\n{{ nope }}", /:6: the variable nope/],
  ["{{ 1 }}\n{{ text | default(\n 'x', bool=true) }}", /:2: filter default: there is no argument bool/],
  ['{{ text | indent(2, width=3) }}', /the argument width is given twice/],
  ["{{ nope.get('a', 'b') }}", /the variable nope is not defined/],
  ["{{ text is match('(') }}", /test match: cannot read the pattern/],
  ['{% for a in list %}{% continue %}{% endfor %}', /write {% for x in list if condition %}/],
  ['{% set a, b = 1, 2 %}', /one {% set %} for each name/],
])('%j is an error that names line and cause', async (source, message) => {
  const one = new Map([['m', source]])
  await expect(renderer.render({ name: 'm', templates: one, context: jinjaContext })).rejects.toThrow(message)
})

test.each([
  ["{% import 'lib' as lib %}{{ lib.get('a', 'b') }}", 'ba'],
  ['{% raw %}{{ x | default(value=1) }}{% endraw %}', '{{ x | default(value=1) }}'],
  ["{% if text is match 'H' and text is not search('z') %}y{% endif %}", 'y'],
  ['{% filter indent(width=2, first=true) %}a{% endfilter %}', '  a'],
  ["{{ users[0].get('x', 1) + 1 }}{{ [map][0].get('a', 0) }}{{ (map).get('a', 5) }}", '222'],
  ["{{ map | combine({'recursive': true}) }}", '{"a": 2, "b": 1, "recursive": true}'],
])('%j gives %j', async (source, expected) => {
  const lib = '{% macro get(a, b) %}{{ b }}{{ a }}{% endmacro %}'
  const both = new Map([
    ['m', source],
    ['lib', lib],
  ])
  expect((await renderer.render({ name: 'm', templates: both, context: jinjaContext })).text).toBe(expected)
})

test('the README of the templates shows these rows (npm run golden writes them)', () => {
  const code = (text: string) => `\`\`${text.replaceAll('|', '\\|').replaceAll('\n', '\\n')}\`\``
  const shown = (text: string) => (text === '' ? 'an empty text' : code(text))
  const lines = jinjaRows.map(
    ({ write, gives, instead = '' }) =>
      `| ${code(write)} | ${gives === undefined ? `an error: ${instead.replaceAll('|', '\\|')}` : shown(gives)} |`,
  )
  const table = ['| written | here |', '| --- | --- |', ...lines].join('\n')
  expectGoldenPart('kickstart-templates/README.md', 'jinja', table)
})
