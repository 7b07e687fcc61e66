import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { runCli } from '../../../server/cli/program.ts'
import { openStore } from '../../../server/store/sqlite/open.ts'
import { httpOnly, portOf, quickApp } from '../../support/app.ts'
import { type CliResult, treebootIn } from '../../support/cli.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

let home = ''
beforeEach(() => {
  home = temporaryFolder()
  writeBelow(home, 'config.yaml', httpOnly)
  writeBelow(home, 'password', 'correct horse battery\n')
})

const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home, ...args)
const added = (name: string, role: string): Promise<CliResult> =>
  treeboot('accounts', 'add', name, '--role', role, '--password-file', 'password')

/** The same with a person at the terminal, who types these one after the other. */
async function typing(typed: readonly string[], ...args: string[]): Promise<CliResult & { asked: string[] }> {
  const said = { out: '', err: '', asked: [] as string[] }
  const left = [...typed]
  const code = await runCli(args, {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    ask: async () => true,
    askSecret: async (question) => {
      said.asked.push(question)
      return left.shift()
    },
    exit: () => {},
    color: false,
    terminal: true,
    cwd: home,
  })
  return { code, ...said }
}

test('nothing is made by a question, and each list says how to begin', async () => {
  for (const words of [['accounts'], ['accounts', 'list'], ['tokens'], ['tokens', 'list']]) {
    const { code, out } = await treeboot(...words)
    expect([code, out]).toEqual([3, expect.stringMatching(/^no .*treeboot \w+ add/)])
  }
  expect(await treeboot('audit')).toMatchObject({ code: 0, out: 'nothing was done yet\n' })
  expect(existsSync(join(home, 'data'))).toBe(false)
})

test('accounts are made, listed, changed and removed, and the audit tells', async () => {
  expect(await added('anna', 'admin')).toMatchObject({ code: 0, out: 'anna is admin now\n' })
  expect(await added('ben', 'viewer')).toMatchObject({ code: 0 })
  expect((await treeboot('accounts', 'set', 'ben', '--role', 'operator')).code).toBe(0)
  expect((await treeboot('accounts', 'set', 'ben', '--disable')).code).toBe(0)
  expect((await treeboot('accounts')).out).toMatch(/^ben +operator, disabled +0 +0 +-$/m)
  expect((await treeboot('accounts', 'set', 'ben', '--enable')).code).toBe(0)
  expect(JSON.parse((await treeboot('accounts', 'list', '--json')).out)).toMatchObject([
    { name: 'anna', role: 'admin', disabled: false, lastSignIn: null },
    { name: 'ben', role: 'operator', disabled: false },
  ])
  expect(await treeboot('accounts', 'rm', 'anna')).toMatchObject({
    code: 1,
    err: expect.stringContaining('anna is the last admin'),
  })
  expect(await treeboot('accounts', 'rm', 'ben')).toMatchObject({ code: 0 })
  const lines = (await treeboot('audit', '--json-lines')).out.trim().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    {
      action: 'accounts.remove',
      target: 'ben',
      from: 'command line',
      account: expect.stringMatching(/ on this host$/),
    },
    { action: 'accounts.set' },
    { action: 'accounts.set', before: { disabled: false }, after: { disabled: true } },
    { action: 'accounts.set', before: { role: 'viewer' }, after: { role: 'operator' } },
    { action: 'accounts.add', target: 'ben' },
    { action: 'accounts.add', target: 'anna', after: { role: 'admin' } },
  ])
  expect((await treeboot('audit', '--limit', '1')).out).toMatch(/accounts\.remove +ben/)
  expect(JSON.parse((await treeboot('audit', '--json', '--since', '2000-01-01')).out)).toHaveLength(6)
})

describe('a password', () => {
  test('is asked for twice, and shown nowhere', async () => {
    const said = await typing(
      ['a long password', 'a long password'],
      'accounts',
      'add',
      'anna',
      '--role',
      'admin',
    )
    expect(said).toMatchObject({ code: 0, asked: ['password of anna: ', 'the same again: '] })
    expect(said.out + said.err).not.toContain('a long password')
    const changed = await typing(['another password', 'another one'], 'accounts', 'set', 'anna', '--password')
    expect(changed).toMatchObject({ code: 2, err: expect.stringContaining('not the same') })
  })

  test.each([
    [['--password-file', 'nowhere'], /nowhere cannot be read/],
    [['--password-file', 'short'], /at least 12 characters, found 5/],
    [['--password-file', 'long'], /8192 bytes/],
    [[], /no terminal.*--password-file FILE/],
  ])('%j is refused with its reason', async (args, why) => {
    writeBelow(home, 'short', 'short\n')
    writeBelow(home, 'long', 'x'.repeat(9000))
    const { code, err } = await treeboot('accounts', 'add', 'anna', '--role', 'admin', ...args)
    expect([code, err]).toEqual([2, expect.stringMatching(why)])
  })
})

