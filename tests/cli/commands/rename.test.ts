import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nextState } from '../../../server/core/guest/next-state.ts'
import type { GuestEvent } from '../../../server/core/guest/state.ts'
import { openStore } from '../../../server/store/sqlite/open.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { treebootIn } from '../../support/cli.ts'
import { eventually } from '../../support/eventually.ts'
import { stating } from '../../support/stating.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const mac = 'mac: 52:54:00:aa:bb:01\n'

function home(files: Record<string, string>) {
  const cwd = temporaryFolder()
  for (const [name, content] of Object.entries({ 'config.yaml': httpOnly, ...files }))
    writeBelow(cwd, name, content)
  const treeboot = (...args: string[]) => treebootIn(cwd, ...args)
  const has = (name: string) => existsSync(join(cwd, name))
  return { cwd, treeboot, has, contentOf: (name: string) => readFileSync(join(cwd, name), 'utf8') }
}

const openData = (cwd: string) =>
  openStore({ data: join(cwd, 'data'), witness: [], onTrouble: () => undefined })

async function statesIn(cwd: string): Promise<Record<string, string>> {
  const store = await openData(cwd)
  const states = [...(await store.states())].map(([name, { state, hold }]) => [
    name,
    hold ? `${state} ${hold}` : state,
  ])
  await store.close()
  return Object.fromEntries(states)
}

async function happen(cwd: string, guest: string, event: GuestEvent): Promise<void> {
  const store = await openData(cwd)
  await store.change(guest, (state) => nextState(state, event, Date.now()))
  await store.close()
}

const installed: GuestEvent = { type: 'reported', report: 'installed', client: '10.0.0.1' }

describe('a guest gets another name', () => {
  test.each([
    { what: 'an installed one keeps its row', file: mac, event: installed, state: 'installed' },
    { what: 'one that is to be installed is so still', file: mac, event: undefined, state: 'install' },
    {
      what: 'known by its address alone, an installed one keeps its row',
      file: 'ip: 10.0.0.5\n',
      event: installed,
      state: 'installed',
    },
    {
      what: 'without an identity, an installed one is held',
      file: '',
      event: installed,
      state: 'held renamed',
    },
    {
      what: 'without an identity, one that is to be installed is held',
      file: '',
      event: undefined,
      state: 'held renamed',
    },
  ])('$what', async ({ file, event, state }) => {
    const { cwd, treeboot, has, contentOf } = home({ 'guests.d/a.yaml': `# mine\n${file}` })
    const app = testApp(cwd)
    await app.start()
    onTestFinished(() => app.stop())
    await eventually(async () => expect(await statesIn(cwd)).toEqual({ a: 'install' }))
    if (event) await happen(cwd, 'a', event)
    const renamed = await treeboot('guests', 'rename', 'a', 'z')
    expect(renamed).toMatchObject({ code: 0, err: '' })
    expect(renamed.out).toMatch(/guests\.d\/a\.yaml: removed\n[\s\S]*guests\.d\/z\.yaml: made/)
    expect(renamed.out.includes('treeboot install z')).toBe(state.startsWith('held'))
    expect([has('guests.d/a.yaml'), contentOf('guests.d/z.yaml')]).toEqual([false, `# mine\n${file}`])
    const url = `http://127.0.0.1:${portOf(app)}/api/v1/guests/z`
    await eventually(async () => {
      const reply = await fetch(url)
      expect(reply.status).toBe(200)
      expect(await reply.json()).toMatchObject({ state: state.split(' ')[0] })
    })
    const isHeld = state.startsWith('held')
    const before = event ? 'installed' : 'install'
    // The row moved, or what is known of the old name stays.
    expect(await statesIn(cwd)).toEqual({ z: state, ...(isHeld && { a: before }) })
  })

  test('to one that has a past of its own: it is not installed for that', async () => {
    const { cwd, treeboot } = home({ 'guests.d/a.yaml': mac, 'guests.d/z.yaml': 'mac: 52:54:00:aa:bb:02\n' })
    expect((await treeboot('install', 'z')).code).toBe(0)
    await happen(cwd, 'a', installed)
    expect((await treeboot('guests', 'rm', 'z')).code).toBe(0)
    const renamed = await treeboot('guests', 'rename', 'a', 'z')
    expect(renamed.out).toMatch(stating('held', 'treeboot install z'))
    expect((await statesIn(cwd)).z).toBe('held renamed')
    expect((await treeboot('guests')).out).toMatch(stating('z', 'held'))
  })

  test('not while it is being installed: its installer reports under its name', async () => {
    const { cwd, treeboot, has } = home({ 'guests.d/a.yaml': mac })
    await treeboot('install', 'a')
    await happen(cwd, 'a', { type: 'reported', report: 'installing', client: '10.0.0.1' })
    const refused = await treeboot('guests', 'rename', 'a', 'z')
    expect(refused.err).toMatch(stating('a is being installed', 'treeboot local a'))
    expect([refused.code, has('guests.d/a.yaml'), has('guests.d/z.yaml')]).toEqual([1, true, false])
    await treeboot('local', 'a')
    expect((await treeboot('guests', 'rename', 'a', 'z')).code).toBe(0)
  })

  test('--dry-run shows both files and changes nothing, not even the store', async () => {
    const { treeboot, has } = home({ 'guests.d/a.yaml': mac })
    const { out, code } = await treeboot('guests', 'rename', 'a', 'z', '--dry-run')
    expect([code, out]).toEqual([
      0,
      `-${mac}guests.d/a.yaml: would be removed\n+${mac}guests.d/z.yaml: nothing was changed (--dry-run)\n`,
    ])
    expect([has('guests.d/a.yaml'), has('guests.d/z.yaml'), has('data')]).toEqual([true, false, false])
  })

  test('not while the store cannot be written', async () => {
    const { cwd, treeboot, has } = home({ 'guests.d/a.yaml': '' })
    writeBelow(cwd, 'data/treeboot.db', 'no database')
    expect((await treeboot('guests', 'rename', 'a', 'z')).code).not.toBe(0)
    expect([has('guests.d/a.yaml'), has('guests.d/z.yaml')]).toEqual([true, false])
  })
})

