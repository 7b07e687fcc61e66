import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { Failure } from '../../server/core/failure.ts'
import { lintTemplates } from '../../server/templates/lint.ts'
import { type RendererOptions, TemplateRenderer } from '../../server/templates/renderer.ts'
import { stating } from '../support/stating.ts'

const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

type Templates = string | Readonly<Record<string, string>>

async function render(templates: Templates, context: Record<string, unknown> = {}): Promise<string> {
  const map = new Map(Object.entries(typeof templates === 'string' ? { m: templates } : templates))
  const [name = ''] = map.keys()
  return (await renderer.render({ name, templates: map, context })).text
}

async function failure(templates: Templates, context: Record<string, unknown> = {}): Promise<string> {
  const error = await render(templates, context).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Failure)
  expect(error).toHaveProperty('kind', 'invalid-data')
  return (error as Failure).message
}

test.each([
  ['guest.ip', 'set ip (or network) of the guest, or write'],
  ['guest.mac', 'set mac of the guest, or write'],
  ['guest.uuid', 'set uuid of the guest, or write'],
  ['guest.serial', 'set serial of the guest, or write'],
  ['guest.nope', 'set it in vars of the guest or its profile, or write'],
  ['gateway', 'set it in vars of the guest or its profile, or write'],
])('where an undefined %s is set: %s', async (name, remedy) => {
  expect(await failure(`{{ ${name} }}`, { guest: { name: 'web01' } })).toContain(remedy)
})

const guest = { name: 'web01', none: null, tags: ['a', 'b'], net: { ip: '10.0.0.7' } }

describe('text is rendered as in Ansible', () => {
  test.each([
    ['a line with only a tag leaves no line', 'a\n  {% if true %}\nb\n  {% endif %}\nc\n', 'a\nb\nc\n'],
    ['the last newline stays', 'a\n', 'a\n'],
    ['no newline is added', 'a', 'a'],
    ['a comment takes its line along', 'a\n{# note #}\nb\n', 'a\nb\n'],
    ['booleans are YAML and JSON, not Python', '{{ true }} {{ false }}', 'true false'],
    ['shell variables are text', '$x ${x} $(x) %include /tmp/x', '$x ${x} $(x) %include /tmp/x'],
    ['raw keeps bash lengths', '{% raw %}${#x}{% endraw %}', '${#x}'],
    ['the other way to write a length', "${{ '{#' }}x}", '${#x}'],
    ['methods of Python', "{{ guest.name.upper() }} {{ 'a,b'.split(',') | join('+') }}", 'WEB01 a+b'],
    ['a macro with a default', '{% macro m(x, y=2) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}', '12'],
  ])('%s', async (_name, template, text) => {
    expect(await render(template, { guest })).toBe(text)
  })

  test.each(['a.xml', 'a.html', 'a.yaml', 'a.json', 'a.xml.j2', 'a.ks'])(
    'nothing is escaped in %s',
    async (name) => {
      const source = '\n<{{ guest.name }}> {{ "\\"/&<" }}\n\n{% macro q() %}&{% endmacro %}{{ q() }}\n'
      expect(await render({ [name]: source }, { guest })).toBe('\n<web01> "/&<\n\n&\n')
    },
  )

  test('nothing is escaped in an XML template that extends one of another name', async () => {
    const templates = {
      'main.xml': '{% extends "base.ks" %}{% block body %}<{{ sign }}>{% endblock %}',
      'base.ks': '{{ sign }} {% block body %}{% endblock %}',
    }
    expect(await render(templates, { sign: '&' })).toBe('& <&>')
  })

  test('templates include, import and extend each other', async () => {
    const templates = {
      'main.ks': '{% extends "base.ks" %}{% block body %}{% include "snippets/x.ks" %}{% endblock %}',
      'base.ks': '[{% block body %}{% endblock %}]',
      'snippets/x.ks': '{% from "lib.ks" import twice %}{{ twice(guest.name) }}',
      'lib.ks': '{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}',
    }
    expect(await render(templates, { guest })).toBe('[web01web01]')
  })
})

