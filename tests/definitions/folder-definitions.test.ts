import { execFileSync } from 'node:child_process'
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
import { describe, expect, onTestFinished, test } from 'vitest'
import { keepLastGood, loadConfigFile } from '../../server/config/last-good.ts'
import { readConfigTexts } from '../../server/config/texts.ts'
import { Failure, failureMessage } from '../../server/core/failure.ts'
import { FolderDefinitions } from '../../server/definitions/folder-definitions.ts'
import { type DefinitionUser, InUse } from '../../server/definitions/in-use.ts'
import { eventually } from '../support/eventually.ts'
import { stating } from '../support/stating.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const config = 'profiles: { web: {} }\nguests:\n  main: { mac: 52:54:00:aa:bb:07 }\n'
const text = '# the first one\nmac:   52:54:00:aa:bb:01 # eth0\nprofile: web\n'
const tag = (content: string) => `"${createHash('sha256').update(content).digest('hex')}"`

function home(files: Record<string, string> = {}) {
  const cwd = temporaryFolder()
  for (const [name, content] of Object.entries({ 'config.yaml': config, ...files }))
    writeBelow(cwd, name, content)
  const definitions = new FolderDefinitions({ cwd })
  const contentOf = (name: string) => readFileSync(join(cwd, name), 'utf8')
  return { cwd, definitions, contentOf }
}

async function refusal(change: Promise<unknown>): Promise<string> {
  return change.then(
    () => 'made',
    (error: unknown) => `${error instanceof Failure ? error.kind : 'ERROR'}: ${failureMessage(error)}`,
  )
}

describe('reading', () => {
  test('gives each definition with its text, entity tag, data and place', async () => {
    const { definitions } = home({
      'guests.d/a.yaml': text,
      'guests.d/bad.yaml': 'mac: [\n',
      'guests.d/b.yml': '\uFEFF',
    })
    expect(await definitions.list('guest')).toEqual([
      expect.objectContaining({ name: 'main', where: 'config.yaml:3', data: { mac: '52:54:00:aa:bb:07' } }),
      {
        kind: 'guest',
        name: 'a',
        where: 'guests.d/a.yaml',
        text,
        etag: tag(text),
        data: { mac: '52:54:00:aa:bb:01', profile: 'web' },
      },
      expect.objectContaining({ name: 'b', text: '\uFEFF', etag: tag('\uFEFF'), data: {} }),
      { kind: 'guest', name: 'bad', where: 'guests.d/bad.yaml', text: 'mac: [\n', etag: tag('mac: [\n') },
    ])
    expect(await definitions.read('profile', 'web')).toMatchObject({
      readOnly: expect.stringContaining('config.yaml:1'),
    })
    expect(await refusal(definitions.read('mirror', 'a'))).toBe('not-found: there is no mirror a')
  })
})

