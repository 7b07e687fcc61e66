import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diskSource } from '../../../server/files/disk.ts'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { faultyServer } from '../../support/faulty-server.ts'
import { openFtp } from '../../support/ftp.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const files: Record<string, string> = {
  '.disk/info': 'Debian GNU/Linux 13.1.0 "Trixie" - Official amd64 NETINST with firmware 20250906-10:22',
  'dists/trixie/Release': 'release',
  'dists/trixie/main/binary-amd64/Packages': 'packages',
  // One name, size and time, and other bytes: no twins.
  'dists/trixie/main/debian-installer/binary-amd64/Release': 'Architecture: amd64',
  'dists/trixie/main/debian-installer/binary-arm64/Release': 'Architecture: arm64',
  'install.amd/vmlinuz': 'the kernel',
  'install.amd/initrd.gz': 'i'.repeat(100_000),
  'pool/main/a/a_1_amd64.deb': 'a.deb',
}

/** A medium with links to itself, all of whose files have one time. */
function medium(links: Record<string, string> = {}): string {
  const upstream = temporaryFolder()
  for (const [path, text] of Object.entries(files)) writeBelow(upstream, `d/${path}`, text)
  for (const path of Object.keys(files)) utimesSync(join(upstream, 'd', path), 1_700_000_000, 1_700_000_000)
  const all = { debian: '.', 'dists/stable': 'trixie', 'pool/up': '..', ...links }
  for (const [path, target] of Object.entries(all)) symlinkSync(target, join(upstream, 'd', path))
  return upstream
}

/** Every path below a folder: the target of a symlink, or the bytes of a file. */
function shape(folder: string, below = ''): Record<string, string> {
  const found = readdirSync(join(folder, below)).map((name): Record<string, string> => {
    const path = join(below, name)
    const stats = lstatSync(join(folder, path))
    if (stats.isSymbolicLink()) return { [path]: `-> ${readlinkSync(join(folder, path))}` }
    return stats.isDirectory() ? shape(folder, path) : { [path]: readFileSync(join(folder, path), 'utf8') }
  })
  return Object.assign({}, ...found)
}

async function mirrored(url: string) {
  const trees = temporaryFolder()
  const store = new VersionStore(trees)
  const mirror = () =>
    mirrorTree(store, [`${url}/d/`], { id: 'd', fetching: { pause: async () => undefined } })
  const { notes } = await mirror()
  return { notes, mirror, shape: () => shape(join(trees, 'd')) }
}

const asLinks = { ...files, debian: '-> .', 'dists/stable': '-> trixie', 'pool/up': '-> ..' }
/** Which of two paths is the link, nobody can tell who sees both as folders: it is the one that was listed later. */
const seenAsFolders = () => {
  const inStable = Object.entries(asLinks).map(([path, text]) => [
    path.replace('dists/trixie', 'dists/stable'),
    text,
  ])
  return { ...Object.fromEntries(inStable), 'dists/stable': undefined, 'dists/trixie': '-> stable' }
}

describe('a medium with links to itself is stored with each file once', () => {
  test('from a web server, which follows links', async () => {
    const upstream = medium()
    const server = await faultyServer(upstream)
    const found = await mirrored(server.url)
    expect(found.notes).toEqual([])
    const { 'dists/stable': _, ...expected } = seenAsFolders()
    expect(found.shape()).toEqual(expected)
    // The large file is fetched once. Of its twins only the end is asked for.
    const large = server.requests.filter((line) => line.endsWith('initrd.gz'))
    expect(large).toEqual(['GET /d/install.amd/initrd.gz'])
    expect(server.requests.filter((line) => / bytes=\d+-$/.test(line)).length).toBeGreaterThan(0)
    expect((await found.mirror()).unchanged).toBe(true)
  })

  test('from an FTP server that lists links', async () => {
    const { port } = await openFtp({ source: diskSource(medium(), { showLinks: true }) })
    const found = await mirrored(`ftp://127.0.0.1:${port}`)
    expect(found.notes).toEqual([])
    expect(found.shape()).toEqual(asLinks)
    expect((await found.mirror()).unchanged).toBe(true)
  })

  test('from an FTP server that follows them', async () => {
    const { port } = await openFtp({ source: diskSource(medium()) })
    const { 'dists/stable': _, ...expected } = seenAsFolders()
    expect((await mirrored(`ftp://127.0.0.1:${port}`)).shape()).toEqual(expected)
  })
})

