import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Retry } from '../../server/intake/import/progress.ts'
import { AddressGuard } from '../../server/intake/mirror/address-guard.ts'
import { mirrorTree } from '../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { requireClient } from '../support/clients.ts'
import { freePort } from '../support/free-port.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { makeRepository, somePackages } from '../support/rpm-repository.ts'
import { startRsyncd } from '../support/rsyncd.ts'
import {
  imagesOfTree,
  makeTree,
  namesBelow,
  temporaryFolder,
  treeinfoText,
  writeBelow,
} from '../support/tree-folder.ts'

let rsync = ''
beforeEach(() => {
  rsync = requireClient('rsync')
})

function setUp() {
  const base = temporaryFolder()
  const upstream = join(base, 'upstream')
  const trees = join(base, 'trees')
  for (const folder of [upstream, trees]) mkdirSync(folder)
  const serve = (lines = {}) => startRsyncd(rsync, upstream, base, lines)
  return { base, upstream, trees, store: new VersionStore(trees), serve }
}

function expectSame(copy: string, original: string): void {
  expect(namesBelow(copy)).toEqual(namesBelow(original))
  for (const name of namesBelow(original)) {
    const [a, b] = [join(copy, name), join(original, name)]
    if (lstatSync(b).isSymbolicLink()) expect(readlinkSync(a), name).toBe(readlinkSync(b))
    else expect(readFileSync(a).equals(readFileSync(b)), name).toBe(true)
  }
}

test('while no daemon listens, each pause is told with what rsync said', async () => {
  const { store } = setUp()
  const told: Retry[] = []
  const mirroring = mirrorTree(store, [`rsync://127.0.0.1:${await freePort()}/m/`], {
    fetching: { pause: async () => undefined, chance: () => 1 },
    onRetry: (retry) => told.push(retry),
  })
  await expect(mirroring).rejects.toThrow(/Connection refused/)
  expect(told.map(({ waitMs }) => waitMs)).toEqual([500, 1000, 2000, 4000, 8000])
  for (const { why } of told) expect(why).toMatch(/Connection refused/)
})

test('a tree is mirrored without links that lead out; unchanged files are hard links, and an unchanged upstream publishes nothing', async () => {
  const { upstream, trees, store, serve } = setUp()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(30))
  symlinkSync('images/pxeboot', join(upstream, 'f/boot'))
  const { url, log } = await serve()
  const mirror = () => mirrorTree(store, [`${url}f`])
  const { trees: found } = await mirror()
  const id = 'fedora-40-server-x86_64'
  expect(found).toMatchObject([{ id, result: { outcome: 'published', findings: [] } }])
  expectSame(join(trees, id), join(upstream, 'f'))

  symlinkSync('/etc/passwd', join(upstream, 'f/out'))
  expect((await mirror()).unchanged).toBe(true)
  expect(await store.versions(id)).toHaveLength(1)
  rmSync(join(upstream, 'f/out'))
  // As text both stay inside, but `here/..` is the folder above the tree.
  symlinkSync('.', join(upstream, 'f/here'))
  symlinkSync('here/..', join(upstream, 'f/above'))
  await mirror()
  expect(namesBelow(join(trees, id))).toContain('here')
  expect(namesBelow(join(trees, id))).not.toContain('above')
  rmSync(join(upstream, 'f/above'))
  rmSync(join(upstream, 'f/here'))

  await mirror()
  makeRepository(join(upstream, 'f'), somePackages(31))
  // rsync compares times in whole seconds, and repomd.xml has the same size as before.
  const later = new Date(Date.now() + 5000)
  for (const name of readdirSync(join(upstream, 'f/repodata')))
    utimesSync(join(upstream, 'f/repodata', name), later, later)
  const before = log().length
  expect((await mirror()).unchanged).toBe(false)
  const sent = log()
    .slice(before)
    .split('\n')
    .filter((line) => line.includes(' send '))
  expect(sent.filter((line) => line.includes('f/Packages/p/p30-'))).toHaveLength(1)
  const inode = (version: number) =>
    statSync(join(trees, '.treeboot/versions', id, String(version), 'images/install.img')).ino
  expect(inode(4)).toBe(inode(1))
  expectSame(join(trees, id), join(upstream, 'f'))
})

