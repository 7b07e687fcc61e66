import { existsSync, mkdirSync, rmSync, symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadSnapshot } from '../../server/catalog/load-snapshot.ts'
import { ConfigError } from '../../server/config/problems.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** Everything wrong in one place, once. */
function home(): string {
  const cwd = temporaryFolder()
  writeBelow(
    cwd,
    'config.yaml',
    `profiles:
  web:
    tree: { distro: fedora, version: "41" }
    template: fedroa.ks
guests:
  web01: { mac: 52:54:00:aa:bb:01, profile: web }
  web02: { mac: 52:54:00:aa:bb:02, profile: web }
  db: { mac: 52:54:00:aa:bb:03, profile: web, tree: fedora-40, template: fedora.ks }
`,
  )
  writeBelow(cwd, 'kickstart-templates/fedora.ks', 'text\n')
  makeTree(join(cwd, 'trees/fedora-40'))
  makeTree(join(cwd, 'trees/fedora 39'), { version: '39', checksums: false })
  makeTree(join(cwd, 'trees/half'), { version: '38' })
  rmSync(join(cwd, 'trees/half/images/pxeboot/initrd.img'))
  return cwd
}

test('one look gives trees, guests, templates and everything that is wrong', async () => {
  const snapshot = await loadSnapshot({ cwd: home() })
  expect(snapshot.trees.all.map(({ id, state }) => [id, state])).toEqual([
    ['fedora 39', 'ready'],
    ['fedora-40', 'ready'],
    ['half', 'broken'],
  ])
  expect([...snapshot.templates.keys()]).toEqual(['fedora.ks'])
  expect(snapshot.guests.all.length).toBe(3)
  expect(snapshot.problems.map(({ severity, where }) => [severity, where])).toEqual([
    ['warning', 'trees/fedora 39'],
    ['warning', 'trees/fedora-40'],
    ['error', 'trees/half'],
    ['error', expect.stringMatching(/^config\.yaml:\d+/)],
    ['error', expect.stringMatching(/^config\.yaml:\d+/)],
  ])
  const [name, , missing, selector, template] = snapshot.problems
  expect(name?.message).toContain('a blank')
  expect(missing?.message).toContain('images/pxeboot/initrd.img is missing')
  expect(selector?.message).toContain('web01, web02')
  expect(selector?.remedy).toContain('fedora-40')
  expect(template).toMatchObject({
    message: expect.stringContaining('template fedroa.ks is missing'),
    remedy: "did you mean 'fedora.ks'?",
  })
})

test('a selector that two trees fit equally well is told once, with the one that is taken', async () => {
  const cwd = temporaryFolder()
  const lines = [
    'profiles:',
    '  f: { tree: { distro: fedora } }',
    '  s: { tree: { distro: fedora, version: "39" } }',
  ]
  const guests = ['a: { profile: f }', 'b: { profile: f }', 'c: { profile: s }', 'd: { tree: f40-b }']
  writeBelow(cwd, 'config.yaml', [...lines, 'guests:', ...guests.map((line) => `  ${line}`), ''].join('\n'))
  for (const id of ['f40-a', 'f40-b']) makeTree(join(cwd, 'trees', id), { checksums: false })
  // Another name of the same tree is no rival.
  symlinkSync('f40-b', join(cwd, 'trees/latest'))
  makeTree(join(cwd, 'trees/f39'), { version: '39', checksums: false })
  const ties = async () =>
    (await loadSnapshot({ cwd })).problems.filter(({ message }) => message.includes('equally well'))
  const now = Date.now() / 1000 - 3600
  for (const [id, age] of [
    ['f40-a', 60],
    ['f40-b', 0],
  ] as const)
    for (const file of [
      '.treeinfo',
      'images/pxeboot/vmlinuz',
      'images/pxeboot/initrd.img',
      'images/install.img',
    ])
      utimesSync(join(cwd, 'trees', id, file), now - age, now - age)
  expect(await ties()).toEqual([
    {
      severity: 'warning',
      where: 'config.yaml:2',
      message: expect.stringMatching(
        /: tree f40-b is taken because its files are newer; f40-a fits equally well \(asked for by guests a, b\)$/,
      ),
      remedy: 'to choose for good, write "tree: f40-b"',
    },
  ])
})

test('a tree whose digests were never checked is offered and says so, unless they are to be checked', async () => {
  const cwd = home()
  const snapshot = await loadSnapshot({ cwd })
  expect(snapshot.trees.select({ id: 'fedora-40' }).found).toBe(true)
  expect(snapshot.trees.byId('fedora-40')?.unverified).toHaveLength(3)
  const read: [number, number][] = []
  const onProgress = (...bytes: [number, number]) => read.push(bytes)
  const verified = await loadSnapshot({ cwd, verify: { onProgress } })
  expect(verified.trees.byId('fedora-40')).not.toHaveProperty('unverified')
  const [doneBytes, totalBytes] = read.at(-1) ?? []
  expect(doneBytes).toBeGreaterThan(0)
  expect(totalBytes).toBe(doneBytes)
})

