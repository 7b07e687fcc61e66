import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { rootPath } from '../../server/files/path.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { stat } from '../support/sources.ts'

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

  test('a folder of five hundred files is listed whole', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, i) => writeFile(join(root, `p${i}.rpm`), `${i}`)))
    const entries = await diskSource(root).list(rootPath, anyone)
    expect(entries).toHaveLength(500)
    expect(entries?.map((entry) => entry.name)).toEqual(entries?.map((entry) => entry.name).sort())
  })
})