describe('writing', () => {
  test('makes, changes and removes a file, and leaves all other bytes', async () => {
    const { definitions, contentOf, cwd } = home()
    const made = await definitions.write('guest', 'a', text, {})
    expect(made).toEqual({ where: 'guests.d/a.yaml', after: text, etag: tag(text) })
    const { data = {}, etag = '' } = await definitions.read('guest', 'a')
    await definitions.write('guest', 'a', { ...data, args: ['quiet'] }, { expected: etag })
    expect(contentOf('guests.d/a.yaml')).toBe(`${text}args:\n  - quiet\n`)
    const { etag: now = '' } = await definitions.read('guest', 'a')
    await definitions.remove('guest', 'a', { expected: now })
    expect(readdirSync(join(cwd, 'guests.d'))).toEqual([])
    await definitions.write('mirror', 'fedora/41', { url: 'http://a.example/' }, {})
    expect(contentOf('mirrors.d/fedora/41.yaml')).toBe('url: http://a.example/\n')
  })

  test('leaves a file to whom it belongs', async () => {
    const { definitions, cwd } = home({ 'guests.d/a.yaml': text })
    const path = join(cwd, 'guests.d/a.yaml')
    chmodSync(path, 0o666)
    await definitions.write('guest', 'a', '', { expected: tag(text) })
    expect(statSync(path).mode & 0o777).toBe(0o666)
  })

  test('with dryRun tells the change and makes none', async () => {
    const { definitions, cwd } = home()
    expect(await definitions.write('guest', 'a', text, { dryRun: true })).toMatchObject({ after: text })
    expect(existsSync(join(cwd, 'guests.d'))).toBe(false)
    expect(await refusal(definitions.write('guest', 'a', 'x: 1\n', { dryRun: true }))).toContain('guests.a.x')
  })

  test('is refused when the definition is not the expected one', async () => {
    const { definitions, contentOf } = home({ 'guests.d/a.yaml': text })
    const other = { expected: tag('other') }
    expect(await refusal(definitions.write('guest', 'a', '', other))).toMatch(
      /^conflict: guests\.d\/a\.yaml was changed/,
    )
    expect(await refusal(definitions.remove('guest', 'a', other))).toMatch(/^conflict/)
    expect(await refusal(definitions.write('guest', 'a', '', {}))).toMatch(
      /^conflict: guest a already exists/,
    )
    expect(await refusal(definitions.write('guest', 'new', '', other))).toMatch(/^not-found/)
    expect(await refusal(definitions.write('guest', 'main', '', other))).toMatch(
      stating('forbidden', 'config.yaml:3'),
    )
    expect(contentOf('guests.d/a.yaml')).toBe(text)
  })

  test.each([
    ['an unknown key', 'a', 'profil: web\n', ['guests.d/a.yaml:1:1', 'guests.a.profil', "'profile'"]],
    ['the MAC of another guest', 'a', 'mac: 52:54:00:aa:bb:07\n', ['guests.d/a.yaml:1:6', 'guest main']],
    ['an unknown profile', 'a', 'profile: none\n', ['guests.d/a.yaml:1:10', "'none'"]],
    ['text that is not YAML', 'a', 'mac: [\n', ['guests.d/a.yaml:']],
  ])('is refused in the words of check when it adds a problem: %s', async (_, name, wrong, facts) => {
    const { definitions, contentOf } = home({ 'guests.d/a.yaml': text, 'guests.d/bad.yaml': 'x: 1\n' })
    const { etag = '' } = await definitions.read('guest', name)
    const why = await refusal(definitions.write('guest', name, wrong, { expected: etag }))
    expect(why).toMatch(/^invalid-data: /)
    expect(why).toMatch(stating(...facts))
    expect(why).not.toContain('bad.yaml')
    expect(contentOf('guests.d/a.yaml')).toBe(text)
  })

  test('is not refused for a problem that was there before, in another file or in the same', async () => {
    const { definitions, contentOf } = home({
      'guests.d/bad.yaml': 'x: 1\nargs: a\n',
      'profiles.d/worse.yaml': '[',
    })
    await definitions.write('guest', 'a', text, {})
    const { etag = '' } = await definitions.read('guest', 'bad')
    await definitions.write('guest', 'bad', '# one line more\nx: 1\nargs: b\n', { expected: etag })
    expect(contentOf('guests.d/bad.yaml')).toContain('args: b')
  })

  test('makes a guest that waits for its profile, which is wrong', async () => {
    const { definitions, cwd } = home({ 'profiles.d/p.yaml': 'args: good\n' })
    mkdirSync(join(cwd, 'data'))
    await keepLastGood(join(cwd, 'data'), await readConfigTexts({ cwd }))
    writeFileSync(join(cwd, 'profiles.d/p.yaml'), 'arg: x\n')
    await definitions.write('guest', 'a', text.replace('web', 'p'), {})
    const guest = (await loadConfigFile({ cwd })).guests.find(({ name }) => name === 'a')
    expect(guest?.refused).toMatch(stating('profile p', 'profiles.d/p.yaml'))
  })

  test('removes no profile that others name, in a file or in config.yaml, and lists them', async () => {
    const { definitions, cwd } = home({
      'config.yaml': 'guests:\n  m: { profile: [p] }\n',
      'profiles.d/p.yaml': 'inherits: p\n',
      'profiles.d/q.yaml': '# below\ninherits:\n  - q\n  - p\n',
      'guests.d/a.yaml': 'profile: p\nx: 1\n',
      'guests.d/m.yaml': 'profile: p\n',
      'guests.d/bad.yaml': 'profile: [p\n',
    })
    const { etag = '' } = await definitions.read('profile', 'p')
    const error = await definitions.remove('profile', 'p', { expected: etag }).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(InUse)
    expect(error.kind).toBe('conflict')
    expect(error.message).toMatch(stating('profile p', 'guest m (config.yaml:2)', 'profile q'))
    expect(error.users.map(({ kind, name, where }: DefinitionUser) => `${kind} ${name} ${where}`)).toEqual([
      'guest m config.yaml:2',
      'profile q profiles.d/q.yaml:4',
      'guest a guests.d/a.yaml:1',
      'guest m guests.d/m.yaml:1',
    ])
    expect(existsSync(join(cwd, 'profiles.d/p.yaml'))).toBe(true)
  })

  test('removes no profile that a guest has by its last good text', async () => {
    const { definitions, cwd } = home({ 'profiles.d/p.yaml': '', 'guests.d/a.yaml': 'profile: p\n' })
    mkdirSync(join(cwd, 'data'))
    await keepLastGood(join(cwd, 'data'), await readConfigTexts({ cwd }))
    writeFileSync(join(cwd, 'guests.d/a.yaml'), 'profile: [p\n')
    const { etag = '' } = await definitions.read('profile', 'p')
    expect(await refusal(definitions.remove('profile', 'p', { expected: etag }))).toMatch(
      stating('conflict', 'guest a (guests.d/a.yaml)'),
    )
  })

  test.each(['../a', '.a', 'a/b', 'a b', '', 'a'.repeat(101)])(
    'writes no file by the name %j',
    async (name) => {
      const { definitions, cwd } = home()
      expect(await refusal(definitions.write('guest', name, '', {}))).toMatch(/^bad-request/)
      expect(readdirSync(cwd)).not.toContain('guests.d')
    },
  )

  test('of ten changes of one text at once one is made', async () => {
    const { definitions, contentOf, cwd } = home({ 'guests.d/a.yaml': text })
    const others = Array.from({ length: 10 }, (_, i) =>
      refusal(new FolderDefinitions({ cwd }).write('guest', 'a', `args: n${i}\n`, { expected: tag(text) })),
    )
    const replies = await Promise.all(others)
    expect(replies.filter((reply) => reply === 'made')).toHaveLength(1)
    expect(replies.filter((reply) => reply.startsWith('conflict'))).toHaveLength(9)
    expect(contentOf('guests.d/a.yaml')).toBe(`args: n${replies.indexOf('made')}\n`)
    expect((await definitions.list('guest')).map(({ name }) => name)).toEqual(['main', 'a'])
  }, 20_000)
})

