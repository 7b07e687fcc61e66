import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { portOf } from './support/app.ts'
import { AutoInstallLab, asks, mac, profile, uuids } from './support/auto-install.ts'
import { eventually } from './support/eventually.ts'
import { writeBelow } from './support/tree-folder.ts'

/** How `auto: install` could erase a disk that nobody meant. Each attempt ends at the machine's own disk. */

const [uuid, otherUuid] = uuids
const foreignMac = '00:1b:21:00:00:01'
let lab: AutoInstallLab

beforeEach(() => {
  lab = new AutoInstallLab()
  return () => lab.end()
})

const boots = (app: App, ...identity: string[]): Promise<string> =>
  asks(app, `/boot/by/${identity.join('/')}/pxelinux.cfg`)

describe('somebody who takes a MAC of another machine', () => {
  test('does not have that machine installed when it shows nothing but its MAC', async () => {
    const app = await lab.start()
    expect(await boots(app, mac(1), uuid)).toBe('install')
    // The machine that really has the MAC. Debian's signed GRUB shows no UUID.
    expect(await boots(app, mac(1))).toContain('neither the UUID nor the serial number')
    expect(await boots(app, mac(1), otherUuid)).toContain('there is a guest auto-525400000001 already')
    // The machine itself goes on.
    expect(await boots(app, mac(1), uuid)).toBe('install')
    // Its operator may order it, and then it is a guest like any other.
    expect((await lab.treeboot('install', '--yes', 'auto-525400000001')).code).toBe(0)
    await eventually(async () => expect(await boots(app, mac(1))).toBe('install'))
  })

  test('in a network that a profile installs, does not have it installed in its own network', async () => {
    lab.configure(profile('{ subnet: 127.0.0.0/16 }'))
    lab.neighbour = foreignMac
    const app = await lab.start()
    expect(await boots(app, foreignMac, uuid)).toBe('install')
    // It boots from a network behind a router, where no profile selects it.
    lab.configure(profile('{ subnet: 10.1.0.0/16 }'))
    await app.reload()
    expect(await boots(app, foreignMac, uuid)).toContain('no profile with auto: install selects it now')
    // Or at an address that another machine has.
    lab.configure(profile('{ subnet: 127.0.0.0/16 }'))
    await app.reload()
    lab.neighbour = mac(7)
    expect(await boots(app, foreignMac, uuid)).toContain(`127.0.0.1 has the MAC ${mac(7)}`)
  })

  test('with a page that a browser shows, makes no guest of the machine that shows it', async () => {
    const app = await lab.start()
    const path = `/boot/by/${mac(1)}/${uuid}/pxelinux.cfg`
    for (const agent of ['Mozilla/5.0 (X11; Linux x86_64)', 'curl/7.88.1', 'Wget/1.21.3'])
      expect(await asks(app, path, { agent })).toContain('a boot loader must ask')
    expect(lab.files()).toEqual([])
    expect(await asks(app, path)).toBe('install')
  })
})

