import { createHash, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Requester } from '../../../server/core/net/requester.ts'
import type { Event } from '../../../server/events/bus.ts'
import { diskSource } from '../../../server/files/disk.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { TftpListener, type TftpListenerOptions } from '../../../server/protocols/tftp/server.ts'
import { decodePacket, encodePacket } from '../../../server/protocols/tftp/wire/packet.ts'
import { eventually } from '../../support/eventually.ts'
import { isSearch } from '../../support/fuzz.ts'
import {
  type Fate,
  type FetchOptions,
  fetchTftp,
  fromNetascii,
  TftpRefusal,
} from '../../support/tftp-client.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function diskFile(bytes: Uint8Array): Promise<FileSource> {
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-tftp-'))
  closers.push(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'file'), bytes)
  return diskSource(folder)
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Sends one datagram and returns the reply. */
function exchange(port: number, bytes: Uint8Array): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('message', (reply) => {
      socket.close()
      resolve(decodePacket(reply))
    })
    socket.send(bytes, port, '127.0.0.1')
  })
}

async function openListener(source: FileSource, change: Partial<TftpListenerOptions> = {}) {
  const events: Event[] = []
  // A client whose last ACK was lost on purpose is gone, so `stop` need not wait for its transfer.
  const limits = { stopMs: 20, ...change.limits }
  const sink = (event: Event): unknown => events.push(event)
  const service = new TftpListener({
    bind: '127.0.0.1',
    port: 0,
    source,
    events: sink,
    native: 'off',
    ...change,
    limits,
  })
  await service.start()
  closers.push(() => service.stop())
  const port = service.address?.port ?? 0
  const fetch = (path: string, options: Partial<FetchOptions> = {}) => fetchTftp(path, { port, ...options })
  /** The `served` events, once there are so many. */
  const ended = async (count = 1): Promise<Event[]> => {
    const deadline = Date.now() + 10_000
    const served = () => events.filter((e) => e.type === 'served')
    while (served().length < count && Date.now() < deadline) await new Promise(setImmediate)
    return served()
  }
  return { service, port, events, fetch, ended }
}

describe('reading', () => {
  test('without options: blocks of 512 octets, from another port than the request was sent to', async () => {
    const { fetch, port, ended } = await openListener(memorySource({ '/a': 'x'.repeat(1300) }))
    const got = await fetch('a')
    expect(got.bytes.toString()).toBe('x'.repeat(1300))
    expect(got.oack).toBeUndefined()
    expect(got.packets).toBe(3)
    expect(got.serverPort).not.toBe(port)
    expect(await ended()).toMatchObject([
      { protocol: 'tftp', client: '127.0.0.1', path: '/a', outcome: 'complete', bytes: 1300 },
    ])
  })

  test.each([0, 1, 511, 512, 513, 1024, 8192])(
    'a file of %i octets, with and without options',
    async (size) => {
      const bytes = randomBytes(size)
      const { fetch } = await openListener(memorySource({ '/f': bytes }))
      expect(sha((await fetch('f')).bytes)).toBe(sha(bytes))
      const windowed = await fetch('/f', { options: { blksize: 512, windowsize: 4, tsize: 0 } })
      expect(sha(windowed.bytes)).toBe(sha(bytes))
      expect(windowed.oack?.get('tsize')).toBe(String(size))
    },
  )

  test('a large file from disk, kept whole or sent through a ring', async () => {
    const bytes = randomBytes(2 * 1024 * 1024 + 77)
    const source = await diskFile(bytes)
    for (const fileBytes of [100 * 1024 * 1024, 1000]) {
      const { fetch } = await openListener(source, { limits: { fileBytes } })
      for (const options of [{ blksize: 1468, windowsize: 64 }, { blksize: 60_001 }]) {
        const got = await Promise.all([fetch('file', { options }), fetch('file', { options })])
        expect(got.map((one) => sha(one.bytes))).toEqual([sha(bytes), sha(bytes)])
      }
    }
  })

  test('a changed file is read again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'treeboot-tftp-'))
    closers.push(() => rm(folder, { recursive: true }))
    const { fetch } = await openListener(diskSource(folder))
    for (const text of ['one', 'three']) {
      await writeFile(join(folder, 'file'), text)
      expect((await fetch('file')).bytes.toString()).toBe(text)
    }
  })

  // It takes two seconds; transfer.test.ts holds the same without sockets.
  test.runIf(isSearch)('block numbers wrap: 70,000 blocks', async () => {
    const bytes = randomBytes(8 * 70_000 + 3)
    const { fetch } = await openListener(memorySource({ '/f': bytes }))
    const got = await fetch('f', { options: { blksize: 8, windowsize: 100 } })
    expect(sha(got.bytes)).toBe(sha(bytes))
  })

  test('netascii: line ends are converted, and tsize is the converted size', async () => {
    const { fetch } = await openListener(memorySource({ '/ks': 'a\nb\rc\r\n' }))
    const got = await fetch('ks', { mode: 'netascii', options: { tsize: 0 } })
    expect(got.bytes.toString()).toBe('a\r\nb\r\0c\r\0\r\n')
    expect(got.oack?.get('tsize')).toBe(String(got.bytes.length))
    expect(Buffer.from(fromNetascii(got.bytes)).toString()).toBe('a\nb\rc\r\n')
  })

  test('x, /x, //x and \\x are one file; %20 is not decoded', async () => {
    const { fetch } = await openListener(memorySource({ '/d/x': '1', '/a b%20c': '2' }))
    for (const name of ['d/x', '/d/x', '//d//x', '\\d\\x', '../d/./x'])
      expect((await fetch(name)).bytes.toString()).toBe('1')
    expect((await fetch('/a b%20c')).bytes.toString()).toBe('2')
    await expect(fetch('/D/x')).rejects.toMatchObject({ code: 1 })
  })

  test('the source is told the address of the client, and ours that it sent to', async () => {
    let who: Requester | undefined
    const inner = memorySource({ '/a': 'x' })
    const { fetch } = await openListener({
      ...inner,
      stat: (path, requester) => {
        who = requester
        return inner.stat(path, requester)
      },
    })
    await fetch('a')
    expect(who).toEqual({ protocol: 'tftp', address: '127.0.0.1', localAddress: '127.0.0.1' })
  })

  test('bound to ::, IPv4 and IPv6 clients get replies from the address they sent to', async () => {
    const { fetch } = await openListener(memorySource({ '/a': 'x' }), { bind: '::' })
    expect((await fetch('a')).bytes.toString()).toBe('x')
    expect((await fetch('a', { host: '::1' })).bytes.toString()).toBe('x')
  })
})

