import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { diskSource, entryOfFile } from '../../server/files/disk.ts'
import { cleanPath, rootPath } from '../../server/files/path.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { names, stat } from '../support/sources.ts'

describe('diskSource', () => {
  let base: string
  let root: string
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'treeboot-disk-'))
    root = join(base, 'root')
    await mkdir(root)
  })
  afterEach(() => rm(base, { recursive: true }))

  test('a changed file is seen at once, and an unchanged one keeps its entry object', async () => {
    const source = diskSource(root)
    await writeFile(join(root, 'a'), 'one')
    const first = await stat(source, '/a')
    expect(await stat(source, '/a')).toBe(first)
    await writeFile(join(root, 'a.new'), 'two')
    await rename(join(root, 'a.new'), join(root, 'a'))
    const second = await stat(source, '/a')
    expect(second?.etag).not.toBe(first?.etag)
    expect((await contentOf(second)).toString()).toBe('two')
    await rm(join(root, 'a'))
    expect(await stat(source, '/a')).toBeUndefined()
  })

  test('simultaneous lookups share one result, and the next one reads again', async () => {
    const source = diskSource(root)
    await writeFile(join(root, 'a'), 'one')
    const [first, second] = [stat(source, '/a'), stat(source, '/a')]
    expect(await first).toBe(await second)
    await rm(join(root, 'a'))
    expect(await stat(source, '/a')).toBeUndefined()
  })

  test('an entry opens its version of the file or fails', async () => {
    const source = diskSource(root)
    await writeFile(join(root, 'a'), 'one')
    const entry = await stat(source, '/a')
    const file = await entry?.open()
    await writeFile(join(root, 'a.new'), 'two')
    await rename(join(root, 'a.new'), join(root, 'a'))
    const bytes = Buffer.alloc(3)
    await file?.read(bytes, 0, 3, 0)
    await file?.close()
    expect(bytes.toString()).toBe('one')
    await expect(entry?.open()).rejects.toMatchObject({ name: 'Failure', kind: 'conflict' })
    await rm(join(root, 'a'))
    execFileSync('mkfifo', [join(root, 'a')])
    await expect(entry?.open()).rejects.toMatchObject({ kind: 'conflict' })
  })

  test('a file that was closed, or refused, keeps no descriptor', async () => {
    const source = diskSource(root)
    await writeFile(join(root, 'a'), 'one')
    const entry = await stat(source, '/a')
    const descriptors = async () => (await readdir('/proc/self/fd')).length
    const before = await descriptors()
    const files = await Promise.all(Array.from({ length: 20 }, () => entry?.open()))
    for (const file of files) await file?.close()
    await writeFile(join(root, 'a'), 'longer')
    for (let i = 0; i < 20; i++) await expect(entry?.open()).rejects.toMatchObject({ kind: 'conflict' })
    await expect.poll(descriptors).toBeLessThanOrEqual(before)
  })

  test('sockets, pipes and names that no client can request are not found', async () => {
    const source = diskSource(root)
    execFileSync('mkfifo', [join(root, 'pipe')])
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve))
    await writeFile(join(root, 'line\nbreak'), 'x')
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), 'no UTF-8')
    await writeFile(join(root, 'file'), 'x')
    expect((await source.list(rootPath, anyone))?.map((entry) => entry.name)).toEqual(['file'])
    expect(await stat(source, '/pipe')).toBeUndefined()
    expect(await stat(source, '/socket')).toBeUndefined()
    await new Promise((resolve) => server.close(resolve))
  })

  test('symlinks may lead below the root, or below a wider folder that is allowed', async () => {
    await mkdir(join(base, 'other'))
    await writeFile(join(base, 'other/file'), 'other')
    await writeFile(join(root, 'file'), 'own')
    await symlink('../other', join(root, 'out'))
    await symlink('file', join(root, 'in'))
    await symlink('/etc/hostname', join(root, 'far'))
    const narrow = diskSource(root)
    const wide = diskSource(root, { within: base })
    expect((await narrow.list(rootPath, anyone))?.map((entry) => entry.name)).toEqual(['file', 'in'])
    expect((await wide.list(rootPath, anyone))?.map((entry) => entry.name)).toEqual(['file', 'in', 'out'])
    expect(await stat(narrow, '/out/file')).toBeUndefined()
    expect((await contentOf(await stat(wide, '/out/file'))).toString()).toBe('other')
    expect((await contentOf(await stat(narrow, '/in'))).toString()).toBe('own')
    expect(await stat(wide, '/far')).toBeUndefined()
  })

  test('a path that was inside and then leads outside is checked again', async () => {
    const source = diskSource(root)
    await writeFile(join(root, 'a'), 'inside')
    await writeFile(join(base, 'secret'), 'secret')
    expect(await stat(source, '/a')).toBeDefined()
    await rm(join(root, 'a'))
    await symlink('../secret', join(root, 'a'))
    expect(await stat(source, '/a')).toBeUndefined()
    // The file that was inside is moved out and linked to: same inode, size and time, but outside.
    await writeFile(join(root, 'b'), 'moved')
    expect(await stat(source, '/b')).toBeDefined()
    await rename(join(root, 'b'), join(base, 'b'))
    await symlink('../b', join(root, 'b'))
    expect(await stat(source, '/b')).toBeUndefined()
  })

  test('an entry does not open through a symlink that took the place of a folder, and is forgotten', async () => {
    const source = diskSource(root)
    await mkdir(join(root, 'folder'))
    await writeFile(join(root, 'folder/a'), 'moved')
    const entry = await stat(source, '/folder/a')
    // The same inode, size and times, but outside.
    await rename(join(root, 'folder'), join(base, 'folder'))
    await symlink('../folder', join(root, 'folder'))
    await expect(entry?.open()).rejects.toMatchObject({ name: 'Failure', kind: 'conflict' })
    expect(await stat(source, '/folder/a')).toBeUndefined()
  })

  test('a file may have the name that the kernel gives to deleted files', async () => {
    const source = diskSource(root)
    await writeFile(join(root, 'a (deleted)'), 'still there')
    expect((await contentOf(await stat(source, '/a (deleted)'))).toString()).toBe('still there')
    expect((await source.list(rootPath, anyone))?.map((entry) => entry.name)).toEqual(['a (deleted)'])
  })

  test('the root may be a symlink that is switched, and may be created later', async () => {
    const link = join(base, 'current')
    const source = diskSource(link)
    expect(await stat(source, '/a')).toBeUndefined()
    expect(await source.list(rootPath, anyone)).toBeUndefined()
    for (const version of ['v1', 'v2']) {
      await mkdir(join(base, version))
      await writeFile(join(base, version, 'a'), version)
      await symlink(version, `${link}.new`)
      await rename(`${link}.new`, link)
      expect((await contentOf(await stat(source, '/a'))).toString()).toBe(version)
    }
  })

  test('loops, names over 255 bytes and paths below a file are not found', async () => {
    const source = diskSource(root)
    await writeFile(join(root, 'file'), 'x')
    await symlink('loop', join(root, 'loop'))
    await symlink('nowhere', join(root, 'dangling'))
    for (const path of ['/loop', '/loop/x', '/dangling', '/file/x', `/${'x'.repeat(256)}`, '/none']) {
      expect(await stat(source, path), path).toBeUndefined()
      expect(await source.list(cleanPath(path), anyone), path).toBeUndefined()
    }
    expect(await source.list(cleanPath('/file'), anyone)).toBeUndefined()
    expect((await source.list(rootPath, anyone))?.map((entry) => entry.name)).toEqual(['file'])
  })

  test('bytes changed in place, another time or another size give a new entry', async () => {
    const source = diskSource(root)
    const file = join(root, 'a')
    const [first, later] = [new Date(1_700_000_000_000), new Date(1_700_000_001_000)]
    const write = async (content: string, time: Date) => {
      await writeFile(file, content)
      await utimes(file, time, time)
      return stat(source, '/a')
    }
    const one = await write('one', first)
    expect(one).toMatchObject({ size: 3, modifiedMs: first.getTime(), extent: { file, offset: 0 } })
    const two = await write('two', later)
    expect(two).toMatchObject({ size: 3, modifiedMs: later.getTime() })
    const longer = await write('longer', later)
    expect(longer).toMatchObject({ size: 6, modifiedMs: later.getTime() })
    expect(new Set([one?.etag, two?.etag, longer?.etag]).size).toBe(3)
    await expect(one?.open()).rejects.toMatchObject({ kind: 'conflict' })
    // The change time alone: who may read a file decides nothing here, and the bytes are the same.
    await chmod(file, 0o640)
    expect((await stat(source, '/a'))?.etag).toBe(longer?.etag)
  })

  test('an entry of one path is that of a file or folder, and never of a symlink', async () => {
    await writeFile(join(root, 'file'), 'x')
    await symlink('file', join(root, 'link'))
    expect(await entryOfFile(join(root, 'file'))).toMatchObject({ name: 'file', kind: 'file', size: 1 })
    expect(await entryOfFile(root)).toMatchObject({ name: 'root', kind: 'folder', size: 0 })
    expect(await entryOfFile(join(root, 'link'))).toBeUndefined()
    expect(await entryOfFile(join(root, 'none'))).toBeUndefined()
  })

  test('the root of the disk can be served', async () => {
    const source = diskSource('/')
    expect(await stat(source, '/')).toMatchObject({ name: '', kind: 'folder' })
    expect((await source.list(rootPath, anyone))?.map((entry) => entry.name)).toContain(base.split('/')[1])
    await writeFile(join(root, 'a'), 'x')
    expect(await names(source, root)).toEqual(['a'])
  })

  test('a folder of five hundred files is listed whole', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, i) => writeFile(join(root, `p${i}.rpm`), `${i}`)))
    const entries = await diskSource(root).list(rootPath, anyone)
    expect(entries).toHaveLength(500)
    expect(entries?.map((entry) => entry.name)).toEqual(entries?.map((entry) => entry.name).sort())
  })
})