describe('an undefined variable is an error with template, line and name:', () => {
  test.each([
    ['{{ nope }}', 'nope'],
    ['{{ nope | upper }}', 'nope'],
    ['{{ "a" ~ nope }}', 'nope'],
    ['{% set x = nope %}', 'nope'],
    ['{{ [nope] }}', 'nope'],
    ['{{ {"a": nope} }}', 'nope'],
    ['{{ nope == 1 }}', 'nope'],
    ['{% if not nope %}{% endif %}', 'nope'],
    ['{% if nope %}{% endif %}', 'nope'],
    ['{% for x in nope %}{% endfor %}', 'nope'],
    ['{% include nope %}', 'nope'],
    ['{% with a = nope %}{% endwith %}', 'nope'],
    ['{{ dict(a=nope) }}', 'nope'],
    ['{{ guest.nope }}', 'guest.nope'],
    ['{{ guest.nope.deeper | upper }}', 'guest.nope.deeper'],
    ['{{ guest["nope"] | upper }}', 'guest["nope"]'],
    ['{{ guest[nope] }}', 'nope'],
    ['{{ guest[guest.nope] | upper }}', 'guest.nope'],
    ['{{ guest.tags[7] | upper }}', 'guest.tags[7]'],
    ['{{ guest.nope.lower() }}', 'guest.nope'],
    ['{{ ["a"] | join(nope) }}', 'nope'],
    ['{{ nope if guest.name == "web01" }}', 'nope'],
    ['{{ guest.name | b64encode | regex_replace("x", nope) }}', 'nope'],
    ['{{ null }}', 'null'],
  ])('%s', async (template, name) => {
    const message = await failure(`one\ntwo\n${template}\n`, { guest })
    expect(message).toMatch(/^m:3: /)
    expect(message).toMatch(stating(`variable ${name}`, 'not defined'))
  })

  test('in a snippet, the error names the snippet', async () => {
    const message = await failure({ 'a.ks': 'x\n{% include "s/b.ks" %}', 's/b.ks': '\n\n{{ nope | upper }}' })
    expect(message).toMatch(/^s\/b\.ks:3: .*\bnope\b/)
  })

  test.each([
    ['{{ nope | default("x") }}', 'x'],
    ['{{ guest.a.b.c | default("x") }}', 'x'],
    [
      '{{ guest.name is defined }} {{ guest.a.b is defined }} {{ guest.a is not defined }}',
      'true false true',
    ],
    ['{% if nope is defined and nope > 1 %}x{% endif %}', ''],
    ['{{ guest.none is none }} {{ guest.none | default("x", true) }}', 'true x'],
    ['{% for t in guest.tags if t != "a" %}{{ loop.index }}{{ t }}{{ loop.last }}{% endfor %}', '1btrue'],
    ['{% set ns = namespace(n=1) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}', '2'],
    ['{{ guest.tags[0] }} {{ guest.tags[1:] }} {{ guest["net"]["ip"] }}', 'a ["b"] 10.0.0.7'],
    ['{% for k, v in guest.net | items %}{{ k }}={{ v }}{% endfor %}', 'ip=10.0.0.7'],
    ['{% for x in [1, [2]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}', '12'],
    ['{{ (guest.name if nope is defined else "y") | upper }}', 'Y'],
  ])('a guard against undefined variables works: %s', async (template, text) => {
    expect(await render(template, { guest })).toBe(text)
  })
})