test('repositories beside the tree are mirrored, and a missing one is noted', async () => {
  const { upstream, trees, store, serve } = setUp()
  const variant = (name: string) =>
    `\n[variant-${name}]\nid = ${name}\nuid = ${name}\nname = ${name}\ntype = variant\nrepository = ../../../${name}/x86_64/os\n`
  makeTree(join(upstream, '9/BaseOS/x86_64/os'), {
    family: 'AlmaLinux',
    version: '9.4',
    extra: variant('AppStream') + variant('CRB'),
  })
  makeRepository(join(upstream, '9/BaseOS/x86_64/os'), somePackages(3))
  makeRepository(join(upstream, '9/AppStream/x86_64/os'), somePackages(4, 'q'))
  writeBelow(upstream, '9/isos/x86_64/big.iso', 'not asked for')
  const { url } = await serve()
  const { trees: found, notes } = await mirrorTree(store, [`${url}9/BaseOS/x86_64/os/`], { id: 'alma' })
  expect(found[0]?.result.outcome).toBe('published')
  expect(notes).toEqual([expect.stringMatching(/^\.\.\/\.\.\/\.\.\/CRB\/x86_64\/os is left out/)])
  for (const name of ['BaseOS', 'AppStream']) expectSame(join(trees, 'alma', name), join(upstream, '9', name))
  expect(existsSync(join(trees, 'alma/isos'))).toBe(false)
})

test('a URL of an ISO imports its content', async () => {
  const { upstream, trees, store, serve } = setUp()
  writeFileSync(
    join(upstream, 'f.iso'),
    writeIso({ files: { '.treeinfo': treeinfoText(), ...imagesOfTree() } }).bytes,
  )
  const { url } = await serve()
  const { trees: found } = await mirrorTree(store, [`${url}f.iso`], { id: 'f', unpack: true })
  expect(found[0]?.result.outcome).toBe('published')
  expect(namesBelow(join(trees, 'f'))).toEqual(['.treeinfo', ...Object.keys(imagesOfTree())].sort())
  expect(readdirSync(join(trees, '.treeboot'))).toEqual(['versions'])
})

test('a mirror that is killed is resumed: the same bytes, no file is sent twice, and half a tree is never visible', async () => {
  const { upstream, trees, serve } = setUp()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(50))
  // Large enough that rsync is at it for a while; its bytes differ, or they would be sent as one.
  const large = Buffer.alloc(24 << 20)
  for (let at = 0; at < large.length; at += 8) large.writeDoubleLE(Math.sin(at), at)
  for (let n = 0; n < 6; n++) writeBelow(upstream, `f/images/large${n}.img`, large)
  const { url, log } = await serve()
  const published = join(trees, 'fedora')
  const run = async (kill?: 'SIGKILL') => {
    const child: ChildProcess = fork(
      join(import.meta.dirname, '../support/mirror-child.ts'),
      [trees, `${url}f/`, 'fedora'],
      {
        execArgv: ['--import', 'tsx'],
        stdio: 'ignore',
      },
    )
    const ended = once(child, 'exit')
    if (kill)
      void whenThere(join(trees, '.treeboot/incoming'), 'images/large2.img', child).then(() =>
        child.kill(kill),
      )
    const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null]
    return { code, signal }
  }
  expect((await run('SIGKILL')).signal).toBe('SIGKILL')
  expect(existsSync(published)).toBe(false)
  const before = log().length
  expect((await run()).code).toBe(0)
  const again = log().slice(before)
  expect(again).not.toMatch(/ send .*large0\.img/)
  expect(again).toMatch(/ send .*large5\.img/)
  expectSame(published, join(upstream, 'f'))
  expect(readdirSync(join(trees, '.treeboot'))).toEqual(['versions'])
})

/** Resolves when a file of this name appears somewhere below a folder, or the process has ended. */
async function whenThere(folder: string, name: string, child: ChildProcess): Promise<void> {
  while (
    child.exitCode === null &&
    !(existsSync(folder) && namesBelow(folder).some((each) => each.endsWith(name)))
  )
    await new Promise((resolve) => setTimeout(resolve, 5))
}