test('a token is printed alone, and is worth what the list says', async () => {
  await added('anna', 'operator')
  const made = await treeboot(
    'tokens',
    'add',
    'ci',
    '--account',
    'anna',
    '--role',
    'operator',
    '--scope',
    'uploads',
    'guests:read',
    '--expires',
    '90d',
  )
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^treeboot_[\w-]{43}\n$/) })
  const beyond = await treeboot('tokens', 'add', 'more', '--account', 'anna', '--role', 'admin')
  expect(beyond).toMatchObject({ code: 1, err: expect.stringContaining('never more than its maker') })
  await treeboot('accounts', 'set', 'anna', '--role', 'viewer')
  expect((await treeboot('tokens')).out).toMatch(
    /^anna +ci +viewer \(operator\) +uploads guests:read +\d{4}-.* never$/m,
  )
  const [listed] = JSON.parse((await treeboot('tokens', 'list', '--account', 'anna', '--json')).out)
  expect(listed).toMatchObject({ name: 'ci', role: 'operator', roleNow: 'viewer', lastUsed: null })
  expect(Date.parse(listed.expires) - Date.now()).toBeGreaterThan(89 * 86_400_000)
  expect(await treeboot('tokens', 'rm', 'cj', '--account', 'anna')).toMatchObject({
    code: 3,
    err: expect.stringContaining('did you mean ci?'),
  })
  expect(await treeboot('tokens', 'rm', 'ci')).toMatchObject({ code: 0, out: 'ci of anna: revoked\n' })
})

test.each([
  ['--expires', 'soon', /--expires: found "soon".*90d/],
  ['--expires', '2000-01-01', /expired already/],
  ['--scope', 'everything', /uploads.*guests:read/s],
])('tokens add %s %s is refused with what was expected', async (option, value, why) => {
  await added('anna', 'operator')
  const words = ['tokens', 'add', 'x', '--account', 'anna', '--role', 'viewer', option, value]
  expect(await treeboot(...words)).toMatchObject({ code: 2, err: expect.stringMatching(why) })
})

test('a token of several accounts is not guessed', async () => {
  for (const name of ['anna', 'ben']) {
    await added(name, 'viewer')
    await treeboot('tokens', 'add', 'ci', '--account', name, '--role', 'viewer')
  }
  expect(await treeboot('tokens', 'rm', 'ci')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--account'),
  })
})

test('a setup link is printed on a terminal, and otherwise in a file alone', async () => {
  const printed = await typing([], 'accounts', 'setup-link')
  expect(printed.out).toMatch(/^http:\/\/127\.0\.0\.1:0\/setup#[\w-]{43}\n/)
  const { out } = await treeboot('accounts', 'setup-link')
  const file = join(home, 'data/setup-link')
  const link = readFileSync(file, 'utf8').trim()
  expect(out).toContain(file)
  expect(out).not.toContain(link.split('#')[1])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect((await treeboot('accounts', 'setup-link', '--revoke')).code).toBe(0)
  expect(existsSync(file)).toBe(false)
})

test('commands reach a running server: what they revoke is worth nothing with its next request', async () => {
  await added('anna', 'admin')
  const app = quickApp({ cwd: home })
  await app.start()
  try {
    expect(portOf(app)).toBeGreaterThan(0)
    const { out } = await treeboot('tokens', 'add', 'ci', '--account', 'anna', '--role', 'operator')
    expect(await app.accounts.callerOfToken(out.trim(), '10.0.0.7')).toMatchObject({ role: 'operator' })
    await app.accounts.signIn('anna', 'correct horse battery', '10.0.0.7')
    expect((await treeboot('accounts', 'sessions', 'anna')).out).toMatch(/10\.0\.0\.7$/m)
    expect((await treeboot('accounts', 'sessions', 'anna', '--end')).out).toBe('anna: 1 session ended\n')
    await treeboot('accounts', 'set', 'anna', '--role', 'admin', '--password-file', 'password')
    await treeboot('tokens', 'rm', 'ci')
    expect(await app.accounts.callerOfToken(out.trim(), '10.0.0.7')).toBeUndefined()
    const legacy = readFileSync(join(home, 'data/admin-token'), 'utf8').trim()
    expect(await app.accounts.callerOfToken(legacy, '10.0.0.9')).toMatchObject({ token: 'legacy' })
    const reply = await fetch(`http://127.0.0.1:${portOf(app)}/api/v1/problems`)
    expect(JSON.stringify(await reply.json())).toContain('treeboot tokens add')
  } finally {
    await app.stop()
  }
})

test('an account that was made before the first start arms no guest', async () => {
  writeBelow(home, 'config.yaml', `${httpOnly}guests:\n  web01: { mac: "52:54:00:aa:bb:01" }\n`)
  await added('anna', 'admin')
  const app = quickApp({ cwd: home })
  await app.start()
  await app.stop()
  const store = await openStore({ data: join(home, 'data') })
  expect((await store.states()).get('web01')).toMatchObject({ state: 'held' })
  await store.close()
})
