import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diskSource } from '../../../server/files/disk.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { isSearch } from '../../support/fuzz.ts'
import { type DirEntry, type NfsClient, NfsError } from '../../support/nfs-client.ts'
import { openListener, tempFolder } from './support.ts'

const names = Array.from(
  { length: isSearch ? 5000 : 1500 },
  (_, i) => `package-${'x'.repeat(i % 60)}-${i}.rpm`,
)
const folder = memorySource(Object.fromEntries(names.map((name) => [`/Packages/${name}`, name])))

/** The cookie and the cookie verifier that ask for the first page. */
const firstPage = [0n, 0n] as const

/** Reads a folder to its end, in replies of at most `count` bytes. */
async function listAll(
  client: NfsClient,
  handle: Buffer,
  procedure: 'READDIR' | 'READDIRPLUS',
  count: number,
): Promise<DirEntry[]> {
  const found: DirEntry[] = []
  let [cookie, verifier]: readonly [bigint, bigint] = firstPage
  for (;;) {
    const got =
      procedure === 'READDIRPLUS'
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

describe('thousands of entries', () => {
  test.each([
    ['READDIR', 512],
    ['READDIR', 65_536],
    ['READDIRPLUS', 1024],
    ['READDIRPLUS', 1_048_576],
  ] as const)('%s, %i bytes at a time: each name once, dots first', async (procedure, count) => {
    const { tcp } = await openListener({ source: folder })
    const handle = await tcp.walk('/Packages')
    const found = await listAll(tcp, handle, procedure, count)
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
    await listAll(tcp, handle, 'READDIR', 4096)
    expect(lists).toBe(1)
    await listAll(tcp, handle, 'READDIRPLUS', 4096)
    expect(lists).toBe(2)
  })

  test('over UDP a page fits a datagram', async () => {
    const { udp } = await openListener({ source: folder })
    const handle = await udp.walk('/Packages')
    const page = await udp.readdirplus(handle, ...firstPage, { dirCount: 1_000_000, maxCount: 1_000_000 })
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
    const { entries, eof } = await tcp.readdirplus(handle, ...firstPage, { dirCount: 8192, maxCount: 8192 })
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
    const whole = await tcp.readdir(root, ...firstPage, 4096)
    expect(whole.entries).toHaveLength(4)
    expect((await tcp.readdir(root, ...firstPage, whole.bytes)).eof).toBe(true)
    const less = await tcp.readdir(root, ...firstPage, whole.bytes - 1)
    expect([less.entries.length, less.eof]).toEqual([3, false])
    const plus = (limits: { readonly dirCount?: number; readonly maxCount?: number }) =>
      tcp.readdirplus(root, ...firstPage, { dirCount: 4096, maxCount: 4096, ...limits })
    const { bytes } = await plus({})
    expect((await plus({ maxCount: bytes })).eof).toBe(true)
    expect((await plus({ maxCount: bytes - 1 })).entries).toHaveLength(3)
    // Each of the four names takes 28 bytes of directory information.
    expect((await plus({ dirCount: 4 * 28 })).entries).toHaveLength(4)
    expect((await plus({ dirCount: 4 * 28 - 1 })).entries).toHaveLength(3)
    // A reply has 104 bytes besides its entries, and the first entry of READDIR takes 28, too.
    for (const small of [0, 50, 104 + 27]) {
      const error = await tcp.readdir(root, ...firstPage, small).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(NfsError)
      expect((error as NfsError).status).toBe(10005) // NFS3ERR_TOOSMALL
    }
  })

  test('a listing goes on after any cookie', async () => {
    const { tcp } = await openListener({ source: memorySource({ '/a': '' }) })
    const root = await tcp.mount('/')
    const [, , last] = (await tcp.readdir(root, ...firstPage, 4096)).entries
    // 99 is a cookie verifier that no reply gave: it is not checked.
    expect(await tcp.readdir(root, last?.cookie ?? 0n, 99n, 4096)).toMatchObject({ entries: [], eof: true })
    expect(await tcp.readdir(root, 2n ** 64n - 1n, 0n, 4096)).toMatchObject({ entries: [], eof: true })
    const error = await tcp
      .readdir(await tcp.walk('/a'), ...firstPage, 4096)
      .catch((reason: unknown) => reason)
    expect((error as NfsError).status).toBe(20) // NFS3ERR_NOTDIR
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
