import { createHash, randomBytes } from 'node:crypto'
import { mkdir, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Requester } from '../../../server/core/net/requester.ts'
import { diskSource } from '../../../server/files/disk.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { isSearch } from '../../support/fuzz.ts'
import { NfsError } from '../../support/nfs-client.ts'
import { openListener, statusOf, tempFolder } from './support.ts'

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const [stale, jukebox] = [70, 10008]

describe('reading', () => {
  // Around the padding to four bytes, 32 KiB (the most of a READ over UDP) and 512 KiB (over TCP).
  const sizes = [0, 1, 2, 3, 4, 5, 32_767, 32_768, 32_769, 524_287, 524_288, 524_289, 1_100_003]
  const contents = sizes.map((size) => randomBytes(size))

  const memory = async (): Promise<FileSource> =>
    memorySource(Object.fromEntries(contents.map((bytes) => [`/trees/f40/${bytes.length}`, bytes])))
  const disk = async (): Promise<FileSource> => {
    const folder = await tempFolder()
    await mkdir(join(folder, 'trees/f40'), { recursive: true })
    for (const bytes of contents) await writeFile(join(folder, 'trees/f40', String(bytes.length)), bytes)
    return diskSource(folder)
  }

  test.each([
    ['memory', memory],
    ['disk', disk],
  ])('every byte of files from %s is read, over TCP and UDP, in steps of all sizes', async (_, make) => {
    const { tcp, udp } = await openListener({ source: await make() })
    const folder = await tcp.mount('/trees/f40')
    for (const bytes of contents) {
      const { handle, attributes } = await tcp.lookup(folder, String(bytes.length))
      expect(attributes).toMatchObject({ type: 1, mode: 0o444, size: bytes.length, uid: 0, gid: 0, nlink: 1 })
      const isSmall = bytes.length < 100_000
      const steps = isSmall || isSearch ? [10_001, 32 * 1024, 1024 * 1024] : [1024 * 1024]
      for (const step of steps) expect(sha(await tcp.readAll(handle, step))).toBe(sha(bytes))
      if (isSmall) expect(sha(await udp.readAll(handle, 1024 * 1024))).toBe(sha(bytes))
    }
  })

  test('a READ past the end has no bytes, and `eof` is set exactly at the end', async () => {
    const { tcp } = await openListener({ source: memorySource({ '/a': 'hello' }) })
    const handle = await tcp.walk('/a')
    const at = async (offset: bigint | number, count: number) => {
      const { bytes, eof } = await tcp.read(handle, offset, count)
      return [bytes.toString(), eof]
    }
    expect(await at(0, 4)).toEqual(['hell', false])
    expect(await at(0, 5)).toEqual(['hello', true])
    expect(await at(4, 100)).toEqual(['o', true])
    for (const offset of [5, 6, 2 ** 40, 2n ** 53n + 1n, 2n ** 64n - 1n])
      expect(await at(offset, 100)).toEqual(['', true])
    expect(await at(2, 0)).toEqual(['', false])
  })

  test('a file is read at offsets above 4 GiB', async () => {
    const folder = await tempFolder()
    await writeFile(join(folder, 'big'), 'start')
    await truncate(join(folder, 'big'), 5 * 2 ** 30)
    const { tcp } = await openListener({ source: diskSource(folder) })
    const handle = await tcp.walk('/big')
    expect((await tcp.getattr(handle)).size).toBe(5 * 2 ** 30)
    const { bytes, eof } = await tcp.read(handle, 5 * 2 ** 30 - 3, 100)
    expect([bytes.length, eof]).toEqual([3, true])
  })

  test('a file that is replaced shows its new bytes, and another change time even when size and mtime are kept', async () => {
    const folder = await tempFolder()
    const put = async (text: string): Promise<void> => {
      await writeFile(join(folder, 'aside'), text)
      await utimes(join(folder, 'aside'), 1_700_000_000, 1_700_000_000)
      await rename(join(folder, 'aside'), join(folder, 'file'))
    }
    await put('one')
    const { tcp } = await openListener({ source: diskSource(folder) })
    const handle = await tcp.walk('/file')
    const before = await tcp.read(handle, 0, 10)
    await put('two')
    const after = await tcp.read(handle, 0, 10)
    expect([before.bytes.toString(), after.bytes.toString()]).toEqual(['one', 'two'])
    expect(after.attributes?.mtime).toEqual([1_700_000_000, 0])
    expect(after.attributes?.ctime).not.toEqual(before.attributes?.ctime)
    expect(after.attributes?.fileid).toBe(before.attributes?.fileid)
  })

  test('a file that is replaced, cut and removed while it is read gives whole versions or an error', async () => {
    const folder = await tempFolder()
    const file = join(folder, 'file')
    const isOfOneVersion = (bytes: Buffer): boolean =>
      bytes.length > 0 && bytes.equals(Buffer.alloc(bytes.length, bytes[0]))
    await writeFile(file, Buffer.alloc(300_000, 0))
    const { tcp } = await openListener({ source: diskSource(folder) })
    const handle = await tcp.walk('/file')
    for (let version = 1; version < 40; version++) {
      const reads = Array.from({ length: 4 }, () =>
        tcp.read(handle, 0, 300_000).catch((error: unknown) => error),
      )
      // Every fifth version is a short one.
      await writeFile(join(folder, 'aside'), Buffer.alloc(version % 5 === 0 ? 1000 : 300_000, version))
      await rename(join(folder, 'aside'), file)
      for (const got of await Promise.all(reads)) {
        if (got instanceof NfsError) expect([stale, jukebox]).toContain(got.status)
        else expect(isOfOneVersion((got as { bytes: Buffer }).bytes)).toBe(true)
      }
    }
    await rm(file)
    expect(await statusOf(tcp.read(handle, 0, 10))).toBe(stale)
  })

  test('many files are read at once, pipelined on one connection', async () => {
    const files = Array.from({ length: 300 }, (_, i) => randomBytes(1000 + i * 97))
    const folder = await tempFolder()
    await Promise.all(files.map((bytes, i) => writeFile(join(folder, `f${i}`), bytes)))
    const { tcp } = await openListener({ source: diskSource(folder) })
    const got = await Promise.all(files.map(async (_, i) => tcp.readAll(await tcp.walk(`/f${i}`), 8192)))
    expect(got.map(sha)).toEqual(files.map(sha))
  })

  test('the source gets the address of each client', async () => {
    const seen: Requester[] = []
    const inner = memorySource({ '/a': 'x' })
    const { tcp, udp } = await openListener({
      source: {
        ...inner,
        stat(path, who) {
          seen.push(who)
          return inner.stat(path, who)
        },
      },
    })
    for (const client of [tcp, udp]) await client.mount('/')
    expect(seen).toEqual(
      Array.from({ length: 2 }, () => ({ protocol: 'nfs', address: '127.0.0.1', localAddress: '127.0.0.1' })),
    )
  })
})
