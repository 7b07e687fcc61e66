import { randomBytes } from 'node:crypto'
import { rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { diskSource } from '../../../server/files/disk.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { NfsClient, type NfsError } from '../../support/nfs-client.ts'
import { callMessage, long, mountd, nfs, opaque, TcpWire, word } from '../../support/nfs-wire.ts'
import { openListener, statusOf, tempFolder } from './support.ts'

const longName = `${'kernel-core-'.repeat(8)}6.8.5-301.fc40.x86_64.rpm`
const [noEntry, io, access, notDirectory, isDirectory, invalid] = [2, 5, 13, 20, 21, 22]
const [readOnly, nameTooLong, stale, badHandle, serverFault, jukebox] = [30, 63, 70, 10001, 10006, 10008]
/** Bytes of a `post_op_attr` with attributes: a boolean and a `fattr3`. */
const postOpBytes = 4 + 84

describe('names', () => {
  test('LOOKUP finds files, folders and dots, and reports names that do not exist', async () => {
    const { tcp } = await openListener({ source: memorySource({ '/d/e/f': 'x', '/ü': 'y' }) })
    const root = await tcp.mount('/')
    const folder = await tcp.walk('/d/e')
    expect((await tcp.getattr(folder)).type).toBe(2)
    expect((await tcp.getattr(folder)).mode).toBe(0o555)
    expect((await tcp.lookup(folder, '.')).handle).toEqual(folder)
    expect((await tcp.lookup(folder, '..')).handle).toEqual(await tcp.walk('/d'))
    expect((await tcp.lookup(root, '..')).handle).toEqual(root)
    expect((await tcp.readAll(await tcp.walk('/ü'))).toString()).toBe('y')
    for (const name of ['none', '', '/', 'e/f', '../d', 'e\0', 'e\n', Buffer.of(0xff, 0xfe)])
      expect(await statusOf(tcp.lookup(await tcp.walk('/d'), name))).toBe(noEntry)
    expect(await statusOf(tcp.lookup(root, 'x'.repeat(256)))).toBe(nameTooLong)
    expect(await statusOf(tcp.lookup(await tcp.walk('/ü'), 'x'))).toBe(notDirectory)
    expect(await statusOf(tcp.read(root, 0, 10))).toBe(isDirectory)
    expect(await statusOf(tcp.readlink(root))).toBe(invalid)
  })

  test('a LOOKUP of an absent name replies with the attributes of the folder, and is one event', async () => {
    const { tcp, events } = await openListener({ source: memorySource({ '/d/e': 'x' }) })
    const error = await tcp.lookup(await tcp.walk('/d'), 'none').catch((reason: unknown) => reason)
    expect((error as NfsError).left.length).toBe(postOpBytes)
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'served', path: '/d/none', outcome: 'failed', kind: 'not-found' }),
    )
  })

  test('symlinks inside the root are followed, and those that lead out do not exist', async () => {
    const folder = await tempFolder()
    await writeFile(join(folder, 'real'), 'inside')
    await symlink('real', join(folder, 'link'))
    await symlink('/etc/passwd', join(folder, 'out'))
    const { tcp } = await openListener({ source: diskSource(folder) })
    expect((await tcp.readAll(await tcp.walk('/link'))).toString()).toBe('inside')
    expect(await statusOf(tcp.walk('/out'))).toBe(noEntry)
  })

  test('ACCESS grants READ and LOOKUP alone', async () => {
    const { tcp } = await openListener({ source: memorySource({ '/f': 'x' }) })
    const [read, lookup, every] = [0x01, 0x02, 0x3f]
    expect(await tcp.access(await tcp.mount('/'), every)).toBe(read | lookup)
    expect(await tcp.access(await tcp.walk('/f'), every)).toBe(read)
    expect(await tcp.access(await tcp.walk('/f'), every & ~read)).toBe(0)
  })

  test('a source that fails gives the status of its failure kind, and the service goes on', async () => {
    let failure: Error | undefined
    const inner = memorySource({ '/f': 'x' })
    const stat: FileSource['stat'] = (path, who) =>
      failure ? Promise.reject(failure) : inner.stat(path, who)
    const { tcp } = await openListener({ source: { ...inner, stat } })
    const handle = await tcp.walk('/f')
    for (const [kind, status] of [
      ['forbidden', access],
      ['unavailable', jukebox],
      ['invalid-data', io],
      ['internal', serverFault],
    ] as const) {
      failure = new Failure(kind, 'as told')
      expect(await statusOf(tcp.getattr(handle))).toBe(status)
    }
    failure = undefined
    expect((await tcp.getattr(handle)).size).toBe(1)
  })
})