describe('with packets lost, doubled and late', () => {
  const patterns: Record<string, (n: number) => Fate> = {
    'one packet in ten lost': (n) => (n % 10 === 7 ? 'drop' : 'pass'),
    'every packet twice': () => 'twice',
    'some packets late': (n) => (n % 6 === 3 ? 'late' : 'pass'),
    'all of these': (n) =>
      (['pass', 'twice', 'pass', 'drop', 'pass', 'pass', 'late'] as const)[n % 7] ?? 'pass',
  }
  test.each(Object.entries(patterns))('%s: the file arrives whole', async (_, fate) => {
    const bytes = randomBytes(40_000)
    const { fetch } = await openListener(memorySource({ '/f': bytes }))
    const jobs = [1, 8].map((windowsize) =>
      fetch('f', {
        options: { windowsize, blksize: 1024 },
        network: (_, n) => fate(n),
        retryMs: 20,
        retries: 200,
      }),
    )
    for (const got of await Promise.all(jobs)) expect(sha(got.bytes)).toBe(sha(bytes))
  })
})

describe('ERROR replies', () => {
  test('a missing file and a folder: ERROR 1 at once', async () => {
    const { fetch, ended } = await openListener(memorySource({ '/d/x': '1' }))
    await expect(fetch('nope')).rejects.toMatchObject({ code: 1, message: 'file not found: /nope' })
    await expect(fetch('d')).rejects.toBeInstanceOf(TftpRefusal)
    expect(await ended(2)).toMatchObject([{ outcome: 'failed', kind: 'not-found', path: 'nope' }, {}])
  })

  test('a source that fails: ERROR 0, without the inner error', async () => {
    const fail = () => Promise.reject(new Error('EIO /srv/secret'))
    const { fetch } = await openListener({ stat: fail, list: fail })
    await expect(fetch('x')).rejects.toMatchObject({ code: 0, message: 'server error, see its log' })
  })

  test('a write request gets code 2, mail mode and half a request code 4', async () => {
    const { port } = await openListener(memorySource({}))
    const request = { filename: 'x', mode: 'octet' as const, options: new Map() }
    expect(await exchange(port, encodePacket({ type: 'wrq', ...request }))).toMatchObject({
      type: 'error',
      code: 2,
    })
    expect(await exchange(port, encodePacket({ type: 'rrq', ...request, mode: 'mail' }))).toMatchObject({
      code: 4,
    })
    expect(await exchange(port, Buffer.from('\0\x01x\0oct'))).toMatchObject({ code: 4 })
  })

  test('junk becomes a noise event and gets no reply', async () => {
    const { port, fetch, events } = await openListener(memorySource({ '/a': 'x' }))
    const socket = createSocket('udp4')
    const replies: Buffer[] = []
    socket.on('message', (bytes) => replies.push(bytes))
    const junk = ['', '\0', '\0\x04\0\0', '\0\x05\0\0hi\0', '\xff\xff\xff\xff', '\0\x03\0\x01data', '\0\x06']
    for (const text of junk) socket.send(Buffer.from(text, 'latin1'), port, '127.0.0.1')
    expect((await fetch('a')).bytes.toString()).toBe('x')
    const deadline = Date.now() + 5000
    while (events.filter((e) => e.type === 'noise').length < junk.length && Date.now() < deadline)
      await new Promise(setImmediate)
    expect(events.filter((e) => e.type === 'noise')).toHaveLength(junk.length)
    expect(replies).toEqual([])
    socket.close()
  })
})

