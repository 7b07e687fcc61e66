import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { App } from '../server/app.ts'
import { makeToken } from './support/api.ts'
import { portOf } from './support/app.ts'
import { AutoInstallLab, asks, mac, profile, uuids } from './support/auto-install.ts'
import { eventually } from './support/eventually.ts'
import { writeBelow } from './support/tree-folder.ts'

/** Profiles that make unknown machines guests and install them: which disks are erased, and which are not. */

let lab: AutoInstallLab

beforeEach(() => {
  lab = new AutoInstallLab()
  return async () => {
    vi.unstubAllEnvs()
    await lab.end()
  }
})

/** What a machine gets that asks by MAC and UUID, as iPXE does. */
function boots(app: App, n: number, uuid: string = uuids[0], method = 'GET'): Promise<string> {
  const by = `${mac(n)}${uuid === '' ? '' : `/${uuid}`}`
  return asks(app, `/boot/by/${by}/pxelinux.cfg`, { method })
}

const stateOf = async (app: App, name: string): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${portOf(app)}/api/v1/guests/${name}`)
  return response.status === 404 ? 'none' : ((await response.json()) as { state: string }).state
}

describe('a machine that a profile with auto: install selects', () => {
  test('becomes a guest with the first byte of its boot configuration, and is installed once', async () => {
    const app = await lab.start()
    expect(await boots(app, 1)).toBe('install')
    expect(lab.files()).toEqual(['auto-525400000001.yaml'])
    expect(readFileSync(join(lab.home.path, 'guests.d/auto-525400000001.yaml'), 'utf8')).toMatch(
      /^# Made by profile lab \(auto: install\) at .*, because of mac-prefix 52:54:00\.\nmac: 52:54:00:00:00:01\nprofile: lab\nretry: false\nshown:\n {2}uuid: 4c4c4544-0042-3510-8052-b4c04f4a3731\n$/,
    )
    expect(await stateOf(app, 'auto-525400000001')).toBe('install')
    const { out } = await lab.treeboot('audit')
    expect(out).toMatch(/guests\.create +auto-525400000001/)
    // A loader asks again, and its installer fetches the answer file: it is a guest like any other.
    expect(await boots(app, 1)).toBe('install')
    expect((await lab.treeboot('guests', 'local', 'auto-525400000001')).code).toBe(0)
    await eventually(async () => expect(await boots(app, 1)).toContain('is kept on its own disk'))
    expect(lab.files()).toEqual(['auto-525400000001.yaml'])
  })

  test('is only looked at by HEAD, by explain and by the inbox', async () => {
    const app = await lab.start()
    await boots(app, 1, uuids[0], 'HEAD')
    const { out } = await lab.treeboot('explain', mac(1))
    expect(out).toContain('auto: install of profile lab')
    await lab.treeboot('inbox')
    expect(lab.files()).toEqual([])
    expect(await stateOf(app, 'auto-525400000001')).toBe('none')
  })

  test('asks twice at once, and is one guest', async () => {
    const app = await lab.start()
    const all = await Promise.all(Array.from({ length: 8 }, () => boots(app, 1)))
    // Whoever comes while it is made may be told to ask again, and nobody gets a wrong answer.
    expect(all.filter((each) => each !== 'install' && !each.startsWith('503 '))).toEqual([])
    expect(all).toContain('install')
    expect(lab.files()).toEqual(['auto-525400000001.yaml'])
  })

  test('boots its disk while nothing but its own word says that it has the MAC', async () => {
    const app = await lab.start()
    lab.neighbour = undefined
    expect(await boots(app, 1)).toMatch(
      /installs mac-prefix 52:54:00, and .* nothing proves that 127\.0\.0\.1/,
    )
    lab.neighbour = mac(2)
    expect(await boots(app, 1)).toContain('127.0.0.1 has the MAC 52:54:00:00:00:02')
    expect(lab.files()).toEqual([])
  })

  test('boots its disk without UUID and serial number, by which its second card is known', async () => {
    const app = await lab.start()
    expect(await boots(app, 1, '')).toContain('neither UUID nor serial number')
    // A placeholder is none.
    expect(await boots(app, 1, '03000200-0400-0500-0006-000700080009')).toContain('neither UUID nor serial')
    expect(await boots(app, 1)).toBe('install')
    lab.neighbour = mac(2)
    expect(await boots(app, 2)).toContain('the store knows it as guest auto-525400000001')
    expect(lab.files()).toHaveLength(1)
  })

  test('is no other machine that shows the UUID which somebody named for it', async () => {
    writeBelow(lab.home.path, 'guests.d/web01.yaml', `uuid: ${uuids[1]}\ntree: fedora-40\n`)
    const app = await lab.start()
    expect((await lab.treeboot('guests', 'local', 'web01')).code).toBe(0)
    // A stranger makes a guest of a MAC of his own, with the UUID of a machine that no profile selects.
    expect(await boots(app, 1)).toBe('install')
    const url = `http://127.0.0.1:${portOf(app)}/boot/by/00:11:22:33:44:55/${uuids[0]}/pxelinux.cfg`
    expect(await (await fetch(url)).text()).not.toContain('inst.ks=')
    // Or he takes the MAC of a machine that is known by its UUID.
    expect(await boots(app, 1, uuids[1])).toContain('web01 is kept on its own disk')
    expect(await boots(app, 1, '11111111-2222-3333-4444-555555555555')).toContain(
      'there is a guest auto-525400000001 already',
    )
  })

  test('may be a guest that is known by what it has not shown, or by another card of it', async () => {
    writeBelow(lab.home.path, 'guests.d/web01.yaml', 'serial: ABC123\ntree: fedora-40\n')
    writeBelow(lab.home.path, 'guests.d/web02.yaml', `mac: ${mac(9)}\ntree: fedora-40\n`)
    const app = await lab.start()
    expect(await boots(app, 1)).toContain('not shown its serial, by which it may be guest web01')
    rmSync(join(lab.home.path, 'guests.d/web01.yaml'))
    await eventually(() => expect(app.snapshot().guests.byName('web01')).toBeUndefined())
    // Its record knows it by a serial number that is still not shown.
    expect(await boots(app, 1)).toContain('may be guest web01, of which the store has a record')
    expect((await lab.treeboot('guests', 'forget', 'web01')).code).toBe(0)
    // web02 boots by its own card, and then by another one.
    expect(await boots(app, 9)).toBe('install')
    await lab.treeboot('guests', 'local', 'web02')
    const otherCard = `it was seen with the MAC ${mac(9)}, too, which is guest web02`
    await eventually(async () => expect(await boots(app, 1)).toContain(otherCard))
    expect(await boots(app, 1, uuids[1])).toBe('install')
  })

  test('boots its disk when store and files of guests were lost, until somebody says otherwise', async () => {
    const app = await lab.start({})
    expect(await boots(app, 1)).toContain('no record of what was installed before')
    // A guest that is made meanwhile decides nothing of other machines.
    const token = await makeToken(app, 'operator')
    const made = await fetch(`http://127.0.0.1:${portOf(app)}/api/v1/guests`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'web03', definition: { mac: mac(8) } }),
    })
    expect(made.status).toBe(201)
    expect(await boots(app, 1)).toContain('no record of what was installed before')
    expect((await lab.treeboot('install', '--held', '--yes')).code).toBe(0)
    expect(await boots(app, 1)).toBe('install')
  })

  test('boots its disk when the profile comes after the first start of an empty store', async () => {
    vi.stubEnv('TREEBOOT_NEW_STORE', '')
    lab.configure('')
    const app = await lab.start({})
    lab.configure()
    await app.reload()
    expect(await boots(app, 1)).toContain('no record of what was installed before')
    expect(lab.files()).toEqual([])
    // The next start says the same: nobody has decided.
    await app.stop()
    const next = await lab.start({})
    expect(await boots(next, 1)).toContain('no record of what was installed before')
    expect((await lab.treeboot('install', '--held', '--yes')).code).toBe(0)
    expect(await boots(next, 1)).toBe('install')
    // A decision lasts, also when the profile goes and comes again.
    lab.configure('')
    await next.reload()
    lab.configure()
    await next.reload()
    lab.neighbour = mac(2)
    expect(await boots(next, 2, uuids[1])).toBe('install')
  })

  test('is installed when a store that knows guests gets the profile later', async () => {
    vi.stubEnv('TREEBOOT_NEW_STORE', '')
    lab.configure('')
    const app = await lab.start({})
    expect((await lab.treeboot('guests', 'add', 'web01', `mac=${mac(9)}`, '--local')).code).toBe(0)
    await app.reload()
    lab.configure()
    await app.reload()
    expect(await boots(app, 1)).toBe('install')
  })

  test('is not installed again when somebody removes its file', async () => {
    const app = await lab.start()
    expect(await boots(app, 1)).toBe('install')
    rmSync(join(lab.home.path, 'guests.d/auto-525400000001.yaml'))
    await app.reload()
    await eventually(() => expect(app.snapshot().guests.all).toEqual([]))
    expect(await boots(app, 1)).toContain('the store knows it as guest auto-525400000001')
    expect(lab.files()).toEqual([])
  })

  test('is not installed that was a guest under another name', async () => {
    writeBelow(lab.home.path, 'guests.d/web01.yaml', `mac: ${mac(1)}\ntree: fedora-40\n`)
    const app = await lab.start()
    rmSync(join(lab.home.path, 'guests.d/web01.yaml'))
    await app.reload()
    await eventually(() => expect(app.snapshot().guests.all).toEqual([]))
    expect(await boots(app, 1)).toContain('the store knows it as guest web01')
  })

  test('boots its disk while the store is in doubt, and while a definition cannot be read', async () => {
    writeBelow(lab.home.path, 'guests.d/web01.yaml', `mac: ${mac(9)}\ntree: fedora-40\n`)
    const app = await lab.start({})
    expect(await boots(app, 1)).toContain('no record of what was installed before')
    expect(await lab.treeboot('install', '--held', '--yes')).toMatchObject({ code: 0 })
    writeBelow(lab.home.path, 'guests.d/broken.yaml', `mac: [`)
    const isTold = () => app.snapshot().problems.some(({ where }) => where.includes('broken.yaml'))
    await eventually(() => expect(isTold()).toBe(true))
    expect(await boots(app, 1)).toMatch(
      /have errors, or are not read yet|cannot be read, and may be this machine/,
    )
    rmSync(join(lab.home.path, 'guests.d/broken.yaml'))
    await eventually(() => expect(isTold()).toBe(false))
    expect(await boots(app, 1)).toBe('install')
  })

  test('boots its disk where no file may be written', async () => {
    writeBelow(lab.home.path, 'guests.d/.treeboot.yaml', 'managed: read-only\n')
    const app = await lab.start()
    expect(await boots(app, 1)).toMatch(/is not made a guest: .*guests\.d/)
    expect(lab.files()).toEqual(['.treeboot.yaml'])
  })

  test('boots its disk when its answer file cannot be made', async () => {
    writeBelow(lab.home.path, 'kickstart-templates/lab.ks', '{{ nope }}\n')
    const app = await lab.start()
    expect(await boots(app, 1)).toContain('its answer file cannot be made')
    expect(lab.files()).toEqual([])
  })

  test('boots its disk when another profile may turn out to select it', async () => {
    lab.configure(`${profile()}  rack:\n    match: { serial: abc }\n    auto: local\n`)
    const app = await lab.start()
    expect(await boots(app, 1)).toContain('another profile may still select it by serial')
  })

  test('boots its disk beyond auto-limit, and a problem tells it', async () => {
    lab.configure(profile().replace('auto: install', 'auto: install\n    auto-limit: 2'))
    const app = await lab.start()
    for (const n of [1, 2, 3]) {
      lab.neighbour = mac(n)
      const uuid = `4c4c4544-0042-3510-8052-b4c04f4a370${n}`
      expect(await boots(app, n, uuid)).toMatch(n < 3 ? 'install' : /made 2 within the last hour/)
    }
    expect(lab.files()).toHaveLength(2)
    const response = await fetch(`http://127.0.0.1:${portOf(app)}/api/v1/problems`)
    expect(await response.text()).toContain('profile lab makes no more machines guests for now')
    // However many strangers ask: nothing is written for them.
    for (let n = 4; n < 60; n++) await boots(app, n, `4c4c4544-0042-3510-8052-b4c04f4a37${n}`)
    expect(lab.files()).toHaveLength(2)
  })

  test('boots its disk beyond auto-limit also when the clock of the server is set', async () => {
    const realNow = Date.now
    let aheadMs = 0
    Date.now = () => realNow() + aheadMs
    onTestFinished(() => {
      Date.now = realNow
    })
    lab.configure(profile().replace('auto: install', 'auto: install\n    auto-limit: 1'))
    const app = await lab.start()
    lab.neighbour = mac(1)
    expect(await boots(app, 1)).toContain('install')
    for (const hours of [2, 48, -2, -48]) {
      aheadMs = hours * 3_600_000
      lab.neighbour = mac(2)
      expect(await boots(app, 2, '4c4c4544-0042-3510-8052-b4c04f4a3702'), `${hours} hours`).toContain(
        'made 1 within the last hour',
      )
    }
    expect(lab.files()).toHaveLength(1)
  })
})