test('a broken configuration is an error with all its problems', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guest: {}\nhttp: { port: 99999 }\n')
  const error = await loadSnapshot({ cwd }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as ConfigError).problems.length).toBe(2)
})

test('an empty home has no trees, and says which folders are missing', async () => {
  const cwd = temporaryFolder()
  const snapshot = await loadSnapshot({ cwd })
  expect(snapshot.trees.all).toEqual([])
  expect(snapshot.problems).toMatchObject([
    { where: join(cwd, 'kickstart-templates'), message: expect.stringContaining('templates') },
    { where: join(cwd, 'trees'), message: expect.stringContaining('trees') },
  ])
})

const netinst = 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27'

test('a tree that boots nothing is called a repository only where it is one', async () => {
  const cwd = temporaryFolder()
  const xcp = '[platform]\nname = XCP\nversion = 3.2.0\n[branding]\nname = XCP-ng\nversion = 8.2.0\n'
  writeBelow(cwd, 'trees/xcp/.treeinfo', xcp)
  for (const name of ['xen.gz', 'vmlinuz']) writeBelow(cwd, `trees/xcp/boot/${name}`, 'bytes')
  const { problems } = await loadSnapshot({ cwd })
  const told = problems.filter(({ where }) => where === 'trees/xcp')
  expect(told).toMatchObject([{ message: expect.stringContaining('its installer runs on Xen') }])
})

test('a disc of packages only, and the initrd of a disc, are problems that say so', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'trees/dvd2/.disk/info', netinst.replace('NETINST', 'DVD Binary-2'))
  writeBelow(cwd, 'trees/dvd2/pool/main/x/x.deb', 'a package')
  writeBelow(cwd, 'trees/netinst/.disk/info', netinst)
  for (const name of ['vmlinuz', 'initrd.gz']) writeBelow(cwd, `trees/netinst/install.amd/${name}`, 'bytes')
  const { problems } = await loadSnapshot({ cwd })
  const of = (id: string) => problems.find(({ where }) => where === `trees/${id}`)
  expect(of('dvd2')).toMatchObject({
    severity: 'warning',
    message: expect.stringContaining('packages only'),
  })
  expect(of('netinst')).toMatchObject({
    severity: 'warning',
    message: expect.stringMatching(/install\.amd\/initrd\.gz .*No common CD-ROM drive/),
    remedy: expect.stringContaining(
      '/dists/bookworm/main/installer-amd64/current/images/netboot/netboot.tar.gz',
    ),
  })
})

describe('digests that a command computed are kept', () => {
  /** How many bytes a command read. */
  async function bytesRead(cwd: string, cacheFolder?: string): Promise<number> {
    let read = 0
    const onProgress = (doneBytes: number): void => {
      read = doneBytes
    }
    await loadSnapshot({ cwd, verify: { onProgress }, ...(cacheFolder !== undefined && { cacheFolder }) })
    return read
  }

  test('in the folder of the user while there is no data folder, which no command makes', async () => {
    const cwd = home()
    const cache = join(temporaryFolder(), 'cache/treeboot')
    expect(await bytesRead(cwd, cache)).toBeGreaterThan(0)
    expect(existsSync(join(cwd, 'data'))).toBe(false)
    expect(await bytesRead(cwd, cache)).toBe(0)
    // A changed file is read, and another folder has its own files.
    writeBelow(cwd, 'trees/fedora 39/images/pxeboot/initrd.img', 'another initrd')
    expect(await bytesRead(cwd, cache)).toBeGreaterThan(0)
    expect(await bytesRead(cwd, cache)).toBe(0)
    expect(await bytesRead(home(), cache)).toBeGreaterThan(0)
    expect(await bytesRead(cwd, cache)).toBe(0)
  })

  test('in the data folder where it is there, and in that of the user where it may not be written', async () => {
    const cwd = home()
    const cache = join(temporaryFolder(), 'treeboot')
    mkdirSync(join(cwd, 'data'))
    await bytesRead(cwd, cache)
    expect(existsSync(cache)).toBe(false)
    expect(await bytesRead(cwd)).toBe(0)

    const other = home()
    // Nothing can be written below a file, by root neither.
    writeBelow(other, 'data', '')
    await bytesRead(other, cache)
    expect(await bytesRead(other, cache)).toBe(0)
  })

  test('a damaged file of the user is no problem, and is written anew', async () => {
    const cwd = home()
    const cache = temporaryFolder()
    writeBelow(cache, 'verified.json', 'damaged')
    const { problems } = await loadSnapshot({ cwd, verify: {}, cacheFolder: cache })
    expect(problems.filter(({ message }) => message.includes('verified.json'))).toEqual([])
    expect(await bytesRead(cwd, cache)).toBe(0)
  })
})