test('a profile gets another name, and gives its place to one', async () => {
  const { treeboot, contentOf, has } = home({
    'profiles.d/lab.yaml': 'args: quiet\n',
    'guests.d/a.yaml': 'profile: lab\n',
  })
  const json = await treeboot('profiles', 'rename', 'lab', 'web', '--json')
  expect(JSON.parse(json.out)).toMatchObject({
    file: 'profiles.d/web.yaml',
    changed: true,
    others: [
      { file: 'guests.d/a.yaml', difference: '-profile: lab\n+profile: web\n' },
      { file: 'profiles.d/lab.yaml', difference: '-args: quiet\n' },
    ],
  })
  const refused = await treeboot('profiles', 'rm', 'web')
  expect(refused.code).toBe(1)
  expect(refused.err).toMatch(stating('guest a (guests.d/a.yaml:1)', '--replace-by'))
  await treeboot('profiles', 'add', 'other')
  expect((await treeboot('profiles', 'rm', 'web', '--replace-by', 'other')).code).toBe(0)
  expect([has('profiles.d/web.yaml'), contentOf('guests.d/a.yaml')]).toEqual([false, 'profile: other\n'])
})

test('a guest of config.yaml moves to a file: the lines to delete are told, and check names both until they go', async () => {
  const config = `${httpOnly}guests:\n  # mine\n  a:\n    mac: 52:54:00:aa:bb:01 # eth0\n  b: {}\n`
  const { cwd, treeboot, contentOf, has } = home({ 'config.yaml': config })
  const dry = await treeboot('guests', 'move', 'a', '--to', 'guests.d', '--dry-run')
  expect([dry.code, has('guests.d')]).toEqual([0, false])
  const moved = await treeboot('guests', 'move', 'a', '--to', 'guests.d')
  expect(moved.out).toContain(
    'until you delete lines 8 to 10 of config.yaml, they count and the file does not:\n-  # mine\n-  a:\n-    mac: 52:54:00:aa:bb:01 # eth0\n',
  )
  expect(contentOf('guests.d/a.yaml')).toBe('# mine\nmac: 52:54:00:aa:bb:01 # eth0\n')
  expect(contentOf('config.yaml')).toBe(config)
  expect((await treeboot('check')).out).toMatch(stating('guests.d/a.yaml:1:1', 'line 9'))
  expect(await treeboot('guests', 'move', 'a', '--to', 'guests.d')).toMatchObject({ code: 1 })
  writeFileSync(join(cwd, 'config.yaml'), config.split('\n').toSpliced(7, 3).join('\n'))
  expect((await treeboot('check')).out).not.toContain('guests.d/a.yaml:1:1')
  expect(JSON.parse((await treeboot('guests', 'move', 'b', '--to', 'guests.d', '--json')).out)).toMatchObject(
    {
      file: 'guests.d/b.yaml',
      delete: { file: 'config.yaml', first: 8, last: 8, text: '  b: {}\n', becomes: '' },
    },
  )
  expect((await treeboot('guests', 'move', 'none', '--to', 'guests.d')).code).toBe(3)
  expect((await treeboot('guests', 'move', 'a', '--to', 'profiles.d')).code).toBe(2)
})

test('the start of a server makes what a killed command left', async () => {
  const { cwd, treeboot, contentOf, has } = home({
    'profiles.d/lab.yaml': '',
    'guests.d/a.yaml': 'profile: lab\n',
  })
  const steps = [
    { where: 'profiles.d/web.yaml', before: null, after: '' },
    {
      where: 'guests.d/a.yaml',
      before: '0a7d9d8b5d1c3bd0a3e6d2b3b1b6d1f6c7d7f4e3d2b1a0f9e8d7c6b5a4938271',
      after: 'profile: web\n',
    },
  ].map((step) => ({ ...step, path: join(cwd, step.where) }))
  const journal = {
    version: 1,
    config: join(cwd, 'config.yaml'),
    what: 'profile lab gets the name web',
    remedy: 'x',
    steps,
  }
  writeBelow(cwd, 'data/definitions-journal.json', JSON.stringify(journal))
  const start = async () => {
    const app = testApp(cwd)
    const said: string[] = []
    app.events.subscribe((event) => said.push(`${event.type} ${'message' in event ? event.message : ''}`))
    await app.start()
    await app.stop()
    return said.filter((line) => line.includes('gets the name'))
  }
  // The digest is of another text: nothing is overwritten, and the log says so.
  expect(await start()).toEqual([expect.stringMatching(/^trouble .*guests\.d\/a\.yaml/)])
  expect([contentOf('guests.d/a.yaml'), has('profiles.d/web.yaml')]).toEqual(['profile: lab\n', false])
  const [create] = steps
  writeFileSync(join(cwd, 'data/definitions-journal.json'), JSON.stringify({ ...journal, steps: [create] }))
  expect(await start()).toEqual([expect.stringMatching(/^config .*finished/)])
  expect(has('profiles.d/web.yaml')).toBe(true)
  expect((await treeboot('check')).out).not.toContain('gets the name')
})
