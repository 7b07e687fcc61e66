import { memoryUsage } from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { withMemoryMaximum } from '../../server/templates/wasm.ts'
import { isSearch } from '../support/fuzz.ts'

/**
 * Templates that try to run forever or to break out. Each costs one bounded error, and the next rendering
 * works.
 */
const renderer = new TemplateRenderer({ timeoutMs: 1500, memoryMiB: 32 })
const good = new Map([['good', 'hello {{ name }}']])
beforeAll(async () => void (await stillWorks()))
afterAll(() => renderer.close())

async function stillWorks(): Promise<void> {
  const { text } = await renderer.render({ name: 'good', templates: good, context: { name: 'x' } })
  expect(text).toBe('hello x')
}

async function messageOf(templates: Readonly<Record<string, string>>): Promise<string> {
  const job = {
    name: 'm',
    templates: new Map(Object.entries(templates)),
    context: { guest: { name: 'web01' } },
  }
  return renderer.render(job).then(
    ({ text }) => `rendered: ${text}`,
    (error: Error) => error.message,
  )
}

const long = 'a'.repeat(40)

/** It ends, in any way, and the renderer still works. */
const anyEnd = /./

/** These take a second each, or cost the worker: the searches try them. */
const dear: readonly [string, string, RegExp][] = [
  ['the same, in a form that the parser cannot compute', "{% set n = 2000000000 %}{{ 'x' * n }}", /memory/],
  [
    'nested loops',
    '{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}',
    /too much work|did not end/,
  ],
  ['a range without end', '{{ range(1000000000000) | list }}', anyEnd],
]

describe('a template that never ends or takes too much memory', () => {
  test.each<[string, string, RegExp]>([
    ...(isSearch ? dear : []),
    ['two thousand million letters', "{{ 'x' * 2000000000 }}", /memory/],
    ['a macro that calls itself', '{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}', /recursion limit/],
    ['a regular expression that backtracks', `{{ '${long}!' | regex_search('^(a+)+$') }}`, /did not end/],
    ['thousands of brackets', `{{ ${'['.repeat(20_000)} }}`, /recursion|syntax/],
    ['nested subscripts', `{{ a${'[a'.repeat(300)}${']'.repeat(300)} }}`, anyEnd],
    [
      'a YAML of aliases',
      "{{ 'a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]' | from_yaml }}",
      /filter from_yaml/,
    ],
    ['a password of a megabyte', "{{ ('x' * 1000000) | password_hash }}", /at most 512/],
    ['rounds without end', "{{ 'x' | password_hash('sha512', rounds=999999999) }}", /rounds from 1000/],
  ])('%s', async (_name, template, expected) => {
    expect(await messageOf({ m: template })).toMatch(expected)
    await stillWorks()
  })

  test('output of 20 MB is refused', async () => {
    const row = 'x'.repeat(1000)
    const template = `{% for i in range(20000) %}${row}{% endfor %}`
    expect(await messageOf({ m: template })).toMatch(/memory|at most/)
    await stillWorks()
  })

  test('snippets that include each other are refused', async () => {
    expect(await messageOf({ m: '{% include "s" %}', s: '{% include "m" %}' })).toMatch(/circle/)
    await stillWorks()
  })

  test('other templates of the same folder still render', async () => {
    const templates = new Map([
      ['bad', "{{ 'x' * 2000000000 }}"],
      ['fine', 'fine'],
    ])
    expect((await renderer.render({ name: 'fine', templates, context: {} })).text).toBe('fine')
    await expect(renderer.render({ name: 'bad', templates, context: {} })).rejects.toThrow(/^bad:1: .*memory/)
    expect(await renderer.check(templates)).toMatchObject([{ template: 'bad', severity: 'error' }])
  })

  test.runIf(isSearch)('the memory of the process is small afterwards', async () => {
    const before = memoryUsage().rss
    // 20 MB are more than half of the limit: after each of these renderings the worker is replaced.
    for (let i = 0; i < 2; i++) await messageOf({ m: "{% set n = 20000000 %}{{ ('x' * n) | length }}" })
    await stillWorks()
    expect(memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20)
  })
})

describe('a template that tries to break out', () => {
  test.each([
    "{{ ''.constructor.constructor('return process')() }}",
    "{{ range.constructor('return process')() }}",
    '{{ guest.constructor }}',
    '{{ guest.__proto__ }}',
    "{{ guest['__proto__']['x'] }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    '{{ self.__init__.__globals__ }}',
    '{{ cycler.__init__.__globals__.os.popen("id").read() }}',
    '{{ process.env.HOME }}',
    '{{ require("node:fs") }}',
    '{{ globalThis }}',
    "{% include '/etc/passwd' %}",
    "{% include '../../../etc/passwd' %}",
    "{% include '../package.json' %}",
    "{% include 'file:///etc/passwd' %}",
    "{% import '/etc/passwd' as x %}{{ x }}",
    "{% extends '/etc/passwd' %}",
    // `nope` is not defined, so this one fails whatever `attr` finds.
    "{{ 'return 1' | attr('constructor') | upper ~ nope }}",
  ])('%s', async (template) => {
    const message = await messageOf({ m: template })
    expect(message).toMatch(/^m:1: /)
    expect(message).not.toContain('root:')
  })

  test('regular expressions do not leak into the next rendering', async () => {
    await messageOf({ m: "{{ 'secret' | regex_search('secret') }}" })
    expect(await messageOf({ m: "{{ 'x' | regex_replace('x', '\\\\0$&$1') }}" })).toBe('rendered: x$&$1')
  })
})

test('the memory section of a module gets a maximum, and the rest stays as it is', () => {
  // \0asm, version 1, a custom section, memory (1, no maximum, 18 pages), a custom section
  const module = Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 2, 1, 0x78, 5, 3, 1, 0, 18, 0, 2, 1, 0x79,
  ])
  // The section becomes longer by the maximum: 300 pages, in LEB128 0xac 2.
  expect([...withMemoryMaximum(module, 300)]).toEqual([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 2, 1, 0x78, 5, 5, 1, 1, 18, 0xac, 2, 0, 2, 1, 0x79,
  ])
  const upToMemory = module.subarray(0, module.indexOf(5))
  expect(() => withMemoryMaximum(upToMemory, 300)).toThrow('no memory section')
})
