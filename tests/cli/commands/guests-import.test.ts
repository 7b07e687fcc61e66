import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { treebootIn } from '../../support/cli.ts'
import { stating } from '../../support/stating.ts'
import { makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

function home(config = 'profiles: { web: {} }\nguests: { main: { mac: 52:54:00:00:00:01 } }\n') {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', config)
  const treeboot = (...args: string[]) => treebootIn(cwd, ...args)
  const importText = (text: string, ...args: string[]) => {
    writeFileSync(join(cwd, 'in'), text)
    return treeboot('guests', 'import', 'in', ...args)
  }
  const files = () => (existsSync(join(cwd, 'guests.d')) ? readdirSync(join(cwd, 'guests.d')).sort() : [])
  return { cwd, treeboot, importText, files }
}

const hosts = [
  'dhcp-host=52:54:00:00:00:02,a,10.0.0.2',
  'dhcp-host=52:54:00:00:00:03,b',
  'dhcp-host=52:54:00:00:00:01,other',
].join('\n')

test('hosts of dnsmasq become guests that boot their own disks, and a second run changes nothing', async () => {
  const { cwd, treeboot, importText, files } = home()
  const first = await importText(hosts, '--profile', 'web')
  expect(first).toMatchObject({ code: 0 })
  expect(first.out).toMatch(stating('in is read as the configuration of dnsmasq'))
  expect(first.out).toMatch(stating('in:3', 'skipped', 'other', '52:54:00:00:00:01 belongs to guest main'))
  expect(first.out).toMatch(stating('2 added, 1 skipped', 'own disk'))
  expect(files()).toEqual(['a.yaml', 'b.yaml'])
  const written = readFileSync(join(cwd, 'guests.d/a.yaml'), 'utf8')
  // YAML 1.1 reads a MAC of digits alone as a number to the base 60.
  expect(written).toBe('mac: "52:54:00:00:00:02"\nip: 10.0.0.2\nprofile: web\n')
  const states = JSON.parse((await treeboot('guests', '--json')).out) as { name: string; state: string }[]
  expect(states.filter(({ name }) => name !== 'main').map(({ state }) => state)).toEqual(['local', 'local'])
  const second = await importText(hosts)
  expect(second.out).toMatch(stating('2 unchanged, 1 skipped'))
  const other = await importText('dhcp-host=52:54:00:00:00:02,a,10.0.0.9\n')
  expect(other.out).toMatch(stating('in:1', 'skipped', 'a', 'other settings (ip)'))
})

test('neither import nor export waits for the digests of trees', async () => {
  const { cwd, treeboot, importText } = home()
  makeTree(join(cwd, 'trees/fedora-40'))
  writeBelow(cwd, 'data/kept', '')
  expect((await importText(hosts)).code).toBe(0)
  expect((await treeboot('guests', 'export')).code).toBe(0)
  expect(existsSync(join(cwd, 'data/verified.json'))).toBe(false)
  await treeboot('guests')
  expect(existsSync(join(cwd, 'data/verified.json'))).toBe(true)
})

describe('one entry that is wrong', () => {
  const table = [
    'name,mac,profile',
    'a,52:54:00:00:00:02,web',
    'b,52:54:00:00:00:zz,web',
    'c,52:54:00:00:00:04,nowhere',
    'd,52:54:00:00:00:02,',
    'e,52:54:00:00:00:05',
  ].join('\n')
  const wrong = (out: string) => {
    expect(out).toMatch(stating('in:3', 'faulty', 'b', "found '52:54:00:00:00:zz'"))
    expect(out).toMatch(stating('in:4', 'faulty', 'c', "profile 'nowhere' does not exist"))
    expect(out).toMatch(stating('in:5', 'faulty', 'd', '52:54:00:00:00:02 belongs to line 2'))
    expect(out).toMatch(stating('in:6', 'faulty', 'e', 'it has 2 values'))
  }

  test('nothing is written, not even to the store', async () => {
    const { cwd, importText, files } = home()
    const { code, out } = await importText(table)
    expect(code).toBe(2)
    wrong(out)
    expect(out).toMatch(stating('in:2', 'not added', 'a'))
    expect(out).toMatch(stating('nothing was changed', '--skip-faulty'))
    expect([files(), existsSync(join(cwd, 'data'))]).toEqual([[], false])
  })

  test('--skip-faulty leaves it out', async () => {
    const { importText, files } = home()
    const { code, out } = await importText(table, '--skip-faulty')
    expect(code).toBe(0)
    wrong(out)
    expect(out).toMatch(stating('in:2', 'added', 'a'))
    expect(files()).toEqual(['a.yaml'])
  })

  test('a mistake that was there before stops no import', async () => {
    const { cwd, importText, files } = home()
    writeBelow(cwd, 'guests.d/old.yaml', 'mac: 1\n')
    expect(await importText(hosts)).toMatchObject({ code: 0 })
    expect(files()).toEqual(['a.yaml', 'b.yaml', 'old.yaml'])
  })
})

test('--dry-run says the same and does nothing', async () => {
  const { cwd, importText, files } = home()
  const { code, out } = await importText(hosts, '--dry-run', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    format: 'dnsmasq',
    changed: false,
    entries: [
      { file: 'in', line: 1, result: 'not added', name: 'a' },
      { line: 2, result: 'not added', name: 'b' },
      { line: 3, result: 'skipped', name: 'other' },
    ],
  })
  expect([files(), existsSync(join(cwd, 'data'))]).toEqual([[], false])
})

test('--install arms the guests, and asks before it does so with several', async () => {
  const { treeboot, importText, files } = home('guests: {}\n')
  const refused = await importText(hosts, '--install')
  expect(refused.err).toMatch(stating('erases the disks of 3 guests', '--yes'))
  expect(files()).toEqual([])
  const done = await importText(hosts, '--install', '--yes')
  expect(done.out).toMatch(stating('3 added', 'first network boot of each installs it'))
  const states = JSON.parse((await treeboot('guests', '--json')).out) as { state: string }[]
  expect(states.map(({ state }) => state)).not.toContain('local')
})

test.each([
  [['guests', 'import', 'none'], 3, ['none', 'does not exist']],
  [['guests', 'import', 'config.yaml'], 2, ['config.yaml', '--from']],
  [['guests', 'import', 'config.yaml', '--from', 'csv'], 2, ['config.yaml: line 1', 'not a key of a guest']],
  [['guests', 'import', 'config.yaml', '--profile', 'none'], 3, ['no profile none']],
])('%j is refused', async (args, code, facts) => {
  const { treeboot } = home()
  const found = await treeboot(...args)
  expect(found.code).toBe(code)
  expect(found.err).toMatch(stating(...facts))
})
