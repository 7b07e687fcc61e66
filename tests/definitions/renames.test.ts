import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual, promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Failure, failureMessage } from '../../server/core/failure.ts'
import { finishDefinitions } from '../../server/definitions/definitions-lock.ts'
import { FolderDefinitions } from '../../server/definitions/folder-definitions.ts'
import { type FinishedSet, makeWithJournal, stoppedProblem } from '../../server/definitions/journal.ts'
import { forEachAtOnce } from '../../server/host/pool.ts'
import { builtFile } from '../support/built-file.ts'
import { commitCount } from '../support/commit-count.ts'
import { stating } from '../support/stating.ts'
import { namesBelow, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const run = promisify(execFile)
const tag = (content: string) => `"${createHash('sha256').update(content).digest('hex')}"`

const before = {
  'config.yaml': 'guests: { main: { mac: 52:54:00:aa:bb:07 } }\n',
  'profiles.d/lab.yml': '# by hand\ntemplate:   a.ks # odd\n',
  'profiles.d/sub.yaml': 'inherits: [ other,lab ] # two\n',
  'profiles.d/other.yaml': '',
  'guests.d/a.yaml': '\uFEFFmac: 52:54:00:aa:bb:01\r\nprofile: "lab" # first\r\n',
  'guests.d/b.yaml': 'profile:\n  - lab\n  # and\n  - web\n',
  'guests.d/c.yaml': 'profile: sub\n',
  'profiles.d/web.yaml': '',
}
const { 'profiles.d/lab.yml': lab, ...rest } = before
const after: Record<string, string> = {
  ...rest,
  'profiles.d/lab2.yaml': lab,
  'profiles.d/sub.yaml': 'inherits: [ other,lab2 ] # two\n',
  'guests.d/a.yaml': '\uFEFFmac: 52:54:00:aa:bb:01\r\nprofile: "lab2" # first\r\n',
  'guests.d/b.yaml': 'profile:\n  - lab2\n  # and\n  - web\n',
}

function home(files: Record<string, string> = before) {
  const cwd = temporaryFolder()
  for (const [name, content] of Object.entries(files)) writeBelow(cwd, name, content)
  const notes: FinishedSet[] = []
  const definitions = new FolderDefinitions({ cwd }, (note) => notes.push(note))
  return { cwd, definitions, notes, path: (name: string) => join(cwd, name) }
}

/** All files but those of the data folder. */
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

const expected = tag(lab)

describe('a profile gets another name', () => {
  test('in its own file and in all that name it, and every other byte stays', async () => {
    const { cwd, definitions, path } = home()
    chmodSync(path('profiles.d/lab.yml'), 0o640)
    const dry = await definitions.rename('profile', 'lab', 'lab2', { expected, dryRun: true })
    expect(filesIn(cwd)).toEqual(before)
    const made = await definitions.rename('profile', 'lab', 'lab2', { expected })
    expect(dry).toEqual(made)
    expect(made).toMatchObject({ where: 'profiles.d/lab2.yaml', after: lab, etag: expected })
    expect(made.others.map(({ where }) => where)).toEqual([
      'profiles.d/sub.yaml',
      'guests.d/a.yaml',
      'guests.d/b.yaml',
      'profiles.d/lab.yml',
    ])
    expect(filesIn(cwd)).toEqual(after)
    expect(statSync(path('profiles.d/lab2.yaml')).mode & 0o777).toBe(0o640)
    expect(readdirSync(path('data'))).toEqual([])
  })

  test.each([
    [
      'config.yaml names it',
      { 'config.yaml': 'guests: { m: { profile: lab } }\n' },
      ['conflict', 'guest m (config.yaml:1)'],
    ],
    ['the name is taken', { 'profiles.d/lab2.yaml': '' }, ['conflict', 'lab2']],
    [
      'a file that names it is not to be written',
      { 'guests.d/.treeboot.yaml': 'managed: read-only\n' },
      ['forbidden', 'guests.d/.treeboot.yaml'],
    ],
    [
      'a file that names it repeats the name',
      { 'guests.d/d.yaml': 'profile: &p lab\nvars: { x: *p }\n' },
      ['unsupported', 'guests.d/d.yaml'],
    ],
  ])('not when %s; then nothing changes', async (_, more, facts) => {
    const files = { ...before, ...more } as Record<string, string>
    const { cwd, definitions } = home(files)
    expect(await refusal(definitions.rename('profile', 'lab', 'lab2', { expected }))).toMatch(
      stating(...facts),
    )
    expect(filesIn(cwd)).toEqual(files)
  })

  test('not without being the expected one, and a mirror never', async () => {
    const { cwd, definitions } = home()
    expect(await refusal(definitions.rename('profile', 'lab', 'lab2', { expected: tag('x') }))).toMatch(
      /^conflict/,
    )
    expect(await refusal(definitions.rename('profile', 'none', 'lab2', { expected }))).toMatch(/^not-found/)
    expect(await refusal(definitions.rename('profile', 'lab', '../x', { expected }))).toMatch(/^bad-request/)
    expect(await refusal(definitions.rename('profile', 'lab', 'lab', { expected }))).toMatch(/^conflict/)
    expect(await refusal(Promise.resolve().then(() => definitions.rename('mirror', 'a', 'b', {})))).toMatch(
      /^unsupported/,
    )
    expect(filesIn(cwd)).toEqual(before)
  })
})

describe('a profile takes the place of another', () => {
  test('in all that name it, each once', async () => {
    const { cwd, definitions } = home()
    const made = await definitions.remove('profile', 'lab', { expected, replaceBy: 'web' })
    expect(made).toMatchObject({ where: 'profiles.d/lab.yml', before: lab })
    expect(filesIn(cwd)).toEqual({
      ...rest,
      'profiles.d/sub.yaml': 'inherits: [ other,web ] # two\n',
      'guests.d/a.yaml': '\uFEFFmac: 52:54:00:aa:bb:01\r\nprofile: "web" # first\r\n',
      'guests.d/b.yaml': 'profile:\n  # and\n  - web\n',
    })
  })

  test.each([
    ['itself', 'lab', ['bad-request']],
    ['none', 'none', ['not-found', 'none']],
    ['one that would inherit from itself', 'sub', ['invalid-data', 'circle']],
  ])('not %s', async (_, replaceBy, facts) => {
    const { cwd, definitions } = home()
    expect(await refusal(definitions.remove('profile', 'lab', { expected, replaceBy }))).toMatch(
      stating(...facts),
    )
    expect(filesIn(cwd)).toEqual(before)
  })
})

describe('a process that is killed at any call leaves all or nothing, once the rest is made', () => {
  const child = (cwd: string, at: number, ...args: string[]) =>
    run(process.execPath, [builtFile('tests/support/definitions-child.ts'), cwd, String(at), ...args])
  /** A run tries a third of the calls, another one for each commit; the nightly run all. */
  const share = process.env.FUZZ_FACTOR ? 1 : 3
  const renamings = [
    { names: ['profile', 'lab', 'lab2'], files: before, wanted: after },
    {
      names: ['guest', 'a', 'z'],
      files: { 'guests.d/a.yaml': 'mac: 52:54:00:aa:bb:01\n' },
      wanted: { 'guests.d/z.yaml': 'mac: 52:54:00:aa:bb:01\n' },
    },
  ]

  test.each(renamings)(
    '$names',
    async ({ names, files, wanted }) => {
      const { cwd: whole } = home(files)
      const count = Number((await child(whole, 0, ...names)).stdout)
      expect(filesIn(whole)).toEqual(wanted)
      expect(count).toBeGreaterThan(15)
      const outcomes = new Set<string>()
      const tryAt = async (at: number): Promise<void> => {
        const { cwd } = home(files)
        await child(cwd, at, ...names).catch((error) => expect(error).toMatchObject({ signal: 'SIGKILL' }))
        const left = existsSync(join(cwd, 'data/definitions-journal.json'))
        const notes: FinishedSet[] = []
        await finishDefinitions({ cwd }, (note) => notes.push(note))
        expect(notes, `at call ${at}`).toEqual(left ? [expect.objectContaining({ isWhole: true })] : [])
        const found = filesIn(cwd)
        const isOld = isDeepStrictEqual(found, files)
        if (!isOld) expect(found, `at call ${at}`).toEqual(wanted)
        outcomes.add(isOld ? 'old' : 'new')
        expect(existsSync(join(cwd, 'data/definitions-journal.json'))).toBe(false)
      }
      const tried = Array.from({ length: count }, (_, i) => i + 1).filter(
        (at) => at % share === commitCount() % share,
      )
      await forEachAtOnce(tried, 3, tryAt)
      expect([...outcomes].sort()).toEqual(['new', 'old'])
    },
    240_000,
  )
})

describe('what an editor changes meanwhile is not overwritten', () => {
  const step = (cwd: string, where: string, from: string | null, to: string | null) => ({
    path: join(cwd, where),
    where,
    before: from === null ? null : createHash('sha256').update(from).digest('hex'),
    after: to,
  })
  function begun(files: Record<string, string>) {
    const all = home({ 'config.yaml': '', 'profiles.d/p.yaml': 'args: a\n', ...files })
    mkdirSync(all.path('data'))
    const user = 'profile: p\n'
    const set = {
      config: all.path('config.yaml'),
      what: 'profile p gets the name q',
      remedy: 'treeboot profiles rm p --replace-by q',
      steps: [
        step(all.cwd, 'profiles.d/q.yaml', null, 'args: a\n'),
        step(all.cwd, 'guests.d/a.yaml', user, 'profile: q\n'),
        step(all.cwd, 'guests.d/b.yaml', user, 'profile: q\n'),
        step(all.cwd, 'profiles.d/p.yaml', 'args: a\n', null),
      ],
    }
    const keep = () =>
      writeFileSync(all.path('data/definitions-journal.json'), JSON.stringify({ version: 1, ...set }))
    return { ...all, set, keep }
  }
  const edited = 'profile: p\nargs: mine\n'

  test('before anything changed: all stays, and the message says so', async () => {
    const { cwd, path, set } = begun({ 'guests.d/a.yaml': edited, 'guests.d/b.yaml': 'profile: p\n' })
    const files = filesIn(cwd)
    expect(await refusal(makeWithJournal(path('data'), set))).toMatch(
      stating('conflict', 'guests.d/a.yaml', 'nothing was changed'),
    )
    expect(filesIn(cwd)).toEqual(files)
    expect(readdirSync(path('data'))).toEqual([])
  })

  test('in one of many files: no other is changed', async () => {
    const { cwd, path, set } = begun({ 'guests.d/a.yaml': 'profile: p\n', 'guests.d/b.yaml': edited })
    const files = filesIn(cwd)
    expect(await refusal(makeWithJournal(path('data'), set))).toMatch(
      stating('conflict', 'guests.d/b.yaml', 'nothing was changed'),
    )
    expect(filesIn(cwd)).toEqual(files)
  })

  test('in the middle: it stops there, keeps the old profile, and stays a problem until that is gone', async () => {
    const { cwd, path, set } = begun({ 'guests.d/a.yaml': 'profile: q\n', 'guests.d/b.yaml': edited })
    expect(await refusal(makeWithJournal(path('data'), set))).toMatch(
      stating('conflict', 'guests.d/b.yaml', 'in part', set.remedy),
    )
    expect(filesIn(cwd)).toEqual({
      'config.yaml': '',
      'profiles.d/p.yaml': 'args: a\n',
      'profiles.d/q.yaml': 'args: a\n',
      'guests.d/a.yaml': 'profile: q\n',
      'guests.d/b.yaml': edited,
    })
    expect(readdirSync(path('data'))).toEqual(['definitions-stopped.json'])
    expect(readFileSync(path('data/definitions-stopped.json'), 'utf8')).not.toContain('args')
    expect(await stoppedProblem(path('data'))).toMatchObject({
      where: 'profiles.d/p.yaml',
      remedy: set.remedy,
    })
    const definitions = new FolderDefinitions({ cwd })
    await definitions.remove('profile', 'p', { expected: tag('args: a\n'), replaceBy: 'q' })
    expect(filesIn(cwd)['guests.d/b.yaml']).toBe('profile: q\nargs: mine\n')
    expect(await stoppedProblem(path('data'))).toBeUndefined()
  })

  test('after a kill: the next change stops at it, too, and says so', async () => {
    const { cwd, path, keep, notes, definitions } = begun({
      'profiles.d/q.yaml': 'args: a\n',
      'guests.d/a.yaml': 'profile: q\n',
      'guests.d/b.yaml': edited,
    })
    keep()
    await definitions.write('guest', 'new', '', {})
    expect(notes).toEqual([
      { isWhole: false, text: expect.stringMatching(stating('guests.d/b.yaml', 'in part')) },
    ])
    expect(filesIn(cwd)).toMatchObject({ 'guests.d/b.yaml': edited, 'profiles.d/p.yaml': 'args: a\n' })
    expect(existsSync(path('data/definitions-journal.json'))).toBe(false)
  })

  test('what was edited after all was made stays, and nobody is told of it', async () => {
    const { cwd, keep, path } = begun({
      'profiles.d/q.yaml': 'args: edited\n',
      'guests.d/a.yaml': 'profile: q\nargs: mine\n',
      'guests.d/b.yaml': 'profile: q\n',
    })
    rmSync(path('profiles.d/p.yaml'))
    keep()
    const notes: FinishedSet[] = []
    await finishDefinitions({ cwd }, (note) => notes.push(note))
    expect(notes).toEqual([{ isWhole: true, text: expect.stringContaining('finished') }])
    expect(filesIn(cwd)).toEqual({
      'config.yaml': '',
      'profiles.d/q.yaml': 'args: edited\n',
      'guests.d/a.yaml': 'profile: q\nargs: mine\n',
      'guests.d/b.yaml': 'profile: q\n',
    })
  })

  test('what cannot be written is made later, and the message says so', async () => {
    const { cwd, path, set } = begun({ 'guests.d/a.yaml': 'profile: p\n', 'guests.d/b.yaml': 'profile: p\n' })
    // A name that is too long for a temporary file beside it.
    const long = `guests.d/${'l'.repeat(240)}.yaml`
    const steps = [...set.steps, step(cwd, long, null, '')]
    expect(await refusal(makeWithJournal(path('data'), { ...set, steps }))).toMatch(
      stating('makes what is left'),
    )
    expect(existsSync(path('data/definitions-journal.json'))).toBe(true)
    expect(existsSync(path('profiles.d/p.yaml'))).toBe(true)
  })

  test('a text that a killed change had replaced, and had no time to put back, gets its place again', async () => {
    const { cwd, keep } = begun({
      'profiles.d/q.yaml': 'args: a\n',
      'guests.d/a.yaml': 'profile: q\n',
      'guests.d/.a.yaml.123.0123456789ab.spare': edited,
      'guests.d/.a.yaml.123.0123456789ab.tmp': 'profile: q\n',
      'guests.d/.a.yaml.swp': 'of an editor',
      'guests.d/b.yaml': 'profile: p\n',
    })
    keep()
    await finishDefinitions({ cwd }, () => undefined)
    expect(filesIn(cwd)).toEqual({
      'config.yaml': '',
      'profiles.d/p.yaml': 'args: a\n',
      'guests.d/.a.yaml.swp': 'of an editor',
      'guests.d/a.yaml': edited,
      'guests.d/b.yaml': 'profile: p\n',
    })
  })

  test.each([
    ['damaged', '{', ['invalid-data', 'definitions-journal.json']],
    ['of another folder', '', ['conflict', '/elsewhere/config.yaml']],
  ])('a journal that is %s changes nothing, and is named', async (_, text, facts) => {
    const { cwd, path, set, definitions } = begun({})
    const files = filesIn(cwd)
    const own = JSON.stringify({ version: 1, ...set, config: '/elsewhere/config.yaml' })
    writeFileSync(path('data/definitions-journal.json'), text || own)
    expect(await refusal(finishDefinitions({ cwd }, () => undefined))).toMatch(stating(...facts))
    expect(await refusal(definitions.write('guest', 'new', '', {}))).toMatch(stating(...facts))
    expect(filesIn(cwd)).toEqual(files)
  })
})
