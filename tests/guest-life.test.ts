import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exitCodes } from '../server/cli/output/io.ts'
import { makeToken } from './support/api.ts'
import { eventually } from './support/eventually.ts'
import {
  app,
  ask,
  boot,
  desk,
  events,
  home,
  install,
  machine,
  macs,
  meddle,
  other,
  ready,
  serveGuests,
  start,
  stateOf,
  throughProxy,
  treeboot,
} from './support/guest-life.ts'
import { makeTree, writeBelow } from './support/tree-folder.ts'

/** What a machine gets over its life, by the services and the commands that people and machines use. */

serveGuests()

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
    await app().stop()
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
    await eventually(() => expect(app().snapshot().trees.byId('fedora-41')).toBeUndefined(), 8_000)
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
  test('may decide over HTTP, with the token of an operator only', async () => {
    const token = await makeToken(app(), 'operator')
    expect((await ask(desk, '/api/v1/guests/web01/local', 'POST')).status).toBe(401)
    const old = readFileSync(join(home.path, 'data/admin-token'), 'utf8').trim()
    const legacy = { authorization: `Bearer ${old}` }
    expect((await ask(desk, '/api/v1/guests/web01/local', 'POST', legacy)).status).toBe(403)
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
    expect((await treeboot('guests')).out).toMatch(/^web01 +will install +- /m)
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
    expect(JSON.parse(shown.body).items.at(-1)).toMatchObject({ what: 'by hand', value: `tftpboot/${own}` })
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
