import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diskSource } from '../../../server/files/disk.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { type DirEntry, type NfsClient, NfsError } from '../../support/nfs-client.ts'
import { openListener, tempFolder } from './support.ts'

const names = Array.from({ length: 5000 }, (_, i) => `package-${'x'.repeat(i % 60)}-${i}.rpm`)
const folder = memorySource(Object.fromEntries(names.map((name) => [`/Packages/${name}`, name])))

/** Reads a folder to its end. */
async function listAll(client: NfsClient, handle: Buffer, count: number, plus: boolean): Promise<DirEntry[]> {
  const found: DirEntry[] = []
  let [cookie, verifier] = [0n, 0n]
  for (;;) {
    const got = plus
      ? await client.readdirplus(handle, cookie, verifier, { dirCount: count, maxCount: count })
      : await client.readdir(handle, cookie, verifier, count)
    expect(got.bytes).toBeLessThanOrEqual(count)
    found.push(...got.entries)
    if (got.eof) return found
    expect(got.entries.length).toBeGreaterThan(0)
    cookie = got.entries.at(-1)?.cookie ?? 0n
    verifier = got.verifier
  }
}

describe('5,000 entries', () => {
  test.each([
    ['READDIR', false, 512],
    ['READDIR', false, 65_536],
    ['READDIRPLUS', true, 1024],
    ['READDIRPLUS', true, 1_048_576],
  ])('%s, plus: %s, %i bytes at a time: each name once, dots first', async (_, plus, count) => {
    const { tcp } = await openListener({ source: folder })
    const handle = await tcp.walk('/Packages')
    const found = await listAll(tcp, handle, count, plus)
    expect(found.slice(0, 2).map(({ name }) => name)).toEqual(['.', '..'])
    expect(found.map(({ name }) => name).sort()).toEqual(['.', '..', ...names].sort())
    expect(new Set(found.map(({ cookie }) => cookie)).size).toBe(found.length)
    expect(new Set(found.map(({ fileid }) => fileid)).size).toBe(found.length)
  })

  test('the first page asks the source once, and the next ones do not ask it', async () => {
    let lists = 0
    const list: FileSource['list'] = (path, who) => {
      lists++
      return folder.list(path, who)
    }
    const { tcp } = await openListener({ source: { ...folder, list } })
    const handle = await tcp.walk('/Packages')
    await listAll(tcp, handle, 4096, false)
    expect(lists).toBe(1)
    await listAll(tcp, handle, 4096, true)
    expect(lists).toBe(2)
  })

  test('over UDP a page fits a datagram', async () => {
    const { udp } = await openListener({ source: folder })
    const handle = await udp.walk('/Packages')
    const page = await udp.readdirplus(handle, 0n, 0n, { dirCount: 1_000_000, maxCount: 1_000_000 })
    expect(page.bytes).toBeLessThanOrEqual(32 * 1024)
    expect(page.entries.length).toBeGreaterThan(100)
  })
})

describe('the entries of a listing', () => {
  test('READDIRPLUS agrees with LOOKUP and GETATTR', async () => {
    const root = await tempFolder()
    await mkdir(join(root, 'd/sub'), { recursive: true })
    await writeFile(join(root, 'd/file'), 'hello')
    const { tcp } = await openListener({ source: diskSource(root) })
    const handle = await tcp.walk('/d')
    const { entries, eof } = await tcp.readdirplus(handle, 0n, 0n, { dirCount: 8192, maxCount: 8192 })
    expect(eof).toBe(true)
    expect(entries).toHaveLength(4)
    for (const entry of entries) {
      const { handle: one, attributes } = await tcp.lookup(handle, entry.name)
      expect(entry.fileid).toBe(attributes?.fileid)
      if (entry.name === '..') continue
      expect(entry.handle).toEqual(one)
      expect(entry.attributes).toEqual(attributes)
    }
  })

  test('a page fills its room to the byte', async () => {
    const { tcp } = await openListener({ source: memorySource({ '/a': '', '/bb': '' }) })
    const root = await tcp.mount('/')
    const whole = await tcp.readdir(root, 0n, 0n, 4096)
    expect(whole.entries).toHaveLength(4)
    expect((await tcp.readdir(root, 0n, 0n, whole.bytes)).eof).toBe(true)
    const less = await tcp.readdir(root, 0n, 0n, whole.bytes - 1)
    expect([less.entries.length, less.eof]).toEqual([3, false])
    const plus = await tcp.readdirplus(root, 0n, 0n, { dirCount: 4096, maxCount: 4096 })
    expect((await tcp.readdirplus(root, 0n, 0n, { dirCount: 4096, maxCount: plus.bytes })).eof).toBe(true)
    expect(
      (await tcp.readdirplus(root, 0n, 0n, { dirCount: 4096, maxCount: plus.bytes - 1 })).entries,
    ).toHaveLength(3)
    // Each of the four names takes 28 bytes of directory information.
    expect((await tcp.readdirplus(root, 0n, 0n, { dirCount: 4 * 28, maxCount: 4096 })).entries).toHaveLength(
      4,
    )
    expect(
      (await tcp.readdirplus(root, 0n, 0n, { dirCount: 4 * 28 - 1, maxCount: 4096 })).entries,
    ).toHaveLength(3)
    for (const small of [0, 50, 104 + 27]) {
      const error = await tcp.readdir(root, 0n, 0n, small).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(NfsError)
      expect((error as NfsError).status).toBe(10005)
    }
  })

  test('a listing goes on after any cookie', async () => {
    const { tcp } = await openListener({ source: memorySource({ '/a': '' }) })
    const root = await tcp.mount('/')
    const [, , last] = (await tcp.readdir(root, 0n, 0n, 4096)).entries
    expect(await tcp.readdir(root, last?.cookie ?? 0n, 99n, 4096)).toMatchObject({ entries: [], eof: true })
    expect(await tcp.readdir(root, 2n ** 64n - 1n, 0n, 4096)).toMatchObject({ entries: [], eof: true })
    const error = await tcp.readdir(await tcp.walk('/a'), 0n, 0n, 4096).catch((reason: unknown) => reason)
    expect((error as NfsError).status).toBe(20)
  })
})

test('a folder that changes while it is listed, with a restart in between, misses no file and lists none twice', async () => {
  const root = await tempFolder()
  const dataFolder = await tempFolder()
  const stay = names.slice(0, 200)
  for (const name of stay) await writeFile(join(root, name), '')
  let service = await openListener({ source: diskSource(root), dataFolder })
  const handle = await service.tcp.mount('/')
  const found: string[] = []
  let [cookie, pages, eof] = [0n, 0, false]
  while (!eof) {
    const page = await service.tcp.readdir(handle, cookie, 0n, 1024)
    found.push(...page.entries.map(({ name }) => name))
    cookie = page.entries.at(-1)?.cookie ?? 0n
    eof = page.eof
    await writeFile(join(root, `new-${pages}`), '')
    if (pages > 0) await rm(join(root, `new-${pages - 1}`))
    if (pages++ === 3) {
      await service.service.stop()
      service = await openListener({ source: diskSource(root), dataFolder })
    }
  }
  expect(found.filter((name) => stay.includes(name)).sort()).toEqual([...stay].sort())
  expect(new Set(found).size).toBe(found.length)
})
