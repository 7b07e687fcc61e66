import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Failure, failureMessage } from '../../server/core/failure.ts'
import type { SnapshotProblem } from '../../server/core/problem.ts'
import { InUse } from '../../server/definitions/in-use.ts'
import { TemplateDefinitions, type TemplatesChange } from '../../server/definitions/template-definitions.ts'
import { reasonsFor } from '../../server/definitions/template-reasons.ts'
import { stating } from '../support/stating.ts'
import { namesBelow, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const tag = (content: string) => `"${createHash('sha256').update(content).digest('hex')}"`
const folder = 'kickstart-templates'
const main =
  "{% extends 'base.ks' %}\n{%- include \"snippets/disk\" %}\n{% include 'snippets/disk' ignore missing %}\n{{ 'snippets/disk' }}\n"
const before: Record<string, string> = {
  'config.yaml': 'guests: { m: { template: base.ks } }\n',
  [`${folder}/base.ks`]: 'text\n',
  [`${folder}/main.ks`]: main,
  [`${folder}/snippets/disk`]: 'clearpart --none # odd\n',
  [`${folder}/.hidden`]: 'x',
  'guests.d/a.yaml': '# mine\ntemplate:   main.ks\n',
  'profiles.d/p.yaml': 'template: "main.ks" # its own\n',
}

function home(found: readonly SnapshotProblem[] = [], files = before) {
  const cwd = temporaryFolder()
  for (const [name, content] of Object.entries(files)) writeBelow(cwd, name, content)
  const asked: TemplatesChange[] = []
  const templates = new TemplateDefinitions(
    { cwd },
    {
      check: async (change) => {
        asked.push(change)
        return found
      },
    },
  )
  const contentOf = (name: string) => readFileSync(join(cwd, name), 'utf8')
  return { cwd, templates, asked, contentOf, path: (name: string) => join(cwd, name) }
}

function filesIn(cwd: string): Record<string, string> {
  const names = namesBelow(cwd).filter(
    (name) => !name.startsWith('data') && statSync(join(cwd, name)).isFile(),
  )
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(cwd, name), 'utf8')]))
}

async function refusal(change: Promise<unknown>): Promise<string> {
  return change.then(
    () => 'made',
    (error: unknown) => `${error instanceof Failure ? error.kind : 'ERROR'}: ${failureMessage(error)}`,
  )
}

const problem: SnapshotProblem = {
  severity: 'error',
  where: 'guests.d/a.yaml:1',
  message: 'guest a cannot be installed',
}

describe('templates', () => {
  test('are listed by their paths, with entity tags', async () => {
    const { templates, path } = home()
    writeFileSync(path(`${folder}/image`), Buffer.from([1, 0, 2]))
    expect((await templates.list()).map(({ name, where, etag, text }) => [name, where, etag, text])).toEqual([
      ['base.ks', `${folder}/base.ks`, tag('text\n'), 'text\n'],
      ['image', `${folder}/image`, expect.any(String), undefined],
      ['main.ks', `${folder}/main.ks`, tag(main), main],
      ['snippets/disk', `${folder}/snippets/disk`, expect.any(String), expect.any(String)],
    ])
    expect(await refusal(templates.read('.hidden'))).toMatch(/^not-found/)
    expect(await refusal(templates.read('../config.yaml'))).toMatch(/^not-found/)
  })

  test('are made and changed when the check finds nothing', async () => {
    const { templates, contentOf, asked, path } = home()
    chmodSync(path(`${folder}/base.ks`), 0o600)
    const made = await templates.write('new/one.ks', 'a\r\n', {})
    expect(made).toEqual({
      where: `${folder}/new/one.ks`,
      after: 'a\r\n',
      etag: tag('a\r\n'),
      others: [],
      problems: [],
    })
    await templates.write('base.ks', '\uFEFFb', { expected: tag('text\n') })
    expect([contentOf(`${folder}/new/one.ks`), contentOf(`${folder}/base.ks`)]).toEqual(['a\r\n', '\uFEFFb'])
    expect(statSync(path(`${folder}/base.ks`)).mode & 0o777).toBe(0o600)
    expect(asked.map(({ texts }) => [...texts])).toEqual([
      [['new/one.ks', 'a\r\n']],
      [['base.ks', '\uFEFFb']],
    ])
  })

  test.each([
    ['what is not the expected one', 'base.ks', { expected: tag('x') }, 'conflict'],
    ['what is there already', 'base.ks', {}, 'conflict'],
    ['what is gone', 'gone', { expected: tag('x') }, 'not-found'],
    ['another folder', '../x', {}, 'bad-request'],
    ['a hidden file', 'a/.b', {}, 'bad-request'],
    ["an editor's file", 'a.swp', {}, 'bad-request'],
    ['an absolute path', '/etc/passwd', {}, 'bad-request'],
    ['below a link that leads out', 'out/x', {}, 'forbidden'],
    ['what is a link', 'link', { expected: tag('text\n') }, 'forbidden'],
  ])('%s is not written', async (_, name, options, kind) => {
    const { cwd, templates, path } = home()
    mkdirSync(path('elsewhere'))
    symlinkSync(path('elsewhere'), path(`${folder}/out`))
    symlinkSync('base.ks', path(`${folder}/link`))
    const files = filesIn(cwd)
    expect(await refusal(templates.write(name, 'x', options))).toMatch(new RegExp(`^${kind}`))
    expect([filesIn(cwd), readdirSync(path('elsewhere'))]).toEqual([files, []])
  })

  test.each([
    ['a NUL byte', 'a\0', 'bad-request'],
    ['more than a MiB', 'é'.repeat(600_000), 'too-large'],
  ])('a text with %s is none', async (_, text, kind) => {
    const { templates } = home()
    expect(await refusal(templates.write('new', text, {}))).toMatch(new RegExp(`^${kind}`))
  })

  test('of a deploy tool are not written', async () => {
    const { templates } = home([], { ...before, [`${folder}/.treeboot.yaml`]: 'managed: read-only\n' })
    expect((await templates.read('base.ks')).readOnly).toContain('managed: read-only')
    expect(await refusal(templates.write('new', '', {}))).toMatch(stating('forbidden', 'managed: read-only'))
  })
})

