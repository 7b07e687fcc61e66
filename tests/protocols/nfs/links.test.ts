import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskSource } from '../../../server/files/disk.ts'
import { openListener, statusOf, tempFolder } from './support.ts'

const [noEntry, notDirectory, invalid, stale] = [2, 20, 22, 70]
/** `ftype3` of RFC 1813 section 2.6. */
const [file, folder, link] = [1, 2, 5]

async function serveLinks() {
  const root = await tempFolder()
  mkdirSync(join(root, 'tree/dists/bookworm'), { recursive: true })
  writeFileSync(join(root, 'tree/dists/bookworm/Release'), 'release')
  symlinkSync('.', join(root, 'tree/debian'))
  symlinkSync('bookworm', join(root, 'tree/dists/stable'))
  symlinkSync('dists/bookworm/Release', join(root, 'tree/Release'))
  symlinkSync('/etc', join(root, 'tree/out'))
  const dataFolder = await tempFolder()
  const open = () => openListener({ source: diskSource(root, { showLinks: true }), dataFolder })
  return { root, open, ...(await open()) }
}

test('a symlink is a file of its own type, with its target, and a client must resolve it', async () => {
  const { tcp } = await serveLinks()
  for (const [path, target] of [
    ['/tree/debian', '.'],
    ['/tree/dists/stable', 'bookworm'],
    ['/tree/Release', 'dists/bookworm/Release'],
  ] as const) {
    const handle = await tcp.walk(path)
    expect(await tcp.getattr(handle)).toMatchObject({ type: link, mode: 0o777, size: target.length })
    expect(await tcp.readlink(handle)).toBe(target)
    // U-Boot sends READ first, and READLINK after this status.
    expect(await statusOf(tcp.read(handle, 0, 10))).toBe(invalid)
    expect(await statusOf(tcp.lookup(handle, 'x'))).toBe(notDirectory)
    expect(await statusOf(tcp.readdir(handle, 0n, 0n, 4096))).toBe(notDirectory)
  }
  expect(await statusOf(tcp.walk('/tree/out'))).toBe(noEntry)
})

test('READDIR and READDIRPLUS show what LOOKUP finds', async () => {
  const { tcp } = await serveLinks()
  const tree = await tcp.walk('/tree')
  const plain = await tcp.readdir(tree, 0n, 0n, 4096)
  const plus = await tcp.readdirplus(tree, 0n, 0n, { dirCount: 4096, maxCount: 32_768 })
  const names = ['.', '..', 'Release', 'debian', 'dists']
  for (const { entries } of [plain, plus]) expect(entries.map(({ name }) => name).sort()).toEqual(names)
  for (const name of names.slice(2)) {
    const found = await tcp.lookup(tree, name)
    const listed = plus.entries.find((each) => each.name === name)
    expect(listed, name).toMatchObject({ handle: found.handle, attributes: found.attributes })
    for (const { entries } of [plain, plus])
      expect(entries.find((each) => each.name === name)?.fileid, name).toBe(found.attributes?.fileid)
  }
})

test('a path through a symlink can be mounted, and its folder is a folder with a parent', async () => {
  const { tcp } = await serveLinks()
  for (const path of ['/tree/debian', '/tree/debian/dists/stable']) {
    const root = await tcp.mount(path)
    expect(await tcp.getattr(root)).toMatchObject({ type: folder })
    expect((await tcp.lookup(root, '.')).handle).toEqual(root)
  }
  const suite = await tcp.mount('/tree/debian/dists/stable')
  expect(await tcp.getattr((await tcp.lookup(suite, 'Release')).handle)).toMatchObject({ type: file })
  const below = await tcp.mount('/tree/debian/dists')
  const { handle: parent, attributes } = await tcp.lookup(below, '..')
  expect(attributes).toMatchObject({ type: folder })
  expect(await tcp.getattr((await tcp.lookup(parent, 'dists')).handle)).toMatchObject({ type: folder })
})

test('a handle stays what it was: a folder that becomes a link, and a link that becomes a folder', async () => {
  const { root, tcp, open } = await serveLinks()
  const [suite, stable] = [await tcp.walk('/tree/dists/bookworm'), await tcp.walk('/tree/dists/stable')]
  const ids = [await tcp.getattr(suite), await tcp.getattr(stable)].map(({ fileid }) => fileid)
  // The folder is moved, and a link to its new place left behind.
  mkdirSync(join(root, 'tree/dists/trixie'))
  writeFileSync(join(root, 'tree/dists/trixie/Release'), 'newer')
  rmSync(join(root, 'tree/dists/bookworm'), { recursive: true })
  symlinkSync('trixie', join(root, 'tree/dists/bookworm'))
  rmSync(join(root, 'tree/dists/stable'))
  mkdirSync(join(root, 'tree/dists/stable'))
  // After a restart, too.
  for (const client of [tcp, (await open()).tcp]) {
    expect(await client.getattr(suite)).toMatchObject({ type: folder, fileid: ids[0] })
    expect((await client.readAll((await client.lookup(suite, 'Release')).handle)).toString()).toBe('newer')
    const now = await client.getattr(await client.walk('/tree/dists/bookworm'))
    expect(now.type).toBe(link)
    expect(ids).not.toContain(now.fileid)
    // A client then looks the name up again, and finds the folder.
    expect(await statusOf(client.getattr(stable))).toBe(stale)
    expect((await client.getattr(await client.walk('/tree/dists/stable'))).type).toBe(folder)
  }
})

test('a symlink with a long path keeps its handle, and another target is another version of it', async () => {
  const { root, tcp, open } = await serveLinks()
  const name = 'a-name-that-is-too-long-for-a-handle'.repeat(3)
  symlinkSync('debian', join(root, 'tree', name))
  const handle = await tcp.walk(`/tree/${name}`)
  const before = await tcp.getattr(handle)
  rmSync(join(root, 'tree', name))
  symlinkSync('dists/', join(root, 'tree', name))
  const again = (await open()).tcp
  expect(await again.readlink(handle)).toBe('dists/')
  const after = await again.getattr(handle)
  expect(after).toMatchObject({ type: link, fileid: before.fileid })
  expect([after.ctime, after.size]).not.toEqual([before.ctime, before.size])
})