test('a name that is listed and not there makes no folder of its own from a link', async () => {
  const upstream = medium({ 'dists/nothing': 'nowhere', nothing: 'nowhere' })
  writeBelow(upstream, 'd/closed/file', 'nobody reads it')
  const answers = ['/nothing', '/dists/nothing', '/closed/']
  for (const status of [404, 410]) {
    const server = await faultyServer(upstream)
    server.faultOf = (path) =>
      answers.some((end) => path.endsWith(end)) ? { kind: 'status', status } : undefined
    const found = await mirrored(server.url)
    const { 'dists/stable': _, ...expected } = seenAsFolders()
    expect(found.shape()).toEqual(expected)
    // Several files are fetched at once, and whichever reply comes first is noted first.
    expect(found.notes.map((note) => note.split(' ')[0]).sort()).toEqual([
      'closed/',
      'dists/nothing',
      'nothing',
    ])
  }
})

test('a folder with a file that the original lacks is fetched as it is', async () => {
  const upstream = medium()
  const server = await faultyServer(upstream)
  // Gone under its first path alone.
  server.faultOf = (path) => (path === '/d/install.amd/vmlinuz' ? { kind: 'status', status: 404 } : undefined)
  const found = await mirrored(server.url)
  const kernels = Object.keys(found.shape()).filter((path) => path.endsWith('install.amd/vmlinuz'))
  expect(kernels).toEqual(['pool/up/install.amd/vmlinuz'])
})

test('a folder that only looks like another is fetched as it is, wherever they differ', async () => {
  for (const path of ['install.amd/initrd.gz', 'dists/trixie/Release']) {
    const upstream = medium()
    rmSync(join(upstream, 'd/debian'))
    rmSync(join(upstream, 'd/pool/up'))
    mkdirSync(join(upstream, 'd/debian'))
    // A copy of the medium in itself, with the same link and one other byte.
    for (const [each, text] of Object.entries(files)) {
      writeBelow(upstream, `d/debian/${each}`, each === path ? text.replace(/.$/, '#') : text)
      utimesSync(join(upstream, 'd/debian', each), 1_700_000_000, 1_700_000_000)
    }
    symlinkSync('trixie', join(upstream, 'd/debian/dists/stable'))
    symlinkSync('.', join(upstream, 'd/debian/debian'))
    const found = (await mirrored((await faultyServer(upstream)).url)).shape()
    const real = Object.keys(found).find((each) => each.startsWith('debian/') && found[each]?.endsWith('#'))
    expect(real, path).toBe(`debian/${path.replace('dists/trixie', 'dists/stable')}`)
    expect(Object.values(found).filter((text) => text === files[path]).length, path).toBeGreaterThan(0)
  }
})

test('a link that leads out of the tree is left out, with a note', async () => {
  const upstream = medium({
    out: '../other',
    far: '/etc',
    'pool/round': '../../d/pool',
    inside: '/d/install.amd',
  })
  writeBelow(upstream, 'other/secret', 'secret')
  // This source shows no link that leads out of its root, so the root is the folder above.
  const { port } = await openFtp({ source: diskSource(upstream, { showLinks: true }) })
  const found = await mirrored(`ftp://127.0.0.1:${port}`)
  expect(found.shape()).toEqual(asLinks)
  expect(found.notes.toSorted()).toEqual([
    'out is left out: its link to ../other leads out of the tree',
    'pool/round is left out: its link to ../../d/pool leads out of the tree',
  ])
})

test('links that the upstream no longer has are gone, and a link in the place of a folder is made', async () => {
  const upstream = medium()
  const { port } = await openFtp({ source: diskSource(upstream, { showLinks: true }) })
  const found = await mirrored(`ftp://127.0.0.1:${port}`)
  rmSync(join(upstream, 'd/debian'))
  rmSync(join(upstream, 'd/install.amd'), { recursive: true })
  writeBelow(upstream, 'd/install/vmlinuz', 'the kernel')
  writeBelow(upstream, 'd/install/initrd.gz', 'initrd')
  symlinkSync('install', join(upstream, 'd/install.amd'))
  const { trees } = await found.mirror()
  expect(trees[0]?.result.outcome).toBe('published')
  const after = found.shape()
  expect(after).not.toHaveProperty('debian')
  expect(after).toMatchObject({ 'install.amd': '-> install', 'install/vmlinuz': 'the kernel' })
  expect((await found.mirror()).unchanged).toBe(true)
})
