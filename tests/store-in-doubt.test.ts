import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { App } from '../server/app.ts'
import type { Event } from '../server/events/bus.ts'
import { reportToken } from '../server/machines/token.ts'
import { openStore } from '../server/store/sqlite/open.ts'
import { httpOnly, portOf, quickApp } from './support/app.ts'
import { treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/** A lost, an old and a foreign store wipe no disk: what each machine boots, through the whole server. */

const services = httpOnly
const macs = { web01: '52:54:00:aa:bb:01', web02: '52:54:00:aa:bb:02', again: '52:54:00:aa:bb:03' }
const definition = (name: keyof typeof macs): string => `mac: "${macs[name]}", tree: fedora-40`
const guests = `guests:
  web01: { ${definition('web01')} }
  web02: { ${definition('web02')} }
  again: { ${definition('again')}, retry: true }
`

let home: ReturnType<typeof keptFolder>
let apps: App[]
let notes: string[]

beforeEach(() => {
  // Other tests accept a new store; commands read this variable.
  vi.stubEnv('TREEBOOT_NEW_STORE', '')
  home = keptFolder()
  apps = []
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  configure(guests)
  return async () => {
    for (const app of apps) await app.stop()
    home.remove()
    vi.unstubAllEnvs()
  }
})

const configure = (text: string): void => writeBelow(home.path, 'config.yaml', services + text)
const inHome = (path: string): string => join(home.path, path)
const treeboot = (...args: string[]) => treebootIn(home.path, ...args)

interface Server {
  readonly app: App
  /** What a guest's machine boots: `install`, or why it boots its disk. */
  boots(name: string): Promise<string>
  state(name: string): Promise<string>
  post(path: string): Promise<number>
  problems(): Promise<string>
}

async function start(options: { readonly newStore?: 'install' } = {}): Promise<Server> {
  const app = quickApp({ cwd: home.path, ...options })
  apps.push(app)
  notes = []
  app.events.subscribe((event: Event) => {
    if (event.type === 'config' || event.type === 'trouble') notes.push(event.message)
  })
  await app.start()
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
  const port = portOf(app)
  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  return {
    app,
    async boots(name) {
      const text = await get(`/boot/${name}/pxelinux.cfg`)
      return text.includes('LABEL install') ? 'install' : (/^SAY treeboot: (.*)$/m.exec(text)?.[1] ?? text)
    },
    async state(name) {
      const { state, hold } = JSON.parse(await get(`/api/v1/guests/${name}`))
      return hold === null ? state : `${state} (${hold})`
    },
    problems: () => get('/api/v1/problems'),
    post: async (path) => (await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST' })).status,
  }
}

/** web01 was installed, web02 is to be installed, and `again` began. */
async function usedServer(): Promise<Server> {
  const server = await start({ newStore: 'install' })
  expect(await server.post('/api/v1/guests/web01/installed')).toBe(204)
  expect(await server.post('/api/v1/guests/again/installing')).toBe(204)
  expect(await server.boots('web02')).toBe('install')
  expect(await server.boots('again')).toBe('install')
  return server
}

async function expectHeld(server: Server, reason: string, names = Object.keys(macs)): Promise<void> {
  for (const name of names) {
    expect(await server.state(name)).toBe(`held (${reason})`)
    expect(await server.boots(name)).toMatch(/ is held: .*; to install: treeboot install /)
  }
}

/** What each guest will be, as the commands say before a server has started; they change nothing. */
async function expectForetold(reason: string, names = Object.keys(macs)): Promise<void> {
  const listed = JSON.parse((await treeboot('guests', '--json')).out) as {
    name: string
    hold: string | null
  }[]
  // The list is sorted by name.
  const held = listed.filter(({ hold }) => hold === reason).map(({ name }) => name)
  expect(held).toEqual([...names].sort())
  const [first = ''] = names
  const others = names.length > 1 ? ` and ${names.length - 1} more` : ''
  const { out } = await treeboot('guests')
  expect(out).toContain(`the next start of the server holds ${first}${others}, `)
  expect(out).toContain('treeboot install --held')
  for (const name of names) {
    const lines = (await treeboot('explain', name)).out
    expect(lines).toMatch(/^state +held +<- the next start of the server holds it: /m)
    expect(lines).toMatch(/^plan +local-disk +<- .*to install: treeboot install /m)
    expect((await treeboot('guests', 'show', name)).out).toContain(`${name} is held: `)
    expect((await treeboot('lookup', '--guest', name)).code).toBe(0)
  }
}

const rows: [string, () => void, reason: string, names: string[]][] = [
  ['the database is lost', () => rmSync(inHome('data/treeboot.db')), 'new store', Object.keys(macs)],
  [
    'the data folder is lost',
    () => rmSync(inHome('data'), { recursive: true }),
    'new store',
    Object.keys(macs),
  ],
  [
    'only the configuration was restored on a new machine',
    () => {
      rmSync(inHome('data'), { recursive: true })
      rmSync(inHome('trees/.treeboot'), { recursive: true })
    },
    'new store',
    Object.keys(macs),
  ],
  [
    'the trees were moved, and the witness is lost',
    () => rmSync(inHome('trees/.treeboot'), { recursive: true }),
    'old store',
    ['web02', 'again'],
  ],
]

describe('after a stop', () => {
  test.each(rows)('%s: what it would install is held', async (_, loss, ...[reason, names]) => {
    await (await usedServer()).app.stop()
    loss()
    await expectForetold(reason, names)
    const server = await start()
    await expectHeld(server, reason, names)
    expect((await treeboot('guests')).out).not.toContain('next start')
    expect(notes.some((note) => note.includes('treeboot install --held'))).toBe(true)
    if (!names.includes('web01')) expect(await server.state('web01')).toBe('installed')
    // It stays so after another start, whose store and witness agree.
    await server.app.stop()
    await expectHeld(await start(), reason, names)
  })

  test('an old backup was copied over the data folder: what is armed or new in it is held', async () => {
    const first = await usedServer()
    await first.app.stop()
    cpSync(inHome('data'), inHome('backup'), { recursive: true })
    const second = await start()
    expect(await second.post('/api/v1/guests/web02/installed')).toBe(204)
    await second.app.stop()
    rmSync(inHome('data'), { recursive: true })
    cpSync(inHome('backup'), inHome('data'), { recursive: true })
    const third = await start()
    await expectHeld(third, 'old store', ['web02', 'again'])
    expect(await third.state('web01')).toBe('installed')
  })

  test('nothing was lost: every guest is as it was', async () => {
    await (await usedServer()).app.stop()
    const server = await start()
    expect(await server.state('web01')).toBe('installed')
    for (const name of ['web02', 'again']) expect(await server.boots(name)).toBe('install')
    expect(notes.join()).not.toContain('held')
  })
})

describe('a newcomer', () => {
  test('who starts the server first needs no command', async () => {
    configure('')
    const { app } = await start()
    await app.stop()
    configure(guests)
    const server = await start()
    expect(await server.boots('web01')).toBe('install')
  })

  test('who defines guests while the server runs needs none either', async () => {
    configure('')
    const server = await start()
    configure(guests)
    await eventually(() => expect(server.app.snapshot().guests.all).toHaveLength(3))
    expect(await server.boots('web01')).toBe('install')
    expect(await server.state('web01')).toBe('install')
  })

  test('who has guests first and no server yet is told so, and may order an installation before the start', async () => {
    await expectForetold('new store')
    expect(existsSync(inHome('data'))).toBe(false)
    expect((await treeboot('install', 'web01')).out).toContain('its next network boot installs fedora-40')
    expect((await treeboot('explain', 'web01')).out).toMatch(/^plan +install /m)
    const server = await start()
    expect(await server.boots('web01')).toBe('install')
    await expectHeld(server, 'new store', ['web02', 'again'])
  })

  test('who has guests first is told one command, which ends the doubt', async () => {
    const server = await start()
    await expectHeld(server, 'new store')
    expect(await server.problems()).toContain('no record of what was installed')
    expect(notes.join()).toMatch(
      /and 2 more are held and boot from disk: .* no record .*"treeboot install --held"/,
    )
    const refused = await treeboot('install', '--held')
    expect([refused.code, refused.err]).toEqual([2, expect.stringMatching(/3 guests.*web01.*give --yes/s)])
    await expectHeld(server, 'new store')
    const { code, out } = await treeboot('install', '--held', '--yes')
    expect([code, out.match(/installs fedora-40, once/g)]).toEqual([
      0,
      expect.objectContaining({ length: 3 }),
    ])
    for (const name of Object.keys(macs)) expect(await server.boots(name)).toBe('install')
    expect(await server.problems()).not.toContain('no record of what was installed')
    configure(`${guests}  late: { mac: "52:54:00:aa:bb:09", tree: fedora-40 }\n`)
    await eventually(() => expect(server.app.snapshot().guests.byName('late')).toBeDefined())
    expect(await server.boots('late')).toBe('install')
  })
})

describe('a store in doubt', () => {
  test('ends guest by guest, and holds guests that are defined meanwhile', async () => {
    const server = await start()
    expect((await treeboot('install', 'web01')).code).toBe(0)
    expect(await server.boots('web01')).toBe('install')
    configure(`${guests}  late: { mac: "52:54:00:aa:bb:09", tree: fedora-40 }\n`)
    await eventually(() => expect(server.app.snapshot().guests.byName('late')).toBeDefined())
    await expectHeld(server, 'new store', ['web02', 'again', 'late'])
  })

  test('believes a report, and keeps what the operator holds', async () => {
    const server = await start()
    expect(await server.post('/api/v1/guests/web02/installed')).toBe(204)
    expect(await server.state('web02')).toBe('installed')
    expect((await treeboot('hold', 'web01')).code).toBe(0)
    expect(await server.post('/api/v1/guests/web01/installed')).toBe(204)
    expect(await server.state('web01')).toBe('held (by the operator)')
    await treeboot('install', '--held', '--yes')
    expect(await server.state('web01')).toBe('held (by the operator)')
  })

  test('begins when a report carries the token of an installation that it does not know', async () => {
    const server = await usedServer()
    const store = await openStore({ data: inHome('data') })
    const token = (install: number) => store.secret().then((secret) => reportToken(secret, 'again', install))
    const [later, never] = [await token(7), await token(17)]
    await store.close()
    expect(await server.post(`/api/v1/guests/again/installed/${never}`)).toBe(403)
    expect(await server.boots('web02')).toBe('install')
    expect(await server.post(`/api/v1/guests/again/installed/${later}`)).toBe(204)
    expect(await server.state('again')).toBe('installed')
    await expectHeld(server, 'old store', ['web02'])
  })

  test('ends although a record without a definition stays held', async () => {
    await (await usedServer()).app.stop()
    rmSync(inHome('trees/.treeboot'), { recursive: true })
    configure(guests.replace(/ {2}web02:.*\n/, ''))
    const server = await start()
    await expectHeld(server, 'old store', ['again'])
    expect((await treeboot('install', '--held', '--yes')).code).toBe(0)
    const late = '  late: { mac: "52:54:00:aa:bb:09", tree: fedora-40 }\n'
    configure(`${guests}${late}`)
    await eventually(() => expect(server.app.snapshot().guests.byName('late')).toBeDefined())
    expect(await server.boots('late')).toBe('install')
    await expectHeld(server, 'old store', ['web02'])
  })

  test('is settled by the first command, too', async () => {
    expect((await treeboot('install', 'web01')).code).toBe(0)
    const server = await start()
    expect(await server.boots('web01')).toBe('install')
    await expectHeld(server, 'new store', ['web02', 'again'])
  })
})

describe('a guest under a new name', () => {
  const renamed = guests.replace('web01:', 'www:').replace('web02:', 'mail:')

  test('keeps its state and its story', async () => {
    const server = await usedServer()
    configure(renamed)
    await eventually(() => expect(server.app.snapshot().guests.byName('www')).toBeDefined())
    expect(await server.state('www')).toBe('installed')
    expect(await server.boots('mail')).toBe('install')
    const { out } = await treeboot('guests', 'show', 'www', '--json')
    expect(JSON.parse(out).story.map(({ step }: { step: string }) => step)).toContain('installed')
    configure(guests)
    await eventually(() => expect(server.app.snapshot().guests.byName('web01')).toBeDefined())
    expect(await server.state('web01')).toBe('installed')
  })

  test('keeps them while the server is down, and when its definition comes back', async () => {
    await (await usedServer()).app.stop()
    configure('')
    await (await start()).app.stop()
    configure(renamed)
    const server = await start()
    expect(await server.state('www')).toBe('installed')
  })

  test('is held when the old name is still defined', async () => {
    const server = await usedServer()
    configure(`guests:
  web01: { mac: "52:54:00:aa:bb:77", tree: fedora-40 }
  www: { ${definition('web01')} }
`)
    await eventually(() => expect(server.app.snapshot().guests.byName('www')).toBeDefined())
    expect(await server.state('www')).toBe('held (renamed)')
    expect(await server.state('web01')).toBe('installed')
  })
})
