import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { treebootIn } from '../../support/cli.ts'
import { stating } from '../../support/stating.ts'
import { makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

function home() {
  const cwd = temporaryFolder()
  const guest = (mac: number, template: string) =>
    `mac: 52:54:00:aa:bb:0${mac}\ntree: fedora-40\ntemplate: ${template}\nvars: { disk: sda }\n`
  const files = {
    'config.yaml': '',
    'guests.d/a.yaml': guest(1, 'main.ks'),
    'guests.d/b.yaml': guest(2, 'main.ks'),
    'guests.d/c.yaml': guest(3, 'other.ks'),
    'kickstart-templates/main.ks': "{% include 'snippets/disk' %}\ntext\n",
    'kickstart-templates/other.ks': 'url\n{{ disk }} {{ missing }}\n',
    'kickstart-templates/snippets/disk': 'clearpart --drives={{ disk }}\n',
  }
  for (const [name, content] of Object.entries(files)) writeBelow(cwd, name, content)
  makeTree(join(cwd, 'trees/fedora-40'))
  const treeboot = (...args: string[]) => treebootIn(cwd, ...args)
  const save = (name: string, text: string, ...more: string[]) => {
    writeFileSync(join(cwd, 'new'), text)
    return treeboot('templates', 'save', 'new', '--as', name, ...more)
  }
  return {
    cwd,
    treeboot,
    save,
    contentOf: (name: string) => readFileSync(join(cwd, 'kickstart-templates', name), 'utf8'),
  }
}

test('templates are listed, shown, made, changed, renamed and removed', async () => {
  const { cwd, treeboot, save, contentOf } = home()
  expect((await treeboot('templates')).out).toMatch(/main\.ks +2[\s\S]*other\.ks +1[\s\S]*snippets\/disk +0/)
  expect((await treeboot('templates', 'list', '--json')).out).toContain('"snippets/disk"')
  expect(await treeboot('templates', 'show', 'main.ks')).toMatchObject({ code: 0, out: contentOf('main.ks') })
  expect(await treeboot('templates', 'show', 'none')).toMatchObject({ code: 3 })
  const dry = await save('snippets/disk', 'zerombr\nclearpart --drives={{ disk }}\n', '--dry-run')
  expect(dry.out).toBe(
    '+zerombr\n clearpart --drives={{ disk }}\nkickstart-templates/snippets/disk: nothing was changed (--dry-run)\n',
  )
  expect((await save('snippets/disk', 'zerombr\nclearpart --drives={{ disk }}\n')).out).toContain(
    'disk: changed',
  )
  expect((await save('snippets/net', 'network\n')).out).toContain('kickstart-templates/snippets/net: made')
  const renamed = await treeboot('templates', 'rename', 'snippets/disk', 'parts/disk')
  expect(renamed).toMatchObject({ code: 0, out: expect.stringContaining("+{% include 'parts/disk' %}") })
  expect(await treeboot('templates', 'rm', 'parts/disk')).toMatchObject({
    code: 1,
    err: expect.stringContaining('template main.ks (kickstart-templates/main.ks:1)'),
  })
  expect((await treeboot('templates', 'rm', 'snippets/net')).code).toBe(0)
  expect(existsSync(join(cwd, 'kickstart-templates/snippets/net'))).toBe(false)
  expect((await treeboot('check')).out).not.toMatch(stating('guest a'))
}, 60_000)

test.each([
  [
    'guests that could be installed before',
    'snippets/disk',
    '{{ disk }} {{ nothing }}\n',
    ['guest a and 1 more cannot be installed', 'nothing'],
  ],
  ['a mistake in a template that nobody has', 'new.ks', '{% if %}\n', ['kickstart-templates/new.ks:1']],
  ['an include of nothing', 'new.ks', "{% include 'none' %}\n", ['kickstart-templates/new.ks:1', 'none']],
  [
    'a variable that nothing reads any more',
    'snippets/disk',
    'clearpart --all\n',
    ['no template reads the variable disk'],
  ],
  ['lines that shells cannot read', 'new.ks', '%post\r\n%end\r\n', ['CR LF']],
])(
  'a template is not saved when that adds a problem: %s',
  async (_, name, text, facts) => {
    const { cwd, treeboot, save } = home()
    const before = existsSync(join(cwd, 'kickstart-templates', name))
      ? readFileSync(join(cwd, 'kickstart-templates', name), 'utf8')
      : undefined
    const refused = await save(name, text)
    expect(refused.code).toBe(2)
    expect(refused.err).toMatch(stating(...facts))
    expect(refused.err).not.toContain('guest c')
    expect(existsSync(join(cwd, 'kickstart-templates', name))).toBe(before !== undefined)
    const saved = await save(name, text, '--reason', 'a and b are being replaced')
    expect(saved).toMatchObject({ code: 0, err: '' })
    expect(saved.out).toMatch(stating(...facts))
    expect(readFileSync(join(cwd, 'kickstart-templates', name), 'utf8')).toBe(text)
    expect((await treeboot('check')).out).toMatch(
      stating(`kickstart-templates/${name}`, 'in spite of a problem: a and b are being replaced'),
    )
  },
  60_000,
)

test('what was wrong before refuses nothing, and what takes the place of a template is checked for its guests', async () => {
  const { treeboot, save, contentOf } = home()
  expect((await save('other.ks', 'url\n\n{{ disk }} {{ missing }}\n')).code).toBe(0)
  expect((await save('other.ks', 'url\n{{ disk }}\n{{ worse }}\n')).code).toBe(0)
  const refused = await treeboot('templates', 'rm', 'main.ks', '--replace-by', 'other.ks')
  expect(refused.err).toMatch(stating('guest a and 1 more cannot be installed', 'worse'))
  expect((await save('other.ks', 'url\n{{ disk }}\n')).code).toBe(0)
  expect((await treeboot('templates', 'rm', 'main.ks', '--replace-by', 'other.ks')).code).toBe(0)
  expect(contentOf('../guests.d/a.yaml')).toContain('template: other.ks\n')
}, 60_000)

test.each([
  [['save', 'none', '--as', 'x'], 2, ['none', 'does not exist']],
  [['save', 'trees', '--as', 'x'], 2, ['trees', 'folder']],
  [['save', 'config.yaml', '--as', '../x'], 2, ['../x']],
  [['rename', 'main.ks', 'other.ks'], 1, ['other.ks', 'already exists']],
  [['rm', 'none'], 3, ['no template none']],
])('templates %j is refused', async (args, code, facts) => {
  const { treeboot } = home()
  const found = await treeboot('templates', ...args)
  expect([found.code, found.err]).toEqual([code, expect.stringMatching(stating(...facts))])
})
