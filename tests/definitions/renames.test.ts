import { chmodSync, readdirSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { definitionsFolder, filesIn, refusal, tag } from '../support/definitions-folder.ts'
import { stating } from '../support/stating.ts'

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

const home = (files: Record<string, string> = before) => definitionsFolder(files)

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
