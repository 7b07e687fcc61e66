import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { exitCodes } from '../server/cli/output/io.ts'
import type { Event } from '../server/events/bus.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { type CliResult, treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/** What a machine gets over its life, by the services and the commands that people and machines use. */

const macs = { web01: '52-54-00-aa-bb-01', web02: '52-54-00-aa-bb-02', again: '52-54-00-aa-bb-03' }
const config = `${httpOnly}
profiles:
  web: { tree: { distro: fedora }, template: web.ks }
guests:
  web01: { mac: ${macs.web01}, profile: web }
  web02: { mac: ${macs.web02}, profile: web }
  again: { mac: ${macs.again}, profile: web, retry: true }
`
/** Two machines, and a person's computer. Each has an address of its own: on Linux every 127.x.y.z is ours. */
const [machine, other, desk] = ['127.0.7.1', '127.0.7.2', '127.0.9.9']
/** With it, a report does not count as one from treeboot's own machine, as those from 127.x.y.z do. */
const throughProxy = { 'x-forwarded-for': '10.9.9.9' }

let home: ReturnType<typeof keptFolder>
let app: App
let port: number
let events: Event[]

async function start(): Promise<void> {
  app = testApp(home.path)
  events = []
  app.events.subscribe((event) => events.push(event))
  await app.start()
  port = portOf(app)
}

