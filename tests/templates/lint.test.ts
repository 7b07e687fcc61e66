import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scanTemplate } from '../../server/templates/lexer.ts'
import { lintTemplate } from '../../server/templates/lint.ts'
import { makeStrict, type Site } from '../../server/templates/strict.ts'

function lint(source: string): readonly string[] {
  const templates = new Map([
    ['m', source],
    ['there.ks', ''],
  ])
  return lintTemplate('m', templates).map(({ line, severity, message }) => `${line} ${severity} ${message}`)
}

describe('the linter', () => {
  test.each([
    ['a\nif [ ${#x} -gt 0 ]; then\n', /^2 warning .*\$\{#.*never ends/],
    ['n=${#a[@]}\n{{ x }} {# y #}\n', /^1 warning .*\$\{#.*#\}/],
    ['\n#if $x == 1\n', /^2 hint .*#if \$x == 1.*Cobbler/],
    ["$SNIPPET('network_config')\n", /^1 hint .*\$SNIPPET\('network_config'\).*snippet.*Cobbler/],
    ['url --url=$tree\n', /^1 hint .*\$tree.*variable.*Cobbler/],
    ['\n\n{% include "not-there.ks" %}', /^3 error .*not-there\.ks/],
    ['\n{{ x | b64encod }}', /^2 error .*filter b64encod$/],
    ['a\r\nb\r\n', /^1 warning .*CR LF/],
    ['\ufeffa', /^1 warning .*byte order mark/],
    ['#cloud-config\na:\n\tb: 1\n', /^3 warning .*\btab\b/],
  ])('reports the fault in %j', (source, expected) => {
    expect(lint(source)).toEqual([expect.stringMatching(expected)])
  })

  test.each([
    '{% raw %}${#x} {{ nope | nope }}{% endraw %}\n',
    '{% include "there.ks" %}{% include "may-be-missing" ignore missing %}',
    '# a comment\n# if this is one, it is English\n#!/bin/sh\necho $PATH ${HOME} $1\n',
    '{# a comment with ${ in it #}',
    '{{ x | default("|nope") | b64encode | upper }}',
    '%packages\n@core\n%end\n',
  ])('finds nothing wrong with %j', (source) => {
    expect(lint(source)).toEqual([])
  })
})

const jinjaText = fc.stringMatching(
  /^([{}%#|.'"()[\]a-z0-9 \n\\=-]|\{\{|\}\}|\{%|%\}|raw|endraw|set|if|is|default){0,60}$/,
)

describe('for any template', () => {
  test('the segments cover the text in order and without gaps', () => {
    fc.assert(
      fc.property(fc.oneof(jinjaText, fc.string()), (source) => {
        const segments = scanTemplate(source)
        expect(segments.map(({ start, end }) => source.slice(start, end)).join('')).toBe(source)
        for (const { start, line } of segments) expect(line).toBe(source.slice(0, start).split('\n').length)
      }),
    )
  })

  test('the strict form has at least the lines of the source, and names no line behind its end', () => {
    fc.assert(
      fc.property(jinjaText, (source) => {
        const sites: Site[] = []
        const strict = makeStrict('m', source, {
          ownFilters: new Set(['a']),
          ownTests: new Set(),
          sites,
          spelling: 'fast',
        })
        // A variable that goes on over several lines is written anew, so its line breaks may be lost or repeated.
        if (!/[[.|]\s*\n/.test(source))
          expect(strict.split('\n').length).toBeGreaterThanOrEqual(source.split('\n').length)
        for (const { line } of sites) expect(line).toBeLessThanOrEqual(source.split('\n').length)
      }),
    )
  })

  test('linting never throws', () => {
    fc.assert(fc.property(jinjaText, (source) => void lint(source)))
  })
})