describe('a machine that the server knows by something else', () => {
  test('is no stranger because it asks by its MAC before it asks by its address', async () => {
    writeBelow(lab.home.path, 'guests.d/web01.yaml', 'ip: 127.0.0.1\ntree: fedora-40\n')
    const app = await lab.start()
    expect((await lab.treeboot('guests', 'local', 'web01')).code).toBe(0)
    const byMac = `/pxelinux.cfg/01-${mac(1).replaceAll(':', '-')}`
    expect(await asks(app, `${byMac}?uuid=${uuid}`)).not.toBe('install')
    expect(await boots(app, mac(1), uuid)).toContain('web01 is kept on its own disk')
    // Also when its definition is gone.
    rmSync(join(lab.home.path, 'guests.d/web01.yaml'))
    await app.reload()
    await eventually(() => expect(app.snapshot().guests.all).toEqual([]))
    expect(await boots(app, mac(1), uuid)).toContain('the store knows it as guest web01')
    expect(lab.files()).toEqual([])
  })

  test('is no stranger with another card at the address of its guest', async () => {
    writeBelow(lab.home.path, 'guests.d/web01.yaml', `mac: ${mac(9)}\nip: 127.0.0.1\ntree: fedora-40\n`)
    const app = await lab.start()
    expect(await boots(app, mac(1), uuid)).toContain('127.0.0.1 is the address of guest web01')
  })

  test('is not installed after its record was made to forget it', async () => {
    writeBelow(lab.home.path, 'guests.d/web01.yaml', `mac: ${mac(1)}\ntree: fedora-40\n`)
    const app = await lab.start()
    rmSync(join(lab.home.path, 'guests.d/web01.yaml'))
    await app.reload()
    await eventually(() => expect(app.snapshot().guests.all).toEqual([]))
    expect((await lab.treeboot('guests', 'forget', 'web01')).code).toBe(0)
    expect(await boots(app, mac(1), uuid)).toContain('the store knows it as guest web01')
    // A guest that somebody writes is new all the same.
    writeBelow(lab.home.path, 'guests.d/web02.yaml', `mac: ${mac(1)}\ntree: fedora-40\n`)
    await app.reload()
    await eventually(async () => expect(await boots(app, mac(1), uuid)).toBe('install'))
  })
})

describe('a profile that is changed', () => {
  test('stops what it has not installed yet', async () => {
    const app = await lab.start()
    expect(await boots(app, mac(1), uuid)).toBe('install')
    lab.configure(profile(undefined, 'local'))
    await app.reload()
    expect(await boots(app, mac(1), uuid)).toContain('no profile with auto: install selects it now')
    lab.configure()
    await app.reload()
    expect(await boots(app, mac(1), uuid)).toBe('install')
  })
})

describe('a file of a guest that a profile made', () => {
  test('installs nothing at another server', async () => {
    const app = await lab.start()
    expect(await boots(app, mac(1), uuid)).toBe('install')
    const text = readFileSync(join(lab.home.path, 'guests.d/auto-525400000001.yaml'), 'utf8')
    await lab.stop()
    // Its own store in use, and the same definitions, as of one repository.
    lab.moveOn()
    const other = await lab.start()
    writeBelow(lab.home.path, 'guests.d/auto-525400000001.yaml', text)
    await other.reload()
    await eventually(() => expect(other.snapshot().guests.byName('auto-525400000001')).toBeDefined())
    expect(await boots(other, mac(1), uuid)).toContain('this store has no record of that')
  })
})

test('a path that names a UUID alone makes no guest, and leaves the machine to its next name', async () => {
  const app = await lab.start()
  expect(await asks(app, `/pxelinux.cfg/${uuid}`)).toMatch(/^404 /)
  expect(await boots(app, uuid)).toContain('what shall this machine boot')
  expect(lab.files()).toEqual([])
})

test('two requests at once with two UUIDs make one guest, and one of them gets the installer', async () => {
  const app = await lab.start()
  const both = await Promise.all([boots(app, mac(1), uuid), boots(app, mac(1), otherUuid)])
  expect(both.filter((each) => each === 'install')).toHaveLength(1)
  expect(lab.files()).toHaveLength(1)
})

test('a flood of strangers that pushes out what was seen of guests ends the installing', async () => {
  const app = await lab.start()
  for (let n = 0; n < 4100; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        boots(
          app,
          `02:00:00:00:${((n + i) >> 8).toString(16).padStart(2, '0')}:${((n + i) & 255).toString(16).padStart(2, '0')}`,
        ),
      ),
    )
  await eventually(async () =>
    expect(await boots(app, mac(1), uuid)).toContain('more than 4000 machines were seen'),
  )
  const problems = await (await fetch(`http://127.0.0.1:${portOf(app)}/api/v1/problems`)).text()
  expect(problems).toContain('make a machine a guest by hand: treeboot adopt MAC')
  expect(lab.files()).toEqual([])
}, 60_000)