test('hundreds of requests that come while one is handled are all received', async () => {
  const asked = new Set<string>()
  const source: FileSource = {
    stat: async (path) => void asked.add(path),
    list: async () => undefined,
  }
  const { port } = await openListener(source)
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve))
  // In one turn of the event loop, so that the service can read none of them in between.
  for (let i = 0; i < 450; i++)
    socket.send(encodePacket({ type: 'rrq', filename: `${i}`, mode: 'octet', options: new Map() }))
  await eventually(() => expect(asked.size).toBe(450))
  socket.close()
})

describe('unusual clients', () => {
  test('the same request twice from one port starts one transfer', async () => {
    const { fetch, ended } = await openListener(memorySource({ '/a': 'x'.repeat(600) }))
    const got = await fetch('a', { network: (to, n) => (to === 'to-server' && n === 0 ? 'twice' : 'pass') })
    expect(got.packets).toBe(2)
    expect(await ended()).toHaveLength(1)
  })

  test('a packet from an unknown peer gets ERROR 5 and does not disturb the transfer', async () => {
    const { fetch } = await openListener(memorySource({ '/a': 'x'.repeat(2000) }))
    let reply: Promise<unknown> | undefined
    let replied = false
    const got = await fetch('a', {
      intercept: (packet, peer) => {
        // The client holds the transfer up until the reply has come, so the port is in use meanwhile.
        if (packet.type === 'data' && packet.block === 2 && peer.remote && !reply)
          reply = exchange(peer.remote.port, encodePacket({ type: 'ack', block: 1 })).finally(() => {
            replied = true
          })
        return reply && !replied ? 'ignore' : 'continue'
      },
      retryMs: 30,
    })
    expect(got.bytes.length).toBe(2000)
    expect(await reply).toMatchObject({ type: 'error', code: 5 })
  })

  test('an ERROR from the client in the middle is an aborted transfer', async () => {
    const { fetch, ended } = await openListener(memorySource({ '/a': 'x'.repeat(2000) }))
    await fetch('a', {
      intercept: (packet, peer) => {
        if (packet.type !== 'data' || packet.block !== 2) return 'continue'
        peer.send(encodePacket({ type: 'error', code: 0, message: 'closed' }))
        return 'stop'
      },
    })
    expect(await ended()).toMatchObject([{ outcome: 'aborted', bytes: 512, detail: 'client: closed' }])
  })
})

describe('limits', () => {
  test('over the limit a request gets no reply, and one trouble event is sent', async () => {
    const { fetch, events } = await openListener(memorySource({ '/a': 'x' }), { limits: { perClient: 0 } })
    await expect(fetch('a', { retryMs: 10, retries: 2 })).rejects.toThrow('no response')
    expect(events.filter((e) => e.type === 'trouble')).toHaveLength(1)
  })

  test('a second server on the same port fails with kind conflict', async () => {
    const { port } = await openListener(memorySource({}))
    const second = new TftpListener({
      bind: '127.0.0.1',
      port,
      source: memorySource({}),
      events: () => undefined,
    })
    await expect(second.start()).rejects.toMatchObject({ kind: 'conflict' })
    await second.stop()
  })

  test('stop sends an ERROR to a client that does not end in time, and can be called twice', async () => {
    const { service, fetch, ended } = await openListener(memorySource({ '/a': 'x'.repeat(2000) }))
    const stopped: Promise<void>[] = []
    const fetched = fetch('a', {
      intercept: (packet) => {
        if (packet.type === 'data') stopped.push(service.stop(), service.stop())
        return packet.type === 'data' ? 'ignore' : 'continue'
      },
    })
    await expect(fetched).rejects.toMatchObject({ code: 0, message: 'the server is stopping' })
    await Promise.all(stopped)
    expect(await ended()).toMatchObject([{ outcome: 'aborted' }])
  })
})