describe('check', () => {
  test('says what such a profile does, and refuses one that selects too much or cannot install', async () => {
    expect((await lab.treeboot('check')).out).toMatch(
      /profile lab ERASES THE DISK of each machine .* mac-prefix 52:54:00/,
    )
    for (const [match, isRight] of [
      ['{ arch: x86_64 }', false],
      ['{ vendor: Dell }', false],
      ['{ subnet: 10.0.0.0/8 }', false],
      ['{ mac-prefix: "52:54" }', false],
      ['[{ serial: abc }, { arch: x86_64 }]', false],
      ['{ subnet: 10.1.0.0/16 }', true],
      ['{ mac-prefix: "52:54:00", vendor: Dell }', true],
      ['{ uuid: 4c4c4544-0042-3510-8052-b4c04f4a3731 }', true],
    ] as const) {
      lab.configure(profile().replace(/match: .*/, `match: ${match}`))
      const { out } = await lab.treeboot('check')
      expect([match, !out.includes('selects too many machines')]).toEqual([match, isRight])
    }
    lab.configure(profile().replace('    template: lab.ks\n', ''))
    expect((await lab.treeboot('check')).out).toContain('profiles.lab.auto: install needs a template')
  })
})

test('a token that orders nothing neither makes nor widens such a profile', async () => {
  lab.configure('')
  const app = await lab.start()
  const base = `http://127.0.0.1:${portOf(app)}/api/v1/profiles`
  const narrowed = await makeToken(app, 'operator', 'guests:write')
  const send = async (token: string, path: string, method: string, json: unknown): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'if-match': '*' }
    return (await fetch(`${base}${path}`, { method, headers, body: JSON.stringify(json) })).status
  }
  const definition = {
    match: { 'mac-prefix': '52:54:00' },
    auto: 'install',
    tree: 'fedora-40',
    template: 'lab.ks',
  }
  expect(await send(narrowed, '', 'POST', { name: 'lab', definition })).toBe(403)
  expect(await send(narrowed, '', 'POST', { name: 'lab', definition: { ...definition, auto: 'menu' } })).toBe(
    201,
  )
  expect(await send(narrowed, '/lab/definition', 'PATCH', { auto: 'install' })).toBe(403)
  expect(await send(await makeToken(app, 'operator'), '/lab/definition', 'PATCH', { auto: 'install' })).toBe(
    200,
  )
  expect(await send(narrowed, '/lab/definition', 'PATCH', { match: { 'mac-prefix': '52:54:01' } })).toBe(403)
  expect(await send(narrowed, '/lab/definition', 'PATCH', { args: ['quiet'] })).toBe(200)
})