describe('an error has its template and line:', () => {
  test.each<[string, Templates, RegExp]>([
    ['syntax', 'a\nb {% if %}', /^m:2: syntax error/],
    ['a comment that bash opened', 'a\nx=${#y}\n', /^m:\d: .*\{#.*raw/],
    ['no such snippet', { m: '\n{% include "b.ks" %}', c: '' }, /^m:2: .*\bb\.ks\b.*\bc, m\b/],
    [
      'a snippet that does not parse',
      { m: '\n{% include "b" %}', b: '\n\n{% if %}' },
      /^b:3: syntax error.*\(included by m\)/,
    ],
    [
      'a filter that does not exist',
      { m: '{% include "b" %}', b: '\n{{ 1 | nope }}' },
      /^b:2: .*filter nope/,
    ],
    ['a filter that refuses', '\n\n{{ "x" | password_hash("rot13") }}', /^m:3: .*password_hash.*unknown/],
    [
      'a filter that refuses in a snippet',
      { m: '{% include "b" %}', b: '\n{{ "(" | regex_search("(") }}' },
      /^b:2: .*regex_search/,
    ],
    ['types', { m: '{% include "b" %}', b: '\n{{ 1 + "a" }}' }, /^b:2: invalid operation/],
    ['a circle', { m: '{% include "b" %}', b: '{% include "m" %}' }, /m -> b -> m/],
    ['a function', '{{ nope() }}', /^m:1: .*\bnope\b/],
  ])('%s', async (_name, templates, expected) => {
    expect(await failure(templates)).toMatch(expected)
  })

  test('an unknown template is refused with the known ones', async () => {
    const job = { name: 'x.ks', templates: new Map([['fedora.ks', '']]), context: {} }
    await expect(renderer.render(job)).rejects.toThrow(stating('x.ks:1:', 'fedora.ks'))
  })

  test('warnings come with the rendered text', async () => {
    const templates = new Map([
      ['m', '{% include "s" %}#set $x = 1\n'],
      ['s', 'ok\r\n'],
      ['other', '#set $y = 1\n'],
    ])
    const { warnings } = await renderer.render({ name: 'm', templates, context: {} })
    expect(warnings.map(({ template, line, severity }) => ({ template, line, severity }))).toEqual([
      { template: 'm', line: 1, severity: 'hint' },
      { template: 's', line: 1, severity: 'warning' },
    ])
  })
})

test('the same input gives the same bytes and salts; other guests get other salts', async () => {
  const template = '{{ "secret" | password_hash("sha512") }}'
  const first = await render(template, { guest: { name: 'a' } })
  expect(first).toMatch(/^\$6\$[./\w]{16}\$[./\w]{86}$/)
  expect(await render(template, { guest: { name: 'a' } })).toBe(first)
  expect(await render(template, { guest: { name: 'b' } })).not.toBe(first)
})

const hang = `{{ '${'a'.repeat(40)}!' | regex_search('^(a+)+$') }}`

describe('a template that does not end', () => {
  const templates = (more: string) => new Map(Object.entries({ hang, fine: 'fine', more }))
  const open: TemplateRenderer[] = []
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close()
  })
  const make = async (options: RendererOptions): Promise<TemplateRenderer> => {
    const made = new TemplateRenderer({ timeoutMs: 400, ...options })
    open.push(made)
    await made.render({ name: 'fine', templates: templates(''), context: {} })
    return made
  }
  const kindOf = (rendering: Promise<unknown>): Promise<unknown> =>
    rendering.then(
      () => 'text',
      (error: Failure) => error.kind,
    )

  test('is run once, for all who ask, and holds nobody up again', async () => {
    const own = await make({})
    const ends: string[] = []
    const ask = (name: string, host: number, map = templates('')) =>
      kindOf(own.render({ name, templates: map, context: { host } })).then((kind) => {
        ends.push(`${name} ${kind}`)
      })
    const hosts = Array.from({ length: 12 }, (_, host) => ask('hang', host))
    const fine = ask('fine', 0)
    await Promise.all([...hosts, fine])
    // All of them end with the first, before the template that came after them.
    expect(ends).toEqual([...Array(12).fill('hang unavailable'), 'fine text'])
    expect(own.stopped).toMatchObject([{ template: 'hang', severity: 'error' }])
    // In the same turn: nothing is sent to the worker.
    await Promise.race([
      ask('hang', 13),
      new Promise((resolve) => setImmediate(resolve)).then(() => {
        expect(ends).toHaveLength(14)
      }),
    ])
  })

  test('is run again when a template has changed, and not when only the snapshot is new', async () => {
    const own = await make({})
    const ask = (map: ReadonlyMap<string, string>) =>
      own.render({ name: 'hang', templates: map, context: {} })
    await expect(ask(templates(''))).rejects.toThrow(stating('hang:1:', 'did not end', 'when a template'))
    await own.render({ name: 'fine', templates: templates(''), context: {} })
    expect(own.stopped).toHaveLength(1)
    await expect(ask(templates(''))).rejects.toMatchObject({
      kind: 'unavailable',
      cause: { template: 'hang' },
    })
    await own.render({ name: 'fine', templates: templates('changed'), context: {} })
    expect(own.stopped).toEqual([])
    const mended = new Map([...templates(''), ['hang', 'mended']])
    expect((await own.render({ name: 'hang', templates: mended, context: {} })).text).toBe('mended')
  })

  test('is tried again after a pause, since the host may have stood still', async () => {
    const own = await make({ retryMs: 200 })
    const map = new Map([['slow', `{% if slow %}${templates('').get('hang')}{% else %}in time{% endif %}`]])
    const ask = (slow: boolean) => own.render({ name: 'slow', templates: map, context: { slow } })
    await expect(ask(true)).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(ask(false)).rejects.toMatchObject({ kind: 'unavailable', cause: { template: 'slow' } })
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(await ask(false)).toMatchObject({ text: 'in time' })
    expect(own.stopped).toEqual([])
  })

  test('so does one that takes all memory', async () => {
    const own = await make({ memoryMiB: 16 })
    const map = new Map([['big', "{% set n = 2000000000 %}{{ 'x' * n }}"]])
    const job = { name: 'big', templates: map, context: {} }
    for (let i = 0; i < 2; i++)
      await expect(own.render(job)).rejects.toMatchObject({ kind: 'unavailable', cause: { template: 'big' } })
    expect(own.stopped).toHaveLength(1)
  })

  test('a bounded number of renderings of one template waits; other templates have a line of their own', async () => {
    const own = await make({ longestLine: 3 })
    const ask = (name: string) => kindOf(own.render({ name, templates: templates(''), context: {} }))
    const asked = [...Array.from({ length: 5 }, () => ask('fine')), ask('more')]
    expect(await Promise.all(asked)).toEqual(['text', 'text', 'text', 'unavailable', 'unavailable', 'text'])
    expect(await ask('fine')).toBe('text')
  })
})

test('simultaneous jobs all get their own text', async () => {
  const templates = new Map([['m', '{{ i }}']])
  const jobs = Array.from({ length: 50 }, (_, i) => renderer.render({ name: 'm', templates, context: { i } }))
  expect((await Promise.all(jobs)).map(({ text }) => text)).toEqual(
    Array.from({ length: 50 }, (_, i) => String(i)),
  )
})

test('a check covers all templates of a folder and leaves out README.md', async () => {
  const templates = new Map([
    ['b.ks', 'a\n{% if %}\n'],
    ['a.ks', '{{ x | nope }}'],
    ['README.md', 'Write `{% if %}`.'],
  ])
  const found = await lintTemplates(templates, renderer)
  expect(found.map(({ template, line, severity }) => `${template}:${line} ${severity}`)).toEqual([
    'a.ks:1 error',
    'b.ks:2 error',
  ])
})

test('a closed renderer refuses jobs', async () => {
  const closed = new TemplateRenderer()
  await closed.close()
  await expect(closed.render({ name: 'm', templates: new Map([['m', '']]), context: {} })).rejects.toThrow(
    'closed',
  )
})
