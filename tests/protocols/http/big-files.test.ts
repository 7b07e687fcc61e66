import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readlink, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { BufferPool, bigBufferBytes } from '../../../server/files/buffers.ts'
import { diskSource } from '../../../server/files/disk.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { get, type OpenService, openListener, request } from '../../support/http.ts'

const size = 4 * 1024 * 1024 + 77
const bytes = randomBytes(size)
/** Sparse, and far more than the kernel buffers for one connection (up to 10 MB on loopback). */
const sparseSize = 80 * 1024 * 1024

/** Polls: the kernel decides when a connection is closed. */
async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (
    const deadline = Date.now() + 10_000;
    !(await holds());
    await new Promise((resolve) => setTimeout(resolve, 5))
  )
    if (Date.now() > deadline) throw new Error(`never: ${what}`)
}

describe('large files', () => {
  let root: string
  let open: OpenService
  let read = 0
  const sockets: Socket[] = []

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'treeboot-big-'))
    await writeFile(join(root, 'initrd.img'), bytes)
    for (const name of ['slow.img', 'cut.img']) {
      await writeFile(join(root, name), '')
      await truncate(join(root, name), sparseSize)
    }
    const disk = diskSource(root)
    // The disk, with a count of what was read from it.
    const source: FileSource = {
      list: disk.list,
      async stat(path, who) {
        const entry = await disk.stat(path, who)
        return (
          entry && {
            ...entry,
            async open() {
              const file = await entry.open()
              return {
                size: file.size,
                close: () => file.close(),
                async read(target, offset, length, position) {
                  const count = await file.read(target, offset, length, position)
                  read += count
                  return count
                },
              }
            },
          }
        )
      },
    }
    open = await openListener({ source })
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await open.service.stop()
    await rm(root, { recursive: true })
  })

  /** Descriptors of ours that are open on files below the root. */
  const descriptors = async (): Promise<number> => {
    const targets = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    )
    return targets.filter((target) => target.startsWith(root)).length
  }
  const served = (path: string): Event[] =>
    open.events.filter((event) => event.type === 'served' && event.path === path)
  const startReading = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(open.port, '127.0.0.1', () => socket.write(request('GET', '/slow.img')))
      sockets.push(socket)
      socket.once('data', () => resolve(socket.pause()))
      socket.on('error', () => {})
    })

  test('six downloads at once are the file, byte for byte', async () => {
    const sha = (data: Buffer) => createHash('sha256').update(data).digest('hex')
    const responses = await Promise.all(Array.from({ length: 6 }, () => get(open.port, '/initrd.img')))
    for (const { body } of responses) expect(sha(body)).toBe(sha(bytes))
    await until(async () => (await descriptors()) === 0, 'all files closed')
  })

  test('several ranges of a large file are those parts of it', async () => {
    const ranges = [
      [0, 9],
      [size - 700_000, size - 1],
      [1_000_000, 2_500_000],
    ] as const
    const { status, body } = await get(
      open.port,
      '/initrd.img',
      `Range: bytes=${ranges.map((r) => r.join('-')).join(',')}`,
    )
    expect(status).toBe(206)
    let position = 0
    for (const [from, to] of ranges) {
      position = body.indexOf('\r\n\r\n', position) + 4
      expect(body.subarray(position, position + to - from + 1).equals(bytes.subarray(from, to + 1))).toBe(
        true,
      )
      position += to - from + 1
    }
  })

  test.skipIf(process.platform !== 'linux')(
    'a client that stops reading stops our reading; one that aborts leaves no file open, and its event has its bytes',
    async () => {
      read = 0
      const slow = await Promise.all(Array.from({ length: 8 }, startReading))
      await until(() => read > 0, 'reading began')
      let before = -1
      await until(async () => {
        const still = read === before
        before = read
        await new Promise((resolve) => setTimeout(resolve, 50))
        return still && read === before
      }, 'reading paused')
      expect(read).toBeLessThan(8 * sparseSize)
      expect(await descriptors()).toBe(8)
      const [first, ...others] = slow
      // Some reset, some close, one reads on to the end.
      for (const [i, socket] of others.entries()) i % 2 === 0 ? socket.resetAndDestroy() : socket.destroy()
      await until(async () => (await descriptors()) === 1, 'abandoned files closed')
      first?.resume()
      await until(() => served('/slow.img').length === 8, 'an event for each')
      expect(await descriptors()).toBe(0)
      const told = served('/slow.img')
      expect(told.slice(0, 7)).toMatchObject(Array(7).fill({ outcome: 'aborted' }))
      for (const event of told.slice(0, 7)) {
        const bytes = event.type === 'served' ? event.bytes : 0
        expect(bytes).toBeGreaterThan(0)
        expect(bytes).toBeLessThan(sparseSize)
      }
      expect(told[7]).toMatchObject({ outcome: 'complete', bytes: sparseSize })
    },
  )

  test('a file that is cut while it is sent ends the connection, and is never filled up', async () => {
    const socket = connect(open.port, '127.0.0.1', () => socket.write(request('GET', '/cut.img')))
    sockets.push(socket)
    let got = 0
    await new Promise<void>((resolve) => {
      socket.once('data', async (chunk) => {
        got += chunk.length
        socket.pause()
        await truncate(join(root, 'cut.img'), 1000)
        socket.on('data', (more) => {
          got += more.length
        })
        socket.on('close', () => resolve())
        socket.on('error', () => {})
        socket.resume()
      })
    })
    expect(got).toBeLessThan(sparseSize)
    await until(() => served('/cut.img').length === 1, 'an event')
    expect(served('/cut.img')).toMatchObject([{ outcome: 'failed', kind: 'invalid-data' }])
  })

  test('a file that is replaced again and again is sent as one of its versions', async () => {
    const versions = [
      bytes.subarray(0, 300_000),
      bytes.subarray(1_000_000, 1_200_000),
      bytes.subarray(2_000_000, 2_400_000),
    ]
    const file = join(root, 'turning.img')
    await writeFile(file, versions[0] ?? '')
    let turning = true
    const turn = (async () => {
      for (let i = 0; turning; i++) {
        await writeFile(`${file}.new`, versions[i % 3] ?? '')
        await rename(`${file}.new`, file)
      }
    })()
    for (let i = 0; i < 40; i++) {
      const { status, body } = await get(open.port, '/turning.img')
      if (status === 200) expect(versions.some((version) => body.equals(version))).toBe(true)
      else expect(status).toBe(503)
    }
    turning = false
    await turn
  })
})

describe('BufferPool', () => {
  test('lends big buffers up to its limit, then small ones, and reuses the big ones', () => {
    const pool = new BufferPool(2)
    const [a, b, c] = [pool.take(), pool.take(), pool.take()]
    expect([a, b, c].map((loan) => loan.bytes.length)).toEqual([bigBufferBytes, bigBufferBytes, 65_536])
    expect(pool.lent).toBe(2)
    pool.give(c)
    pool.give(a)
    pool.give(b)
    expect(pool.lent).toBe(0)
    expect(pool.take().bytes).toBe(b.bytes)
  })
})