describe('mounting', () => {
  test('EXPORT lists paths, folders at any depth are mounted, and DUMP lists the mounts', async () => {
    const { tcp, wire, events } = await openListener({
      source: memorySource({ '/trees/f40/.treeinfo': 'x' }),
    })
    const [dumpProcedure, unmount, unmountAll, exportProcedure] = [2, 3, 4, 5]
    const exports = await wire.call([mountd, 3, exportProcedure])
    const paths: string[] = []
    while (exports.word() === 1) {
      paths.push(exports.opaque().toString())
      expect(exports.word()).toBe(0) // no groups
    }
    expect(paths).toEqual(['/', '/trees'])
    expect(await tcp.mount('/trees/f40/')).toEqual(await tcp.walk('/trees/f40'))
    expect(await tcp.mount('')).toEqual(await tcp.mount('/'))
    // MOUNT has the numbers of NFS for these statuses.
    expect(await statusOf(tcp.mount('/trees/none'))).toBe(noEntry)
    expect(await statusOf(tcp.mount('/trees/f40/.treeinfo'))).toBe(notDirectory)
    expect(await statusOf(tcp.mount('/a\nb'))).toBe(invalid)
    expect(events.filter((event) => event.type === 'served' && event.outcome === 'failed')).toHaveLength(3)

    const dump = async (): Promise<string[]> => {
      const cursor = await wire.call([mountd, 3, dumpProcedure])
      const lines: string[] = []
      while (cursor.word() === 1) lines.push(`${cursor.opaque()} ${cursor.opaque()}`)
      return lines.sort()
    }
    expect(await dump()).toEqual(['127.0.0.1 /', '127.0.0.1 /trees/f40'])
    await wire.call([mountd, 3, unmount], opaque('/trees/f40'))
    expect(await dump()).toEqual(['127.0.0.1 /'])
    await wire.call([mountd, 3, unmountAll])
    expect(await dump()).toEqual([])
  })

  test('FSINFO, FSSTAT and PATHCONF have the length that their structures have', async () => {
    const { tcp, udp } = await openListener({ source: memorySource({ '/f': 'x' }) })
    const root = await tcp.mount('/')
    const [fsstat, fsinfo, pathconf] = [18, 19, 20]
    const info = await tcp.raw(fsinfo, opaque(root))
    // Seven sizes of READ, WRITE and READDIR; the largest file; the precision of times; the properties.
    expect([info.status, info.left.length]).toEqual([0, postOpBytes + 7 * 4 + 8 + 8 + 4])
    // The most bytes of a READ come first.
    expect(info.left.readUInt32BE(postOpBytes)).toBe(512 * 1024)
    expect((await udp.raw(fsinfo, opaque(root))).left.readUInt32BE(postOpBytes)).toBe(32 * 1024)
    // Three numbers of bytes and three of files, and how long they hold. Two numbers and four booleans.
    expect((await tcp.raw(fsstat, opaque(root))).left.length).toBe(postOpBytes + 6 * 8 + 4)
    expect((await tcp.raw(pathconf, opaque(root))).left.length).toBe(postOpBytes + (2 + 4) * 4)
  })
})

describe('procedures that write are refused with results of the right shape', () => {
  // A `wcc_data` without attributes: two booleans that are FALSE. LINK has the file's attributes before it.
  const wcc = 8
  test.each([
    ['SETATTR', 2, wcc],
    ['WRITE', 7, wcc],
    ['CREATE', 8, wcc],
    ['MKDIR', 9, wcc],
    ['SYMLINK', 10, wcc],
    ['MKNOD', 11, wcc],
    ['REMOVE', 12, wcc],
    ['RMDIR', 13, wcc],
    ['RENAME', 14, 2 * wcc],
    ['LINK', 15, 4 + wcc],
    ['COMMIT', 21, wcc],
  ])('%s', async (_, procedure, length) => {
    const { tcp } = await openListener({ source: memorySource({ '/f': 'x' }) })
    const handle = await tcp.walk('/f')
    const data = Buffer.alloc(60_000)
    // A WRITE's arguments. They are refused without being read, so the other procedures get them, too.
    const [offset, count, stable] = [long(0), word(data.length), word(0)]
    const { status, left } = await tcp.raw(procedure, opaque(handle), offset, count, stable, opaque(data))
    expect(status).toBe(readOnly)
    expect(left).toEqual(Buffer.alloc(length))
  })
})

