import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { finishDefinitions } from '../../server/definitions/definitions-lock.ts'
import { FolderDefinitions } from '../../server/definitions/folder-definitions.ts'
import { type FinishedSet, makeWithJournal, stoppedProblem } from '../../server/definitions/journal.ts'
import { definitionsFolder, filesIn, refusal, tag } from '../support/definitions-folder.ts'
import { stating } from '../support/stating.ts'

describe('what an editor changes meanwhile is not overwritten', () => {
  const step = (cwd: string, where: string, from: string | null, to: string | null) => ({
    path: join(cwd, where),
    where,
    before: from === null ? null : createHash('sha256').update(from).digest('hex'),
    after: to,
  })
  function begun(files: Record<string, string>) {
    const all = definitionsFolder({ 'config.yaml': '', 'profiles.d/p.yaml': 'args: a\n', ...files })
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

  // A name that is too long for a temporary file beside it.
  const long = `guests.d/${'l'.repeat(240)}.yaml`

  test('a new file that cannot be written: nothing is left', async () => {
    const { cwd, path, set } = begun({ 'guests.d/a.yaml': 'profile: p\n', 'guests.d/b.yaml': 'profile: p\n' })
    const files = filesIn(cwd)
    const steps = [...set.steps, step(cwd, long, null, '')]
    expect(await refusal(makeWithJournal(path('data'), { ...set, steps }))).toMatch(/^(?!made)/)
    expect(filesIn(cwd)).toEqual(files)
    expect(readdirSync(path('data'))).toEqual([])
  })

  test('what cannot be written later on is made by the next change, and the message says so', async () => {
    const users = { 'guests.d/a.yaml': 'profile: p\n', 'guests.d/b.yaml': 'profile: p\n' }
    const { cwd, path, set } = begun({ ...users, [long]: 'profile: p\n' })
    const steps = [...set.steps, step(cwd, long, 'profile: p\n', 'profile: q\n')]
    expect(await refusal(makeWithJournal(path('data'), { ...set, steps }))).toMatch(
      stating('makes what is left'),
    )
    expect(existsSync(path('data/definitions-journal.json'))).toBe(true)
    expect(existsSync(path('profiles.d/p.yaml'))).toBe(true)
  })

  test('new files alone, after a kill: what somebody made in the place of one stays, and the others are made', async () => {
    const { cwd, path, set, notes, definitions } = begun({ 'guests.d/a.yaml': 'args: theirs\n' })
    const steps = ['a', 'b', 'c'].map((name) => step(cwd, `guests.d/${name}.yaml`, null, `args: ${name}\n`))
    writeFileSync(path('data/definitions-journal.json'), JSON.stringify({ version: 1, ...set, steps }))
    await definitions.write('guest', 'new', '', {})
    expect(notes).toEqual([
      { isWhole: false, text: expect.stringMatching(stating('guests.d/a.yaml', 'in part')) },
    ])
    expect(filesIn(cwd)).toMatchObject({
      'guests.d/a.yaml': 'args: theirs\n',
      'guests.d/b.yaml': 'args: b\n',
      'guests.d/c.yaml': 'args: c\n',
    })
    expect(readdirSync(path('data'))).toEqual([])
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
