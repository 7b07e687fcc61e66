import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { exitCodes } from '../server/cli/output/io.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/** What unknown machines get whose profile is chosen by what they show. They ask as loaders do. */

const folder = keptFolder()
let app: App

const profiles: Readonly<Record<string, string>> = {
  lab: 'match: { mac-prefix: "52:54:00:01" }\ntree: fedora-41\nargs: [console=ttyS0]\ntemplate: web.ks\n',
  keep: 'match: [{ mac-prefix: "52:54:00:02" }, { serial: Keep1 }]\nauto: local\n',
  // As particular as each other for machines of 52:54:00:03.
  one: 'match: { mac-prefix: "52:54:00:03" }\nauto: local\n',
  two: 'match: { mac-prefix: "52:54:00:03" }\n',
  acme: 'match: { vendor: acme }\nauto: local\n',
}

beforeAll(async () => {
  for (const version of ['40', '41'])
    makeTree(join(folder.path, `trees/fedora-${version}`), { version, checksums: false })
  writeBelow(folder.path, 'config.yaml', httpOnly)
  writeBelow(folder.path, 'kickstart-templates/web.ks', '{{ tree.id }}\n')
  for (const [name, text] of Object.entries(profiles))
    writeBelow(folder.path, `profiles.d/${name}.yaml`, text)
  app = testApp(folder.path)
  await app.start()
  await eventually(() => {
    for (const { state } of app.snapshot().trees.all) expect(state).toBe('ready')
    expect(app.snapshot().trees.all).toHaveLength(2)
  }, 15_000)
}, 30_000)

afterAll(async () => {
  await app.stop()
  folder.remove()
})

async function ask(path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${portOf(app)}${path}`)
  return { status: response.status, text: await response.text() }
}

/** What iPXE sends of a board to which its maker gave no UUID. */
const board = '03000200-0400-0500-0006-000700080009'
const treeboot = (...args: string[]) => treebootIn(folder.path, ...args)
const problems = async (): Promise<string> => (await ask('/api/v1/problems')).text

describe('a profile with auto: menu', () => {
  test('puts its tree first, with its arguments and no answer file, before the others', async () => {
    const { text } = await ask('/pxelinux.cfg/01-52-54-00-01-00-01')
    const labels = [...text.matchAll(/^ *MENU LABEL (.*)$/gm)].map(([, label]) => label)
    expect(labels.filter((label) => label?.includes('fedora'))).toEqual([
      expect.stringMatching(/^.*lab: .*fedora-41/),
      expect.stringContaining('fedora-40'),
    ])
    const appends = [...text.matchAll(/^ *APPEND (.*)$/gm)].map(([, args]) => args ?? '')
    expect(appends[0]).toContain('console=ttyS0')
    expect(appends[1]).not.toContain('console=ttyS0')
    expect(text).not.toContain('inst.ks=')
    // The menu that other machines share is not this one, in whatever order they ask.
    expect((await ask('/pxelinux.cfg/default')).text).not.toContain('lab: ')
    expect((await ask('/pxelinux.cfg/01-52-54-00-01-00-02')).text).toContain('lab: ')
  })

  test('makes no guest, and machines that no profile selects get what they got', async () => {
    expect(app.snapshot().guests.all).toEqual([])
    expect((await ask('/pxelinux.cfg/01-52-54-00-09-00-01')).status).toBe(404)
    expect((await ask('/boot/by/52-54-00-09-00-01/grub.cfg')).text).not.toContain('lab: ')
    expect((await ask('/boot/by/52-54-00-01-00-01/grub.cfg')).text).toContain('lab: ')
  })
})

describe('a profile with auto: local', () => {
  test('has its machines boot their own disk, by a MAC or by a serial number that iPXE shows', async () => {
    const disk = 'profile keep has '
    expect((await ask('/pxelinux.cfg/01-52-54-00-02-00-01')).text).toContain(
      `${disk}mac-prefix 52:54:00:02 boot`,
    )
    expect((await ask('/boot/by/52-54-00-09-00-02/grub.cfg')).text).not.toContain(disk)
    // The serial number is more particular than the MAC by which `lab` selects.
    const own = (serial: string) => ask(`/boot/by/52-54-00-01-00-03/${board}/ipxe?serial=${serial}`)
    expect((await own('KEEP1')).text).toContain(`${disk}serial keep1`)
    expect((await own('')).text).toContain('lab: ')
  })

  test('selects by the maker that iPXE shows', async () => {
    const { text } = await ask(`/boot/by/52-54-00-09-00-03/${board}/ipxe?serial=&vendor=Acme%20Inc.`)
    expect(text).toContain('profile acme has vendor acme')
  })
})

describe('two profiles as particular as each other', () => {
  test('give a machine neither, and a problem names both and the machine until one of them goes', async () => {
    expect((await ask('/pxelinux.cfg/01-52-54-00-03-00-01')).status).toBe(404)
    expect((await ask('/boot/by/52-54-00-03-00-02/grub.cfg')).text).toContain('fedora-40')
    await eventually(async () => {
      const shown = await problems()
      expect(shown).toContain('profiles one and two select the same machine by mac-prefix')
      expect(shown).toContain('52:54:00:03:00:01, 52:54:00:03:00:02')
      expect(shown).toContain('profiles.d/one.yaml:1')
    })
    rmSync(join(folder.path, 'profiles.d/two.yaml'))
    await eventually(async () =>
      expect((await ask('/pxelinux.cfg/01-52-54-00-03-00-01')).text).toContain('profile one has'),
    )
    expect(await problems()).not.toContain('select the same machine')
  })
})

describe('people see', () => {
  test('in the inbox and by explain which profile a machine gets, and by which keys', async () => {
    await ask('/pxelinux.cfg/01-52-54-00-01-00-07')
    await eventually(async () => {
      const { items } = JSON.parse((await ask('/api/v1/inbox?q=52:54:00:01:00:07')).text)
      expect(items).toMatchObject([{ profile: 'lab', selected: 'lab (menu) by mac-prefix 52:54:00:01' }])
    })
    expect((await treeboot('inbox')).out).toMatch(
      /^52:54:00:01:00:07 .* lab \(menu\) by mac-prefix 52:54:00:01$/m,
    )
    const { code, out } = await treeboot('explain', '52:54:00:01:00:07')
    expect(code).toBe(exitCodes.notFound)
    expect(out).toMatch(
      /^profile +lab +<- selects it by mac-prefix 52:54:00:01, defined at profiles\.d\/lab\.yaml:1; another may, when it shows its serial$/m,
    )
    expect(out).toMatch(/^plan +menu of 2 trees +<- auto: menu of profile lab$/m)
  })

  test('in the list of profiles which machines each selects', async () => {
    const { out } = await treeboot('profiles')
    expect(out).toMatch(
      /^keep +- +0 +local: mac-prefix 52:54:00:02 \| serial keep1 +profiles\.d\/keep\.yaml:1$/m,
    )
    const { items } = JSON.parse((await ask('/api/v1/profiles')).text)
    expect(items).toContainEqual(
      expect.objectContaining({ name: 'acme', selects: { auto: 'local', machines: 'vendor acme' } }),
    )
  })
})

test('a profile that goes selects no machine any more', async () => {
  rmSync(join(folder.path, 'profiles.d/lab.yaml'))
  await eventually(async () => expect((await ask('/pxelinux.cfg/01-52-54-00-01-00-01')).status).toBe(404))
})
