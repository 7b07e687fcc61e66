import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfigFile } from '../../server/config/last-good.ts'
import { problemLine } from '../../server/config/problems.ts'
import { failureMessage } from '../../server/core/failure.ts'
import { configurationLimits } from '../../server/core/limits/configuration.ts'
import type { SnapshotProblem } from '../../server/core/problem.ts'
import { addGuest } from '../../server/definitions/add-guest.ts'
import { stating } from '../support/stating.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const main = 'profiles:\n  web: { args: [quiet] }\nguests:\n  web01: { mac: 52:54:00:aa:bb:01 }\n'

function home(files: Record<string, string>, config: string | null = main): string {
  const placedFiles = Object.entries(files).map(([name, text]) => [`guests.d/${name}`, text])
  return placed(Object.fromEntries(placedFiles), config)
}

/** A folder with a config.yaml, and files by their paths. */
function placed(files: Record<string, string>, config: string | null = main): string {
  const cwd = temporaryFolder()
  if (config !== null) writeBelow(cwd, 'config.yaml', config)
  for (const [name, text] of Object.entries(files)) writeBelow(cwd, name, text)
  return cwd
}

const load = (cwd: string) => loadConfigFile({ cwd })
const refusal = (cwd: string) => load(cwd).then(() => 'accepted', failureMessage)
const linesOf = (problems: readonly SnapshotProblem[], severity: string) =>
  problems.filter((problem) => problem.severity === severity).map(problemLine)
const errorsIn = async (cwd: string) => linesOf((await load(cwd)).problems, 'error').join('\n')

