import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { addGuest } from '../../server/config/add-guest.ts'
import { loadConfigFile } from '../../server/config/load.ts'
import { watchConfig } from '../../server/config/watch.ts'
import { failureMessage } from '../../server/core/failure.ts'
import { configurationLimits } from '../../server/core/limits/configuration.ts'
import { eventually } from '../support/eventually.ts'
import { stating } from '../support/stating.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const main = 'profiles:\n  web: { args: [quiet] }\nguests:\n  web01: { mac: 52:54:00:aa:bb:01 }\n'

function home(files: Record<string, string>, config: string | null = main): string {
  const cwd = temporaryFolder()
  if (config !== null) writeBelow(cwd, 'config.yaml', config)
  for (const [name, text] of Object.entries(files)) writeBelow(cwd, `guests.d/${name}`, text)
  return cwd
}

const load = (cwd: string) => loadConfigFile({ cwd })
const refusal = (cwd: string) => load(cwd).then(() => 'accepted', failureMessage)

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

  test('a broken link is refused by name', async () => {
    const cwd = home({ 'a.yaml': '' })
    symlinkSync('nowhere', join(cwd, 'guests.d/b.yaml'))
    expect(await refusal(cwd)).toMatch(stating('guests.d/b.yaml:', 'link'))
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
    ['the name of another guest', { 'web01.yaml': '' }, ['guests.d/web01.yaml:1:1', 'web01', 'line 4']],
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
  ])('%s is refused with its file and line', async (_, files, facts) => {
    expect(await refusal(home(files))).toMatch(stating(...facts))
  })

  test('a file that is not text is refused by name', async () => {
    const cwd = home({ 'w.yaml': '' })
    writeFileSync(join(cwd, 'guests.d/w.yaml'), Buffer.from([0xff, 0xfe, 0x6d]))
    expect(await refusal(cwd)).toMatch(stating('guests.d/w.yaml:', 'UTF-8'))
  })
})

test('a file of 1 MiB is read, and a larger one is refused by name', async () => {
  const { bytes } = configurationLimits.guestFile
  const file = (size: number) => ({ 'w.yaml': 'profile: web\n'.padEnd(size, '#') })
  expect((await load(home(file(bytes)))).guests[1]).toMatchObject({ name: 'w', profiles: ['web'] })
  expect(await refusal(home(file(bytes + 1)))).toMatch(
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

describe('the watch on guests.d', () => {
  /** Resolves to a function that waits for these guests, each with the number of its arguments: `a2`. */
  async function watched(cwd: string): Promise<(expected: string[]) => Promise<void>> {
    let names: string[] = []
    const watch = await watchConfig({
      cwd,
      pollMs: 5,
      emit: () => undefined,
      onLoaded: ({ guests }) => {
        names = guests.map((guest) => `${guest.name}${guest.settings.args.length}`)
      },
    })
    onTestFinished(() => watch.close())
    return (expected) => eventually(() => expect(names).toEqual(expected))
  }

  test('sees files that are added, replaced, edited in place and removed', async () => {
    const cwd = home({}, 'guests: {}\n')
    const shows = await watched(cwd)
    writeBelow(cwd, 'guests.d/a.yaml', '')
    await shows(['a0'])
    for (const args of ['[x]', '[x, y]', '[x, y, z]']) {
      writeFileSync(join(cwd, 'guests.d/.a.tmp'), `args: ${args}\n`)
      renameSync(join(cwd, 'guests.d/.a.tmp'), join(cwd, 'guests.d/a.yaml'))
      await shows([`a${args.split(',').length}`])
    }
    writeFileSync(join(cwd, 'guests.d/a.yaml'), 'args: [in, place]\n')
    await shows(['a2'])
    rmSync(join(cwd, 'guests.d/a.yaml'))
    await shows([])
  })

  test('works without config.yaml', async () => {
    const cwd = home({}, null)
    const shows = await watched(cwd)
    writeBelow(cwd, 'guests.d/a.yaml', '')
    await shows(['a0'])
  })
})