describe('a change that adds a problem', () => {
  test('is refused with its words, and nothing is written', async () => {
    const { cwd, templates } = home([problem])
    expect(await refusal(templates.write('base.ks', 'x', { expected: tag('text\n') }))).toMatch(
      stating('invalid-data', 'guests.d/a.yaml:1', 'guest a cannot be installed'),
    )
    expect(filesIn(cwd)).toEqual(before)
  })

  test('is made for a reason, which is kept as long as the text stays', async () => {
    const { templates, path, contentOf } = home([problem])
    const made = await templates.write('base.ks', 'x', {
      expected: tag('text\n'),
      reason: ' a is being replaced ',
    })
    expect(made.problems).toEqual([problem])
    const read = async () => {
      const texts = async () => new Map((await templates.list()).map(({ name, text = '' }) => [name, text]))
      return (await reasonsFor(path('data'), texts)).map(({ name, reason }) => `${name}: ${reason}`)
    }
    expect(await read()).toEqual(['base.ks: a is being replaced'])
    await templates.write('other', 'y', { reason: 'why not' })
    expect(await read()).toEqual(['base.ks: a is being replaced', 'other: why not'])
    await templates.rename('other', 'another', { expected: tag('y') })
    expect(await read()).toEqual(['base.ks: a is being replaced', 'another: why not'])
    writeFileSync(path(`${folder}/base.ks`), 'by hand')
    expect(await read()).toEqual(['another: why not'])
    await templates.write('another', 'z', { expected: tag('y'), reason: 'now so' })
    expect(await read()).toEqual(['another: now so'])
    expect(contentOf('data/template-reasons.json')).not.toContain('being replaced')
  })

  test.each(['', ' ', 'a\nb', 'x'.repeat(1001)])('is not made for %j', async (reason) => {
    const { cwd, templates } = home([problem])
    expect(await refusal(templates.write('new', '', { reason }))).toMatch(/^bad-request/)
    expect(filesIn(cwd)).toEqual(before)
  })
})

describe('a template that is named', () => {
  test('is not removed: all that names it is listed', async () => {
    const { templates, cwd } = home()
    const of = async (name: string): Promise<string[]> => {
      const { etag = '' } = await templates.read(name)
      const error = await templates.remove(name, { expected: etag }).catch((thrown) => thrown)
      expect(error).toBeInstanceOf(InUse)
      return (error as InUse).users.map(({ kind, name: user, where }) => `${kind} ${user} ${where}`)
    }
    expect(await of('main.ks')).toEqual(['profile p profiles.d/p.yaml:1', 'guest a guests.d/a.yaml:2'])
    expect(await of('base.ks')).toEqual(['guest m config.yaml:1', `template main.ks ${folder}/main.ks:1`])
    expect(await of('snippets/disk')).toEqual([`template main.ks ${folder}/main.ks:2`])
    expect(filesIn(cwd)).toEqual(before)
  })

  test('gets another name in guests, profiles and templates, and every other byte stays', async () => {
    const { templates, cwd, asked } = home()
    const disk = before[`${folder}/snippets/disk`] ?? ''
    await templates.rename('snippets/disk', 'parts/disk0', { expected: tag(disk) })
    await templates.rename('main.ks', 'all.ks', { expected: (await templates.read('main.ks')).etag ?? '' })
    const { [`${folder}/snippets/disk`]: _, [`${folder}/main.ks`]: __, ...rest } = before
    expect(filesIn(cwd)).toEqual({
      ...rest,
      [`${folder}/parts/disk0`]: disk,
      [`${folder}/all.ks`]: main
        .replace('"snippets/disk"', '"parts/disk0"')
        .replace("include 'snippets/disk'", "include 'parts/disk0'"),
      'guests.d/a.yaml': '# mine\ntemplate:   all.ks\n',
      'profiles.d/p.yaml': 'template: "all.ks" # its own\n',
    })
    expect(asked).toEqual([])
  })

  test('that includes itself goes on to do so', async () => {
    const text = "{% if a %}{% include 'snippets/tree' %}{% endif %}\n"
    const { templates, contentOf } = home([], { ...before, [`${folder}/snippets/tree`]: text })
    await templates.rename('snippets/tree', 'branch', { expected: tag(text) })
    expect(contentOf(`${folder}/branch`)).toBe("{% if a %}{% include 'branch' %}{% endif %}\n")
  })

  test('keeps its name where config.yaml has it', async () => {
    const { templates, cwd } = home()
    expect(await refusal(templates.rename('base.ks', 'b.ks', { expected: tag('text\n') }))).toMatch(
      stating('conflict', 'guest m (config.yaml:1)'),
    )
    expect(filesIn(cwd)).toEqual(before)
  })

  test('gives its place to another one, which is checked for its guests', async () => {
    const { templates, cwd, asked } = home()
    await templates.remove('main.ks', { expected: tag(main), replaceBy: 'base.ks' })
    expect(asked).toEqual([
      { texts: new Map([['main.ks', undefined]]), replaced: { from: 'main.ks', to: 'base.ks' } },
    ])
    expect(filesIn(cwd)).toMatchObject({ 'guests.d/a.yaml': '# mine\ntemplate:   base.ks\n' })
    expect(existsSync(join(cwd, folder, 'main.ks'))).toBe(false)
  })
})