describe('guests.d', () => {
  test('has one guest per file, after those of config.yaml, each with its profiles and its place', async () => {
    const cwd = home({
      'web02.yaml': '# added\nmac: 52-54-00-AA-BB-02\nprofile: web\nargs: [text]\n',
      'db.yml': '',
      'notes.txt': 'not a guest',
      '.web03.yaml.swp': 'the swap file of an editor',
    })
    const { guests } = await load(cwd)
    expect(guests.map(({ name, definedAt }) => `${name} ${definedAt}`)).toEqual([
      'web01 config.yaml:4',
      'db guests.d/db.yml:1',
      'web02 guests.d/web02.yaml:1',
    ])
    expect(guests[2]).toMatchObject({
      macs: ['52:54:00:aa:bb:02'],
      settings: {
        args: [
          { value: 'quiet', from: 'profile web (config.yaml:2)' },
          { value: 'text', from: 'guest web02 (guests.d/web02.yaml:4)' },
        ],
      },
    })
  })

  test('works without config.yaml, and with one that has no guests', async () => {
    expect((await load(home({ 'a.yaml': '' }, null))).guests).toHaveLength(1)
    expect((await load(home({ 'a.yaml': '' }, 'unknown: local\n'))).guests).toHaveLength(1)
    expect((await load(home({ 'a.yaml': '' }, 'guests:\n'))).guests).toHaveLength(1)
  })

  test('the mistakes of all files and of config.yaml are reported together', async () => {
    const files = {
      'br.yaml': 'mac: [\n',
      'dup.yaml': 'mac: 52:54:00:aa:bb:01\n',
      'odd.yaml': 'profil: web\n',
    }
    const message = await refusal(home(files, `${main}unknwon: local\n`))
    const places = ['guests.d/br.yaml:', 'guests.d/dup.yaml:1:6', 'guests.d/odd.yaml:1:1', 'config.yaml:5:1']
    for (const place of places) expect(message).toContain(place)
  })

  test('what is no file is refused by name, and nobody waits for it', async () => {
    const cwd = home({ 'a.yaml': '' })
    mkdirSync(join(cwd, 'guests.d/folder.yaml'))
    // As many as Node.js has threads for files, and one more.
    for (let n = 1; n <= 5; n++) execFileSync('mkfifo', [join(cwd, `guests.d/fifo${n}.yaml`)])
    const errors = await errorsIn(cwd)
    expect(errors).toMatch(stating('guests.d/folder.yaml:1:1', 'is a folder'))
    for (let n = 1; n <= 5; n++) expect(errors).toMatch(stating(`guests.d/fifo${n}.yaml:1:1`, 'is a pipe'))
    const whole = (await load(cwd)).guests.filter(({ refused }) => refused === undefined)
    expect(whole.map(({ name }) => name)).toEqual(['web01', 'a'])
  })

  test('a broken link is refused by name', async () => {
    const cwd = home({ 'a.yaml': '' })
    symlinkSync('nowhere', join(cwd, 'guests.d/b.yaml'))
    expect(await errorsIn(cwd)).toMatch(stating('guests.d/b.yaml:', 'link'))
  })

  test.each<[string, Record<string, string>, string[]]>([
    [
      'an unknown key',
      { 'w.yaml': 'mac: 52:54:00:aa:bb:09\nprofil: web\n' },
      ['guests.d/w.yaml:2:1', 'guests.w.profil', "'profile'"],
    ],
    ['text that is not YAML', { 'w.yaml': 'mac: [1\n' }, ['guests.d/w.yaml:']],
    ['YAML that is not a mapping', { 'w.yaml': 'web\n' }, ['guests.d/w.yaml:1:1', "'web'", 'guest w']],
    [
      'an unknown profile',
      { 'w.yaml': 'profile: wep\n' },
      ['guests.d/w.yaml:1:10', 'guests.w.profile', "'wep'", "'web'"],
    ],
    [
      'an identity of another guest',
      { 'w.yaml': '\nmac: 52:54:00:aa:bb:01\n' },
      ['guests.d/w.yaml:2:6', 'guests.w.mac', '52:54:00:aa:bb:01', 'web01', 'config.yaml:4'],
    ],
    [
      'a second file of one guest',
      { 'w.yaml': '', 'w.yml': '' },
      ['guests.d/w.yml:1:1', 'guest w', 'guests.d/w.yaml'],
    ],
    [
      'a file name that is not a guest name',
      { 'a b.yaml': '' },
      ['guests.d/a b.yaml:1:1', 'guests."a b"', 'letters'],
    ],
  ])('%s is told with its file and line, and harms no other guest', async (_, files, facts) => {
    const cwd = home({ ...files, 'other.yaml': 'profile: web\n' })
    expect(await errorsIn(cwd)).toMatch(stating(...facts))
    const whole = (await load(cwd)).guests.filter(({ refused }) => refused === undefined)
    expect(whole.map(({ name }) => name)).toEqual(['web01', 'other'])
  })

  test('of two definitions of one name that of config.yaml counts, and both are named', async () => {
    const files = {
      'guests.d/web01.yaml': 'mac: 52:54:00:aa:bb:99\n',
      'profiles.d/web.yaml': 'args: [other]\n',
      'mirrors.d/f/41.yaml': 'url: http://b.example/\n',
    }
    const cwd = placed(files, `${main}mirrors: { f/41: { url: http://a.example/ } }\n`)
    const { guests, profiles, config, problems } = await load(cwd)
    expect(guests.map(({ macs }) => macs[0])).toEqual(['52:54:00:aa:bb:01'])
    expect(profiles.get('web')?.settings.args[0]?.value).toBe('quiet')
    expect(config.mirrors.map(({ urls }) => urls)).toEqual([['http://a.example/']])
    expect(linesOf(problems, 'warning').sort()).toEqual([
      expect.stringMatching(stating('guests.d/web01.yaml:1:1', 'line 4', 'remove one')),
      expect.stringMatching(stating('mirrors.d/f/41.yaml:1:1', 'line 5')),
      expect.stringMatching(stating('profiles.d/web.yaml:1:1', 'line 2')),
    ])
    expect(linesOf(problems, 'error')).toEqual([])
  })

  test('a file that is not text is refused by name', async () => {
    const cwd = home({ 'w.yaml': '' })
    writeFileSync(join(cwd, 'guests.d/w.yaml'), Buffer.from([0xff, 0xfe, 0x6d]))
    expect(await errorsIn(cwd)).toMatch(stating('guests.d/w.yaml:', 'UTF-8'))
  })
})