test('a busy daemon is retried, or another mirror is asked; a lasting failure is reported at once', async () => {
  const { upstream, store, serve } = setUp()
  makeTree(join(upstream, 'f'))
  // With a negative number rsyncd refuses every connection, in the words of a busy one.
  const { url: full } = await serve({ 'max connections': '-1' })
  const { url } = await serve()
  const pauses: number[] = []
  // With a chance of 1 no pause is shortened.
  const fetching = { pause: async (ms: number) => void pauses.push(ms), chance: () => 1 }
  await expect(mirrorTree(store, [`${full}f/`], { fetching })).rejects.toThrow(
    /ended with code 5: @ERROR: max connections \(-1\) reached/,
  )
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000])
  const { trees: found } = await mirrorTree(store, [`${full}f/`, `${url}f/`], { fetching })
  expect(found[0]?.result.outcome).toBe('published')
  await expect(mirrorTree(store, [url.replace('/pub/', '/nothing/')], { fetching })).rejects.toThrow(
    "@ERROR: Unknown module 'nothing'",
  )
  await expect(mirrorTree(store, [`${url}nothing/`], { fetching })).rejects.toThrow(
    `there is no ${url}nothing/`,
  )
  await expect(mirrorTree(store, [`${url}f/`], { bootOnly: true })).rejects.toThrow(
    'no installer fetches them by rsync',
  )
  await expect(mirrorTree(store, [`${url}f/`, 'http://127.0.0.1/'])).rejects.toThrow('expected rsync://')
})

test('without the program rsync one line names it and its package', () => {
  const { base } = setUp()
  const config = join(base, 'config.yaml')
  writeFileSync(config, 'paths: { trees: trees }\n')
  const root = join(import.meta.dirname, '../..')
  const main = join(root, 'server/main.ts')
  const args = ['--import', 'tsx', main, 'mirror', '-c', config, 'rsync://127.0.0.1:1/pub/f/']
  const { status, stderr, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { PATH: '/nonexistent' },
    encoding: 'utf8',
  })
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^[^\n]*needs the program rsync, which is not installed \(package rsync\)[^\n]*\n$/)
})

/** Passes the bytes of a server on at so many a second, until the test ends. */
async function throttled(port: number, bytesPerSecond: number): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1').on('error', () => client.destroy())
    client.on('error', () => upstream.destroy()).pipe(upstream)
    upstream.on('data', (bytes) => {
      client.write(bytes)
      upstream.pause()
      setTimeout(() => upstream.resume(), (bytes.length / bytesPerSecond) * 1000)
    })
    upstream.on('end', () => client.end())
    client.on('close', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

test('a mirror stops when the disk has no more than limits.min-free, and goes on when it has', async () => {
  const { upstream, trees, store, serve } = setUp()
  makeTree(join(upstream, 'f'))
  writeFileSync(join(upstream, 'f/large.rpm'), randomBytes(48 << 20))
  const { url } = await serve()
  // Slow enough for several looks at the disk.
  const port = await throttled(Number(new URL(url.replace(/^rsync/, 'http')).port), 16 << 20)
  const { bavail, bsize } = statfsSync(trees)
  const minFree = bavail * bsize - (8 << 20)
  const mirror = (from: string, keep: number) => mirrorTree(store, [from], { id: 'f', minFree: keep })
  await expect(mirror(`rsync://127.0.0.1:${port}/pub/f/`, minFree)).rejects.toMatchObject({
    kind: 'too-large',
    message: expect.stringMatching(/rsync of .* was stopped: .*limits\.min-free/),
  })
  expect(existsSync(join(trees, 'f'))).toBe(false)
  await mirror(`${url}f/`, 0)
  expectSame(join(trees, 'f'), join(upstream, 'f'))
})

test('for a client of the API goes to the address that was checked, and only where it may', async () => {
  const { upstream, store, serve } = setUp()
  makeTree(join(upstream, 'os'))
  const { url, log } = await serve()
  // The daemon listens at one of the addresses that this name may have.
  const named = `${url.replace('127.0.0.1', 'localhost')}os/`
  const fetch = (listed: string[]) =>
    mirrorTree(store, [named], {
      id: 'x',
      guard: new AddressGuard(listed),
      fetching: { pause: async () => undefined },
    })
  await expect(fetch([])).rejects.toMatchObject({ kind: 'forbidden' })
  await expect(fetch([`${url}os/`])).rejects.toMatchObject({ kind: 'forbidden' })
  expect(log()).not.toContain('connect from')
  expect((await fetch([named])).trees[0]?.result.outcome).toBe('published')
})