beforeAll(async () => {
  home = keptFolder()
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', '{{ tree.id }} {{ report_url }}\n')
  await start()
  await ready('fedora-40')
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

/**
 * Another process that forgets everything. The server notices, once the last test's changes have reached the
 * disk.
 */
beforeEach(async () => {
  events.length = 0
  await eventually(async () => {
    meddle("update guests set state = 'install', since_ms = 0, install = 0, rest = '{}'")
    meddle('delete from steps; delete from inbox')
    for (const name of Object.keys(macs)) expect(await stateOf(name)).toBe('install')
  })
})

function meddle(sql: string): void {
  const raw = new Database(join(home.path, 'data/treeboot.db'))
  raw.exec(sql)
  raw.close()
}

async function ready(tree: string): Promise<void> {
  await eventually(() => expect(app.snapshot().trees.byId(tree)?.state).toBe('ready'), 15_000)
}

interface Answer {
  readonly status: number
  readonly body: string
}

function ask(
  from: string,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, localAddress: from, agent: false }
    const asked = httpRequest(options, (res) => {
      let body = ''
      res.setEncoding('utf8')
      res.on('data', (chunk) => {
        body += chunk
      })
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** Loaders ask for this; its text is the plan. */
const boot = async (name: keyof typeof macs, from = machine): Promise<string> =>
  (await ask(from, `/pxelinux.cfg/01-${macs[name]}`)).body

async function stateOf(name: string): Promise<string> {
  return JSON.parse((await ask(desk, `/api/v1/guests/${name}`)).body).state
}

/** Everything a machine does until its installer runs. Resolves to the path of its `report_url`. */
async function install(name: keyof typeof macs, from = machine): Promise<string> {
  expect(await boot(name, from)).toContain('LABEL install')
  await ask(from, '/trees/fedora-40/images/pxeboot/vmlinuz')
  const { body } = await ask(from, `/ks/${name}`)
  await eventually(async () => expect(await stateOf(name)).toBe('installing'))
  return new URL(body.trim().split(' ')[1] ?? '').pathname
}

const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home.path, ...args)

describe('an installation', () => {
  test('does not begin when an operator on the server itself fetches all that a guest gets', async () => {
    const here = '127.0.0.1'
    expect(await boot('web01', here)).toContain('LABEL install')
    await ask(here, '/trees/fedora-40/images/pxeboot/vmlinuz')
    expect((await ask(here, '/ks/web01')).status).toBe(200)
    expect(await boot('web01', here)).toContain('LABEL install')
    expect(await stateOf('web01')).toBe('install')
  })

  test('runs once: its report ends it, a reboot goes to the disk, and a restart of the server forgets nothing', async () => {
    const report = await install('web01')
    expect(report).toMatch(/^\/api\/v1\/guests\/web01\/installed\/[\w-]{22}$/)
    expect(await boot('web01')).toMatch(
      /SAY treeboot: web01 began to install .* again: treeboot install web01/,
    )
    expect((await ask(other, report, 'POST')).status).toBe(204)
    expect(await stateOf('web01')).toBe('installed')
    const disk = await boot('web01')
    expect(disk).toMatch(/SAY treeboot: web01 is installed since .*; again: treeboot install web01/)
    // What the API shows is what the loader gets: with the way to the disk from iPXE under UEFI.
    const shown = await ask(desk, '/api/v1/guests/web01/plan?as=ipxe')
    expect(shown.body).toContain('next-server 127.0.0.1')
    expect(shown.body).toBe((await ask(desk, '/boot/web01/ipxe')).body)
    await app.stop()
    await start()
    expect(await boot('web01')).toBe(disk)
    const { out } = await treeboot('guests', 'show', 'web01')
    expect(out.split('\n').map((line) => line.replace(/^ {2}[-\d]+ [:\d]+ {2}/, ''))).toEqual([
      expect.stringMatching(/^web01 {2}installed since \d{4}-/),
      `asked for boot, was offered fedora-40 (${machine})`,
      `loaded the kernel of fedora-40 (${machine})`,
      `its installer fetched the answer file (${machine})`,
      `asked for boot, was sent to its own disk (${machine})`,
      `its installer says: installed (${other})`,
      `asked for boot, was sent to its own disk (${machine})`,
      expect.stringMatching(/^web01 is installed since/),
      '',
    ])
  })

  test('is armed by the operator exactly once, at once, and the old report means nothing to it', async () => {
    const report = await install('web01')
    await ask(machine, report, 'POST')
    const armed = await treeboot('install', 'web01')
    expect(armed).toMatchObject({ code: 0, err: '' })
    expect(armed.out).toMatch(
      /^web01 was installed since .*; its next network boot installs fedora-40, once\n$/,
    )
    expect(await boot('web01')).toContain('LABEL install')
    const late = await ask(desk, report, 'POST', throughProxy)
    expect(late.status).toBe(403)
    expect(JSON.parse(late.body).message).toContain('not that of the present installation')
    const fresh = await install('web01')
    expect(fresh).not.toBe(report)
    expect(await boot('web01')).not.toContain('LABEL install')
  })

  test('that failed says why on the screen and is not started again', async () => {
    const failed = (await install('web01')).replace('/installed/', '/failed/')
    await ask(machine, `${failed}?message=no%20disk`, 'POST')
    expect(await boot('web01')).toMatch(/SAY treeboot: web01 failed to install .*: no disk; again: treeboot/)
    expect((await treeboot('guests')).out).toMatch(/^web01 +failed /m)
  })

  test('is started again by a reboot where the guest says retry', async () => {
    await install('again')
    expect(await boot('again')).toContain('LABEL install')
  })

  test('is not begun by somebody who looks', async () => {
    await ask(desk, '/ks/web01')
    await boot('web01')
    await ask(desk, '/ks/web01')
    await ask(desk, `/ks?mac=${macs.web01}`)
    await ask(machine, '/ks/web01', 'HEAD')
    await ask(machine, '/ks/')
    await treeboot('render', 'web01')
    expect(await boot('web01')).toContain('LABEL install')
  })

  test('two at once each go their own way', async () => {
    const [one, two] = await Promise.all([install('web01', machine), install('web02', other)])
    const wrongToken = `${two}x`
    await Promise.all([ask(machine, one, 'POST'), ask(other, wrongToken, 'POST')])
    expect([await stateOf('web01'), await stateOf('web02')]).toEqual(['installed', 'installing'])
  })

  test('sees one tree to its end, while a newer one comes', async () => {
    const report = await install('web01')
    makeTree(join(home.path, 'trees/fedora-41'), { version: '41', checksums: false })
    await ready('fedora-41')
    expect((await ask(machine, '/ks/web01')).body).toMatch(/^fedora-40 /)
    expect((await ask(desk, '/api/v1/lookup?guest=web01')).body).toContain('"fedora-40"')
    expect((await ask(other, '/ks/web02')).body).toMatch(/^fedora-41 /)
    await ask(machine, report, 'POST')
    expect((await ask(machine, '/ks/web01')).body).toMatch(/^fedora-41 /)
    rmSync(join(home.path, 'trees/fedora-41'), { recursive: true })
    await eventually(() => expect(app.snapshot().trees.byId('fedora-41')).toBeUndefined(), 8_000)
  })
})

describe('a report', () => {
  test('counts with the token of the answer file alone, whatever address it comes from', async () => {
    const withToken = await install('web01')
    const path = '/api/v1/guests/web01/installed'
    expect((await ask(machine, path, 'POST')).status).toBe(403)
    expect((await ask(desk, `${path}/guessed`, 'POST')).status).toBe(403)
    expect(await stateOf('web01')).toBe('installing')
    expect(events.filter((event) => event.type === 'trouble').map(({ message }) => message)).toEqual([
      expect.stringMatching(/^127\.0\.7\.1 said installed, and was not believed: .*report_url/),
      expect.stringMatching(/^127\.0\.9\.9 said installed.*token/),
    ])
    expect((await ask(desk, withToken, 'POST', throughProxy)).status).toBe(204)
    expect(await stateOf('web01')).toBe('installed')
  })
})

describe('the operator', () => {
  test('keeps a guest on its disk', async () => {
    expect((await treeboot('local', 'web01', 'web02')).code).toBe(0)
    expect(await boot('web01')).toMatch(/web01 is kept on its own disk; to install: treeboot install web01/)
    const description = await ask(desk, '/boot/web01/virt-install.sh')
    expect(description.body).toContain('--location')
    expect((await treeboot('explain', 'web01')).out).toMatch(
      /^plan +local-disk +<- web01 is kept on its own disk/m,
    )
  })
  test('may decide over HTTP, with the administrator’s token only', async () => {
    const token = readFileSync(join(home.path, 'data/admin-token'), 'utf8').trim()
    expect((await ask(desk, '/api/v1/guests/web01/local', 'POST')).status).toBe(403)
    expect(await stateOf('web01')).toBe('install')
    const asAdmin = (path: string) => ask(desk, path, 'POST', { authorization: `Bearer ${token}` })
    expect((await asAdmin('/api/v1/guests/web01/local')).status).toBe(200)
    expect(await stateOf('web01')).toBe('local')
    expect(JSON.parse((await asAdmin('/api/v1/guests/web01/install')).body)).toMatchObject({
      state: 'install',
    })
    expect((await asAdmin('/api/v1/guests/nobody/install')).status).toBe(404)
  })

  test('a slip in one name arms none', async () => {
    expect(await treeboot('install', 'web01', 'web0l')).toMatchObject({
      code: exitCodes.notFound,
      err: expect.stringMatching(/did you mean/),
    })
    expect((await treeboot('guests')).out).toMatch(/^web01 +install +- /m)
  })
})

describe('the inbox', () => {
  beforeEach(() => rmSync(join(home.path, 'guests.d'), { recursive: true, force: true }))

  const stranger = '52-54-00-00-00-99'
  const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'

  async function knock(): Promise<void> {
    // As PXELINUX does: UUID first, then MAC, then the default.
    for (const name of [uuid, `01-${stranger}`, 'default']) await ask(other, `/pxelinux.cfg/${name}`)
    await eventually(async () => expect(JSON.parse((await ask(desk, '/api/v1/inbox')).body)).toHaveLength(1))
  }

  test('holds who asked and is no guest, and one command makes it one, at once and for good', async () => {
    expect(await treeboot('inbox')).toMatchObject({
      code: exitCodes.notFound,
      out: 'no unknown machine asked for boot\n',
    })
    await knock()
    expect((await treeboot('inbox')).out).toMatch(
      new RegExp(`^52:54:00:00:00:99 +${other} +- +${uuid} +- +- +[-: \\d]+$`, 'm'),
    )
    const adopted = await treeboot('adopt', stranger, '--name', 'web09', '--profile', 'web')
    expect(adopted).toMatchObject({ code: 0, err: '' })
    expect(readFileSync(join(home.path, 'guests.d/web09.yaml'), 'utf8')).toMatch(
      new RegExp(
        `^# First asked for boot .*\n# uuid: "${uuid}"\n# address: "${other}"\nmac: 52:54:00:00:00:99\nprofile: web\n$`,
      ),
    )
    expect(readdirSync(join(home.path, 'guests.d'))).toEqual(['web09.yaml'])
    await eventually(
      async () => expect((await ask(other, `/pxelinux.cfg/01-${stranger}`)).body).toContain('LABEL install'),
      8_000,
    )
    expect(JSON.parse((await ask(desk, '/api/v1/inbox')).body)).toEqual([])
    expect((await treeboot('explain', 'web09')).out).toMatch(
      /^guest +web09 .*defined at guests\.d\/web09\.yaml:1$/m,
    )
  })

  test('an adoption that would not fit writes nothing and says why', async () => {
    await knock()
    const refused = async (...args: string[]) => (await treeboot('adopt', ...args)).err
    expect(await refused(stranger, '--name', 'web01')).toContain(
      'guest web01 already exists (config.yaml:10)',
    )
    expect(await refused(stranger, '--name', 'web09', '--profile', 'wep')).toContain("did you mean 'web'?")
    expect(await refused(stranger, '--name', '../web09')).toContain('expected a name of letters')
    expect(await refused('52-54-00-00-00-98', '--name', 'web09')).toContain('is not in the inbox')
    expect(() => readdirSync(join(home.path, 'guests.d'))).toThrow()
  })

  test('an adopted machine may be kept on its disk', async () => {
    await knock()
    await treeboot('adopt', stranger, '--name', 'web09', '--profile', 'web', '--local')
    await eventually(
      async () =>
        expect((await ask(other, `/pxelinux.cfg/01-${stranger}`)).body).toContain('kept on its own disk'),
      8_000,
    )
  })
})

test('a boot configuration written by hand wins, and the log and explain say so', async () => {
  const own = `pxelinux.cfg/01-${macs.web02}`
  writeBelow(home.path, `tftpboot/${own}`, 'LABEL by-hand\n')
  try {
    expect(await boot('web02')).toBe('LABEL by-hand\n')
    expect(events).toContainEqual({
      type: 'boot',
      protocol: 'http',
      client: machine,
      guest: 'web02',
      machine: '52:54:00:aa:bb:02',
      decision: `tftpboot/${own}, written by hand`,
    })
    expect((await treeboot('explain', 'web02')).out).toMatch(
      new RegExp(`\\nby hand +tftpboot/${own} +<- a machine that asks for this name`),
    )
    const shown = await ask(desk, '/api/v1/guests/web02/explain')
    expect(JSON.parse(shown.body).at(-1)).toMatchObject({ what: 'by hand', value: `tftpboot/${own}` })
    expect((await treeboot('explain', 'web01')).out).not.toContain('by hand')
  } finally {
    rmSync(join(home.path, 'tftpboot'), { recursive: true })
  }
})

test('a store that cannot be written stops no boot and says so', async () => {
  await boot('web01')
  meddle("create trigger full before insert on steps begin select raise(fail, 'disk is full'); end")
  expect(await boot('web01')).toContain('LABEL install')
  await ask(machine, '/trees/fedora-40/images/pxeboot/vmlinuz')
  // The installer gets no answer file, and the machine boots its disk: nobody could remember that it was installed.
  const refused = await ask(machine, '/ks/web01')
  expect(refused.status).toBe(503)
  expect(await boot('web01')).toContain('began to install')
  expect(await boot('web02')).toMatch(/web02 is not installed now: the store cannot be written .disk is full/)
  expect((await ask(desk, '/api/v1/guests/web01/installed', 'POST', throughProxy)).status).not.toBe(204)
  expect(events.some((event) => event.type === 'trouble' && event.message.includes('disk is full'))).toBe(
    true,
  )
})