describe('files that others own are shown as such and are not written:', () => {
  test.each([
    ['a folder that a deploy tool manages', 'managed: read-only\n', 'managed: read-only'],
    ['a note that cannot be understood', 'managed: [\n', 'cannot be understood'],
  ])('%s', async (_, note, why) => {
    const { definitions, contentOf } = home({ 'guests.d/a.yaml': text, 'guests.d/.treeboot.yaml': note })
    const { readOnly, etag = '' } = await definitions.read('guest', 'a')
    expect(readOnly).toContain(why)
    for (const change of [
      () => definitions.write('guest', 'a', '', { expected: etag }),
      () => definitions.remove('guest', 'a', { expected: etag }),
      () => definitions.write('guest', 'b', '', {}),
    ])
      expect(await refusal(change())).toMatch(stating('forbidden', 'guests.d/.treeboot.yaml', why))
    expect(contentOf('guests.d/a.yaml')).toBe(text)
    await definitions.write('profile', 'p', '', {})
  })

  test('a note that says nothing of this', async () => {
    const { definitions } = home({ 'guests.d/.treeboot.yaml': '# ours\n' })
    await definitions.write('guest', 'b', '', {})
  })

  test('a link', async () => {
    const { definitions, cwd } = home({ 'elsewhere.yaml': text, 'guests.d/b.yaml': '' })
    symlinkSync('../elsewhere.yaml', join(cwd, 'guests.d/a.yaml'))
    const { etag = '', readOnly } = await definitions.read('guest', 'a')
    expect(readOnly).toContain('is a link')
    expect(await refusal(definitions.write('guest', 'a', '', { expected: etag }))).toMatch(/^forbidden/)
  })

  test('a note that is a link to nothing, or no file', async () => {
    const { definitions, cwd } = home()
    mkdirSync(join(cwd, 'guests.d'))
    mkdirSync(join(cwd, 'profiles.d'))
    symlinkSync('nowhere', join(cwd, 'guests.d/.treeboot.yaml'))
    execFileSync('mkfifo', [join(cwd, 'profiles.d/.treeboot.yaml')])
    for (const kind of ['guest', 'profile'] as const)
      expect(await refusal(definitions.write(kind, 'b', '', {}))).toMatch(
        /^forbidden: .*cannot be understood/,
      )
  })

  test.each<[string, (path: string) => void, string]>([
    ['a folder', mkdirSync, 'is a folder'],
    ['a FIFO', (path) => execFileSync('mkfifo', [path]), 'is a pipe'],
    ['a link to nothing', (path) => symlinkSync('nowhere', path), 'is a link'],
    ['no text', (path) => writeFileSync(path, Buffer.from([0xff])), 'UTF-8'],
    ['too large', (path) => writeFileSync(path, ' '.repeat(2 ** 20 + 1)), 'has more than'],
  ])('what is %s, beside files that are right', async (_, make, why) => {
    const { definitions, cwd } = home({ 'guests.d/b.yaml': text })
    make(join(cwd, 'guests.d/a.yaml'))
    const told = stating('guests.d/a.yaml', why)
    expect((await definitions.read('guest', 'a')).readOnly).toMatch(told)
    const options = { expected: tag('') }
    expect(await refusal(definitions.write('guest', 'a', '', options))).toMatch(stating('forbidden', why))
    expect(await refusal(definitions.remove('guest', 'a', options))).toMatch(stating('forbidden', why))
    expect((await definitions.list('guest')).map(({ name }) => name)).toEqual(['main', 'a', 'b'])
  })

  // Root may write whatever the mode is.
  test.skipIf(process.getuid?.() === 0)('a folder without permission (not as root, who has it)', async () => {
    const { definitions, cwd } = home({ 'guests.d/a.yaml': text })
    chmodSync(join(cwd, 'guests.d'), 0o555)
    onTestFinished(() => chmodSync(join(cwd, 'guests.d'), 0o755))
    expect((await definitions.read('guest', 'a')).readOnly).toContain('may not be written')
    expect(await refusal(definitions.write('guest', 'b', '', {}))).toMatch(/^forbidden/)
  })
})

test('a listener hears of changes by others, and not after it has ended', async () => {
  const { definitions, cwd } = home()
  let heard = 0
  const end = await definitions.watch(() => heard++)
  writeBelow(cwd, 'mirrors.d/a/b.yaml', 'url: http://a.example/\n')
  await eventually(() => expect(heard).toBe(1))
  end()
})
