import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { changedBy } from '../../../server/cli/commands/definition-verbs.ts'
import { treebootIn } from '../../support/cli.ts'
import { stating } from '../../support/stating.ts'
import { makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

function home() {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { main: {} }\n')
  const treeboot = (...args: string[]) => treebootIn(cwd, ...args)
  return { cwd, treeboot, contentOf: (name: string) => readFileSync(join(cwd, name), 'utf8') }
}

test('a profile and a guest are made, changed and removed', async () => {
  const { cwd, treeboot, contentOf } = home()
  expect(await treeboot('profiles', 'add', 'web', 'args=[quiet, text]', 'virt.memory=4096')).toMatchObject({
    code: 0,
    out: expect.stringContaining('profiles.d/web.yaml: made'),
  })
  const added = await treeboot('guests', 'add', 'web01', 'mac=52:54:00:AA:bb:01', 'profile=web', '--local')
  expect(added).toMatchObject({ code: 0, out: expect.stringContaining('boots its own disk') })
  expect((await treeboot('guests')).out).toMatch(stating('web01', 'local', 'web'))
  writeFileSync(join(cwd, 'guests.d/web01.yaml'), `# by hand\n${contentOf('guests.d/web01.yaml')}`)
  const set = await treeboot('guests', 'set', 'web01', 'vars.a=1', 'profile=')
  expect(set.out.split('\n')).toEqual(
    expect.arrayContaining(['-profile: web', '+vars:', '+  a: 1', 'guests.d/web01.yaml: changed']),
  )
  expect(contentOf('guests.d/web01.yaml')).toBe('# by hand\nmac: 52:54:00:AA:bb:01\nvars:\n  a: 1\n')
  expect((await treeboot('profiles')).out).toMatch(stating('web', 0, 'profiles.d/web.yaml:1'))
  const removed = await treeboot('guests', 'rm', 'web01', '--json')
  expect(JSON.parse(removed.out)).toMatchObject({ file: 'guests.d/web01.yaml', changed: true, etag: null })
  expect(existsSync(join(cwd, 'guests.d/web01.yaml'))).toBe(false)
})

test('a mirror is made, listed without its password, and removed', async () => {
  const { cwd, treeboot, contentOf } = home()
  expect(await treeboot('mirrors')).toMatchObject({
    code: 3,
    out: expect.stringContaining('treeboot mirrors add ID'),
  })
  const url = 'url=https://ann:secret@mirror.example/fedora/41/'
  const made = await treeboot('mirrors', 'add', 'fedora/41', url, 'schedule=every 24h')
  expect(made).toMatchObject({ code: 0, out: expect.stringContaining('mirrors.d/fedora/41.yaml: made') })
  expect((await treeboot('mirrors', 'set', 'fedora/41', 'schedule=daily at 03:00')).code).toBe(0)
  expect(contentOf('mirrors.d/fedora/41.yaml')).toContain('daily at 03:00')
  const { out } = await treeboot('mirrors')
  expect(out).toMatch(
    stating('fedora/41', 'https://...@mirror.example', 'daily at 03:00', 'mirrors.d/fedora/41.yaml'),
  )
  expect(out + (await treeboot('mirrors', '--json')).out).not.toContain('secret')
  expect((await treeboot('mirrors', 'rm', 'fedora/41')).code).toBe(0)
  expect(existsSync(join(cwd, 'mirrors.d/fedora/41.yaml'))).toBe(false)
  expect(await treeboot('mirrors', 'add', '../x', url)).toMatchObject({ code: 2 })
})

test('a new guest is told what its machine will do', async () => {
  const { cwd, treeboot } = home()
  const bare = await treeboot('guests', 'add', 'a', 'mac=52:54:00:aa:bb:01')
  expect(bare.out).toMatch(
    /guests\.d\/a\.yaml: made; its first network boot installs nothing: it has no tree/,
  )
  makeTree(join(cwd, 'trees/fedora-40'))
  const whole = await treeboot('guests', 'add', 'b', 'mac=52:54:00:aa:bb:02', 'tree=fedora-40')
  expect(whole.out).toMatch(
    /made; its first network boot installs fedora-40 \(not verified\), unless its machine is known/,
  )
})

test('many commands at once that each set another key of one file all succeed', async () => {
  const { cwd, treeboot, contentOf } = home()
  writeBelow(cwd, 'guests.d/a.yaml', '# by hand\n')
  const keys = Array.from({ length: 12 }, (_, i) => `k${i}`)
  const replies = await Promise.all(keys.map((key) => treeboot('guests', 'set', 'a', `vars.${key}=1`)))
  expect(replies.map(({ code, err }) => `${code}${err}`)).toEqual(keys.map(() => '0'))
  const lines = contentOf('guests.d/a.yaml').split('\n')
  expect(lines.sort()).toEqual(['# by hand', 'vars:', '', ...keys.map((key) => `  ${key}: 1`)].sort())
}, 60_000)

test('--dry-run shows the difference and changes nothing, not even the store', async () => {
  const { cwd, treeboot } = home()
  const { code, out } = await treeboot('guests', 'add', 'a', 'args=x', '--dry-run', '--local')
  expect([code, out]).toEqual([0, '+args: x\nguests.d/a.yaml: nothing was changed (--dry-run)\n'])
  expect(['guests.d', 'data'].map((name) => existsSync(join(cwd, name)))).toEqual([false, false])
})

test.each([
  [['guests', 'set', 'main', 'args=x'], 1, ['config.yaml:1', 'only a person']],
  [['guests', 'set', 'none', 'args=x'], 3, ['no guest none']],
  [['guests', 'add', 'main'], 1, ['already exists']],
  [['guests', 'add', 'a', 'mac=1'], 2, ['guests.d/a.yaml:1:6', 'guests.a.mac']],
  [['guests', 'add', 'a', 'mac'], 2, ['key=value']],
  [['guests', 'add', 'a', 'vars.x=*b'], 2, ['vars.x=', 'double quotes']],
  [['profiles', 'rm', 'web'], 3, ['no profile web']],
])('%j is refused, and nothing is made', async (args, code, facts) => {
  const { cwd, treeboot } = home()
  const found = await treeboot(...args)
  expect(found.code).toBe(code)
  expect(found.err).toMatch(stating(...facts))
  expect(['guests.d', 'data'].map((name) => existsSync(join(cwd, name)))).toEqual([false, false])
})

describe('key=value', () => {
  const data = { args: ['a'], virt: { memory: 1 } }
  test.each([
    ['virt.memory=', { args: ['a'] }],
    ['virt.vcpus=2', { args: ['a'], virt: { memory: 1, vcpus: 2 } }],
    ['args=console=ttyS0', { args: 'console=ttyS0', virt: { memory: 1 } }],
    ['args={a: b}', { args: { a: 'b' }, virt: { memory: 1 } }],
    ['vars.a.b=1', { ...data, vars: { a: { b: 1 } } }],
    ['vars.toString.b=1', { ...data, vars: { toString: { b: 1 } } }],
    ['none.b=', data],
  ])('%s', (pair, expected) => {
    expect(changedBy(data, [pair])).toEqual(expected)
    expect(data).toEqual({ args: ['a'], virt: { memory: 1 } })
  })
  test.each([
    ['args.0=b', 'args is a list'],
    ['args.0.b=', 'args is a list'],
    ['virt.memory.x=1', 'virt.memory is one value'],
  ])('%s is refused, and what stands there stays', (pair, why) => {
    expect(() => changedBy(data, [pair])).toThrow(why)
    expect(data).toEqual({ args: ['a'], virt: { memory: 1 } })
  })
  test.each(['=1', 'a..b=1', '__proto__.x=1', 'a.__proto__=1', 'a'])('refuses %s', (pair) => {
    expect(() => changedBy({}, [pair])).toThrow('key=value')
  })
})
