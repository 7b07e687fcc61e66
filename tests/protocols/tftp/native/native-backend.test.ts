import { createHash, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../../../server/events/bus.ts'
import { diskSource } from '../../../../server/files/disk.ts'
import { Backends } from '../../../../server/protocols/tftp/backends.ts'
import { loadSystemCalls } from '../../../../server/protocols/tftp/native/system-calls.ts'
import { TftpListener } from '../../../../server/protocols/tftp/server.ts'
import { decodePacket, encodePacket } from '../../../../server/protocols/tftp/wire/packet.ts'
import { eventually } from '../../../support/eventually.ts'
import { isSearch } from '../../../support/fuzz.ts'
import { type Fate, type FetchOptions, fetchTftp } from '../../../support/tftp-client.ts'

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const reason = loadSystemCalls() ? undefined : 'no koffi, or not Linux on x64 or arm64'

test.skipIf(reason)('the thread runs before the first transfer wants it', async () => {
  const backends = new Backends('auto')
  await backends.open()
  await eventually(() => expect(backends.nativeRuns).toBe(true), 10_000)
  await backends.close()
  expect(backends.nativeRuns).toBe(false)
})

/** One thread for all tests here: starting it is slow. */
describe.skipIf(reason)(`the native backend${reason ? ` (${reason})` : ''}`, () => {
  const files: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    // Long enough for the native backend: transfers of fewer than four windows stay in the main thread.
    small: randomBytes(6000),
    // Fills its last block: an empty one follows.
    exact: randomBytes(8192),
    // More than 65535 blocks of 8 octets: the block numbers wrap.
    many: randomBytes(8 * 70_000 + 3),
    // Kept whole in memory: it is below `limits.fileBytes`.
    kept: randomBytes(1024 * 1024 + 5),
    // Too large for that: it passes through a ring buffer.
    ring: randomBytes(5 * 1024 * 1024 + 5),
  }
  const events: Event[] = []
  let folder = ''
  let service: TftpListener
  const fetch = (path: string, options: Partial<FetchOptions> = {}) =>
    fetchTftp(path, { port: service.address?.port ?? 0, ...options })
  /**
   * Waits for a download to end. Others in this file may end late, because a last ACK was lost on purpose.
   */
  const ended = async (path: string, outcome: string): Promise<Event | undefined> => {
    const deadline = Date.now() + 10_000
    const find = () => events.find((e) => e.type === 'served' && e.path === path && e.outcome === outcome)
    while (!find() && Date.now() < deadline) await new Promise(setImmediate)
    return find()
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'treeboot-tftp-'))
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
    const sink = (event: Event): unknown => events.push(event)
    // `stopMs`: clients whose last ACK was lost are gone, and `stop` need not wait for them.
    const limits = { fileBytes: 2 * 1024 * 1024, stopMs: 20 }
    service = new TftpListener({
      bind: '::',
      port: 0,
      source: diskSource(folder),
      events: sink,
      limits,
      native: 'required',
    })
    await service.start()
  })
  afterAll(async () => {
    await service.stop()
    await rm(folder, { recursive: true })
  })

  test.each<[string, Record<string, number>]>([
    ['empty', {}], // short: sent by Node's sockets
    ['small', {}],
    ['small', { blksize: 1468, windowsize: 16 }], // less than a window: sent by Node's sockets
    ['exact', { blksize: 512, windowsize: 2 }],
    ...(isSearch ? [['many', { blksize: 8, windowsize: 100 }] satisfies [string, unknown]] : []), // a second
    ['kept', { blksize: 1468 }],
    ['kept', { blksize: 1468, windowsize: 64 }],
    ['kept', { blksize: 8192, windowsize: 16 }],
    ['kept', { blksize: 65_464, windowsize: 4 }],
    ['ring', { blksize: 1428, windowsize: 100 }],
    ['ring', { blksize: 60_001 }],
  ])('file %s arrives whole with %j', async (name, options) => {
    const got = await fetch(name, { options })
    expect(sha(got.bytes)).toBe(sha(files[name] ?? Buffer.alloc(1)))
  })

  test('a file arrives whole over IPv6', async () => {
    expect((await fetch('small', { host: '::1' })).bytes).toEqual(files.small)
  })

  test('twelve clients get a file that is still being read', async () => {
    const fresh = randomBytes(1_500_000)
    await writeFile(join(folder, 'fresh'), fresh)
    const options = { blksize: 1400, windowsize: 8 }
    const got = await Promise.all(
      Array.from({ length: 12 }, () => fetch('fresh', { options, retryMs: 1000 })),
    )
    expect(new Set(got.map((one) => sha(one.bytes)))).toEqual(new Set([sha(fresh)]))
  })

  test.each([1, 8])(
    'a file arrives whole although packets are lost, doubled and late, window %i',
    async (windowsize) => {
      const fates: Fate[] = ['pass', 'twice', 'pass', 'drop', 'pass', 'pass', 'late']
      // Scattered by a hash, but the same in every run.
      const network = (_: string, n: number): Fate => fates[(Math.imul(n, 0x9e3779b1) >>> 8) % 7] ?? 'pass'
      const options = { blksize: 20_000, windowsize }
      const got = await fetch('many', { options, network, retryMs: 20, retries: 200 })
      expect(sha(got.bytes)).toBe(sha(files.many ?? Buffer.alloc(1)))
    },
  )

  test('a size probe is not a failed download; a later ERROR is an abort; an unknown peer gets ERROR 5', async () => {
    await fetch('small', {
      options: { tsize: 0 },
      intercept: (_, peer) => {
        peer.send(encodePacket({ type: 'error', code: 8, message: 'User aborted the transfer' }))
        return 'stop'
      },
    })
    let reply: unknown
    await fetch('kept', {
      intercept: (packet, peer) => {
        if (packet.type !== 'data' || packet.block !== 2) return 'continue'
        void sendAck(peer.remote?.port ?? 0).then((packet) => {
          reply = packet
          peer.send(encodePacket({ type: 'error', code: 0, message: 'closed' }))
        })
        return 'ignore'
      },
      // After its ERROR nothing more comes to this client, so it soon gives up.
      retryMs: 50,
      retries: 3,
    }).catch(() => undefined)
    expect(await ended('/kept', 'aborted')).toMatchObject({ bytes: 512, detail: 'client: closed' })
    expect(reply).toMatchObject({ type: 'error', code: 5 })
    expect(
      events.filter((e) => e.type === 'served' && e.path === '/small' && e.outcome !== 'complete'),
    ).toEqual([])
  })
})

/** Sends an ACK from a port that no transfer belongs to, and returns the reply. */
function sendAck(port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('message', (bytes) => {
      socket.close()
      resolve(decodePacket(bytes))
    })
    socket.send(encodePacket({ type: 'ack', block: 1 }), port, '127.0.0.1')
  })
}

test.skipIf(reason)('a stopped service leaves no descriptor open', async () => {
  const open = (): number => readdirSync('/proc/self/fd').length
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-tftp-'))
  await writeFile(join(folder, 'file'), randomBytes(20_000))
  const once = async (): Promise<void> => {
    const service = new TftpListener({
      bind: '127.0.0.1',
      port: 0,
      source: diskSource(folder),
      events: () => undefined,
      native: 'required',
    })
    await service.start()
    await Promise.all([1, 2, 3].map(() => fetchTftp('file', { port: service.address?.port ?? 0 })))
    await service.stop()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  // The first run opens descriptors that the process keeps.
  await once()
  const before = open()
  for (let time = 0; time < 3; time++) await once()
  expect(open()).toBeLessThanOrEqual(before)
  await rm(folder, { recursive: true })
})