describe('handles', () => {
  const files = { '/a': 'short', [`/trees/f40/Packages/k/${longName}`]: 'long' }
  // A handle is a byte for its type, a digest of 16 bytes and the path. A path that is too long for a handle is
  // left out: the server finds it by the digest in a table on its disk.
  const [inlineLength, tableLength] = [1 + 16 + '/a'.length, 1 + 16]

  test('handles of short and long paths survive a restart', async () => {
    const dataFolder = await tempFolder()
    const source = memorySource(files)
    const first = await openListener({ source, dataFolder })
    const handles = await Promise.all(Object.keys(files).map((path) => first.tcp.walk(path)))
    expect(handles.map((handle) => handle.length)).toEqual([inlineLength, tableLength])
    const ids = await Promise.all(handles.map(async (handle) => (await first.tcp.getattr(handle)).fileid))
    await first.service.stop()
    const second = await openListener({ source, dataFolder })
    const texts = await Promise.all(handles.map(async (handle) => String(await second.tcp.readAll(handle))))
    expect(texts).toEqual(['short', 'long'])
    expect(await Promise.all(Object.keys(files).map((path) => second.tcp.walk(path)))).toEqual(handles)
    const again = await Promise.all(handles.map(async (handle) => (await second.tcp.getattr(handle)).fileid))
    expect(again).toEqual(ids)
  })

  test('handles are stale with another key, and when the file is gone', async () => {
    const folder = await tempFolder()
    await writeFile(join(folder, 'f'), 'x')
    const one = await openListener({ source: diskSource(folder) })
    const other = await openListener({ source: diskSource(folder) })
    const handle = await one.tcp.walk('/f')
    expect(await statusOf(other.tcp.getattr(handle))).toBe(stale)
    await rm(join(folder, 'f'))
    expect(await statusOf(one.tcp.getattr(handle))).toBe(stale)
    expect(await statusOf(one.tcp.read(handle, 0, 1))).toBe(stale)
  })

  test('handles cannot be made up, nor changed to lead to another file', async () => {
    const { tcp } = await openListener({ source: memorySource(files) })
    const [inline, byTable] = await Promise.all(Object.keys(files).map((path) => tcp.walk(path)))
    const changed = [inline, byTable].flatMap((handle) =>
      Array.from(handle ?? [], (byte, i) => {
        const copy = Buffer.from(handle ?? [])
        copy[i] = byte ^ 1
        return copy
      }),
    )
    for (const handle of changed) expect([stale, badHandle]).toContain(await statusOf(tcp.getattr(handle)))
    for (const path of ['/../../etc/passwd', '/etc/passwd', '', 'a']) {
      const forged = Buffer.concat([
        Buffer.of(1),
        inline?.subarray(1, 17) ?? Buffer.alloc(16),
        Buffer.from(path),
      ])
      expect(await statusOf(tcp.getattr(forged))).toBe(stale)
    }
    // Two without a whole digest, one of an unknown type, one by table with a byte too many.
    for (const handle of [Buffer.alloc(0), Buffer.alloc(16, 1), Buffer.alloc(64, 5), Buffer.alloc(18, 2)])
      expect(await statusOf(tcp.getattr(handle))).toBe(badHandle)
  })
})

describe('the service as a whole', () => {
  test('a slow reader delays only itself, and few of its replies are made before it reads them', async () => {
    const inner = memorySource({ '/f': randomBytes(512 * 1024) })
    let looks = 0
    const stat: FileSource['stat'] = (path, who) => {
      looks++
      return inner.stat(path, who)
    }
    const { tcp, port } = await openListener({ source: { ...inner, stat } })
    const handle = await tcp.walk('/f')
    const slow = await TcpWire.open(port)
    slow.socket.pause()
    const args = Buffer.concat([opaque(handle), long(0), word(512 * 1024)])
    const calls = Array.from({ length: 120 }, () => slow.send(callMessage([nfs, 3, 6], args)))
    expect((await tcp.readAll(handle)).length).toBe(512 * 1024)
    expect(looks).toBeLessThan(100)
    slow.socket.resume()
    const replies = await Promise.all(calls)
    expect(replies.every((reply) => reply.length > 512 * 1024)).toBe(true)
    slow.close()
  })

  test('connections of a client above its limit are closed, and the others go on', async () => {
    const limits = { connections: 100, perClient: 3 }
    const { tcp, port, events } = await openListener({ source: memorySource({ '/f': 'x' }), limits })
    await tcp.mount('/')
    // With the connection of `tcp`, two of these three are within the limit.
    const more = await Promise.all([TcpWire.open(port), TcpWire.open(port), TcpWire.open(port)])
    const ended = await Promise.allSettled(more.map((wire) => new NfsClient(wire).mount('/')))
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    await tcp.mount('/')
    expect(events.some((event) => event.type === 'noise' && /too many/.test(event.message))).toBe(true)
    for (const wire of more) wire.close()
  })

  test('a file that a client reads is one event, with all its bytes', async () => {
    const { tcp, service, events } = await openListener({ source: memorySource({ '/f': 'x'.repeat(1000) }) })
    await tcp.readAll(await tcp.walk('/f'), 100)
    await service.stop()
    expect(events.filter((event) => event.type === 'served' && event.path === '/f')).toEqual([
      expect.objectContaining({ protocol: 'nfs', client: '127.0.0.1', outcome: 'complete', bytes: 1000 }),
    ])
  })

  test('stop closes connections, and is safe to call twice', async () => {
    const { service, tcp } = await openListener({ source: memorySource({ '/f': 'x' }) })
    await tcp.mount('/')
    expect(service.hint).toContain(`port=${service.address?.port},mountport=${service.address?.port}`)
    await Promise.all([service.stop(), service.stop()])
    expect(service.address).toBeUndefined()
    await expect(tcp.mount('/')).rejects.toThrow()
  })

  test('start on a taken port rejects with a Failure that names address and port', async () => {
    const { port } = await openListener({ source: memorySource({}) })
    await expect(openListener({ source: memorySource({}), port })).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining(`127.0.0.1 port ${port}`),
      cause: { code: 'EADDRINUSE' },
    })
  })
})