describe('profiles.d and mirrors.d', () => {
  test('have one profile or mirror per file, with the keys of config.yaml', async () => {
    const cwd = placed({
      'profiles.d/lab.yaml': 'inherits: web\nargs: [text]\n',
      'guests.d/a.yaml': 'profile: lab\n',
      'mirrors.d/fedora/41.yaml': '# upstream\nurl: http://a.example/41/\nboot-only: true\n',
      'mirrors.d/deb.yml': 'url: [http://a.example/deb/]\n',
      'mirrors.d/.git/x.yaml': 'no: mirror\n',
      'profiles.d/.treeboot.yaml': 'managed: read-only\n',
    })
    const { guests, profiles, config, problems } = await load(cwd)
    expect(problems).toEqual([])
    expect(profiles.get('lab')).toMatchObject({ inherits: ['web'], definedAt: 'profiles.d/lab.yaml:1' })
    expect(guests[1]?.settings.args).toEqual([
      { value: 'quiet', from: 'profile web (config.yaml:2)' },
      { value: 'text', from: 'profile lab (profiles.d/lab.yaml:2)' },
    ])
    expect(config.mirrors).toEqual([
      { id: 'deb', urls: ['http://a.example/deb/'], bootOnly: false, inFile: true },
      { id: 'fedora/41', urls: ['http://a.example/41/'], bootOnly: true, inFile: true },
    ])
  })

  test.each<[string, string, string, string[]]>([
    ['a profile', 'profiles.d/p.yaml', 'tre: x\n', ['profiles.d/p.yaml:1:1', 'profiles.p.tre', "'tree'"]],
    ['an heir', 'profiles.d/p.yaml', 'inherits: wob\n', ['profiles.d/p.yaml:1:11', "'wob'", "'web'"]],
    ['a circle', 'profiles.d/p.yaml', 'inherits: p\n', ['profiles.d/p.yaml:1:11', 'circle: p -> p']],
    ['a mirror', 'mirrors.d/a/b.yaml', 'url: nowhere\n', ['mirrors.d/a/b.yaml:1:6', 'mirrors."a/b".url']],
    ['no mirror', 'mirrors.d/m.yaml', '', ['mirrors.d/m.yaml:1:1', 'mirrors.m.url: found nothing']],
    [
      'an id',
      'mirrors.d/a b.yaml',
      'url: http://a.example/\n',
      ['mirrors.d/a b.yaml:1:1', 'the id of a tree'],
    ],
  ])('%s that is wrong is told with its file and line', async (_, file, text, facts) => {
    const cwd = placed({ [file]: text })
    expect(await errorsIn(cwd)).toMatch(stating(...facts))
    const { guests, profiles, config } = await load(cwd)
    expect([guests.length, [...profiles.keys()], config.mirrors]).toEqual([1, ['web'], []])
  })

  test('a mirror at an address of the own network is told with the line that allows it', async () => {
    const line = 'imports: { allow: ["http://10.0.0.7:8080/"] }'
    const files = { 'mirrors.d/m.yaml': 'url: http://10.0.0.7:8080/os/\n' }
    const { problems } = await load(placed(files))
    expect(problems).toMatchObject([{ severity: 'warning', where: 'mirrors.d/m.yaml:1:6' }])
    expect(problems[0]?.remedy).toContain(line)
    expect((await load(placed(files, `${line}\n`))).problems).toEqual([])
    // Only a person writes config.yaml.
    const own = 'mirrors: { n: { url: "http://10.0.0.8/os/" } }\n'
    expect((await load(placed({}, own))).problems).toEqual([])
  })

  test('lie in no public folder', async () => {
    const cwd = placed({ 'public/mirrors/m.yaml': '' }, 'paths: { trees: public }\n')
    symlinkSync('public/mirrors', join(cwd, 'mirrors.d'))
    expect(await refusal(cwd)).toMatch(stating('paths.trees', 'mirrors.d'))
  })
})

test('a file of 1 MiB is read, and a larger one is refused by name', async () => {
  const { bytes } = configurationLimits.definitionFile
  const file = (size: number) => ({ 'w.yaml': 'profile: web\n'.padEnd(size, '#') })
  expect((await load(home(file(bytes)))).guests[1]).toMatchObject({ name: 'w', profiles: ['web'] })
  expect(await errorsIn(home(file(bytes + 1)))).toMatch(
    stating('guests.d/w.yaml:', `more than ${bytes} bytes`),
  )
})

describe('a guest file that a program adds', () => {
  const machine = { id: '52:54:00:00:00:99', mac: '52:54:00:00:00:99', firstMs: 0, lastMs: 0, count: 1 }
  test('is read back as it was written, whatever text the machine sent', async () => {
    const cwd = home({})
    const vendor = 'evil\nprofile: root # "\\'
    const path = await addGuest({
      cwd,
      name: 'web02',
      profiles: ['web'],
      machine: { ...machine, vendor, serial: "o'x: y" },
    })
    expect(
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => !line.startsWith('#')),
    ).toEqual(['mac: 52:54:00:00:00:99', 'profile: web', ''])
    const [, added] = (await load(cwd)).guests
    expect(added).toMatchObject({ name: 'web02', macs: [machine.mac], profiles: ['web'] })
    expect(added).not.toHaveProperty('serial')
  })
  test('has the UUID of a machine that never sent a MAC', async () => {
    const cwd = home({})
    const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
    await addGuest({
      cwd,
      name: 'web02',
      profiles: [],
      machine: { id: uuid, uuid, firstMs: 0, lastMs: 0, count: 1 },
    })
    expect((await load(cwd)).guests[1]).toMatchObject({ uuid, macs: [] })
  })
})
