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
import { fromNetascii } from '../../../server/protocols/tftp/wire/netascii.ts'
import { decodePacket, encodePacket } from '../../../server/protocols/tftp/wire/packet.ts'
import { type Fate, type FetchOptions, fetchTftp, TftpRefusal } from '../../support/tftp-client.ts'

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

/** Sends one datagram and gives the answer. */
function ask(port: number, bytes: Uint8Array): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('message', (answer) => {
      socket.close()
      resolve(decodePacket(answer))
    })
    socket.send(bytes, port, '127.0.0.1')
  })
}

async function openListener(source: FileSource, change: Partial<TftpListenerOptions> = {}) {
  const events: Event[] = []
  // A client whose last ACK was lost on purpose is gone: nothing to wait for when the service closes.
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
  const ended = async (count = 1): Promise<Event[]> => {
    const deadline = Date.now() + 10_000
    const served = () => events.filter((e) => e.type === 'served')
    while (served().length < count && Date.now() < deadline) await new Promise(setImmediate)
    return served()
  }
  return { service, port, events, fetch, ended }
}

describe('reading', () => {
  test('without options: 512 octets at a time, from a port of its own', async () => {
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

  test.each([0, 1, 511, 512, 513, 1024, 8192])('a file of %i octets, small and windowed', async (size) => {
    const bytes = randomBytes(size)
    const { fetch } = await openListener(memorySource({ '/f': bytes }))
    expect(sha((await fetch('f')).bytes)).toBe(sha(bytes))
    const windowed = await fetch('/f', { options: { blksize: 512, windowsize: 4, tsize: 0 } })
    expect(sha(windowed.bytes)).toBe(sha(bytes))
    expect(windowed.oack?.get('tsize')).toBe(String(size))
  })

  test('a large file from disk: kept whole, or through two buffers where it may not be', async () => {
    const bytes = randomBytes(5 * 1024 * 1024 + 77)
    const source = await diskFile(bytes)
    for (const fileBytes of [100 * 1024 * 1024, 1000]) {
      const { fetch } = await openListener(source, { limits: { fileBytes } })
      for (const options of [{ blksize: 1468, windowsize: 64 }, { blksize: 60_001 }]) {
        const got = await Promise.all([fetch('file', { options }), fetch('file', { options })])
        expect(got.map((one) => sha(one.bytes))).toEqual([sha(bytes), sha(bytes)])
      }
    }
  })

  test('a file that changes is sent anew, not from memory', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'treeboot-tftp-'))
    closers.push(() => rm(folder, { recursive: true }))
    const { fetch } = await openListener(diskSource(folder))
    for (const text of ['one', 'three']) {
      await writeFile(join(folder, 'file'), text)
      expect((await fetch('file')).bytes.toString()).toBe(text)
    }
  })

  test('block numbers wrap: 70,000 blocks', async () => {
    const bytes = randomBytes(8 * 70_000 + 3)
    const { fetch } = await openListener(memorySource({ '/f': bytes }))
    const got = await fetch('f', { options: { blksize: 8, windowsize: 100 } })
    expect(sha(got.bytes)).toBe(sha(bytes))
  })

  test('netascii: line ends are converted, and tsize says what will be sent', async () => {
    const { fetch } = await openListener(memorySource({ '/ks': 'a\nb\rc\r\n' }))
    const got = await fetch('ks', { mode: 'netascii', options: { tsize: 0 } })
    expect(got.bytes.toString()).toBe('a\r\nb\r\0c\r\0\r\n')
    expect(got.oack?.get('tsize')).toBe(String(got.bytes.length))
    expect(Buffer.from(fromNetascii(got.bytes)).toString()).toBe('a\nb\rc\r\n')
  })

  test('x, /x, //x and \\x are one file; %20 is three characters', async () => {
    const { fetch } = await openListener(memorySource({ '/d/x': '1', '/a b%20c': '2' }))
    for (const name of ['d/x', '/d/x', '//d//x', '\\d\\x', '../d/./x'])
      expect((await fetch(name)).bytes.toString()).toBe('1')
    expect((await fetch('/a b%20c')).bytes.toString()).toBe('2')
    await expect(fetch('/D/x')).rejects.toMatchObject({ code: 1 })
  })

  test('the source hears who asks, and at which of our addresses', async () => {
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

  test('all addresses: each is answered from itself; IPv6 too', async () => {
    const { fetch } = await openListener(memorySource({ '/a': 'x' }), { bind: '::' })
    expect((await fetch('a')).bytes.toString()).toBe('x')
    expect((await fetch('a', { host: '::1' })).bytes.toString()).toBe('x')
  })
})

describe('in bad weather', () => {
  const patterns: Record<string, (n: number) => Fate> = {
    'one in ten lost': (n) => (n % 10 === 7 ? 'drop' : 'pass'),
    'every packet twice': () => 'twice',
    'some late': (n) => (n % 6 === 3 ? 'late' : 'pass'),
    'all of it': (n) => (['pass', 'twice', 'pass', 'drop', 'pass', 'pass', 'late'] as const)[n % 7] ?? 'pass',
  }
  test.each(Object.entries(patterns))('%s: the file arrives whole', async (_, fate) => {
    const bytes = randomBytes(100_000)
    const { fetch } = await openListener(memorySource({ '/f': bytes }))
    const jobs = [1, 8].map((windowsize) =>
      fetch('f', {
        options: { windowsize, blksize: 1024 },
        weather: (_, n) => fate(n),
        retryMs: 20,
        retries: 200,
      }),
    )
    for (const got of await Promise.all(jobs)) expect(sha(got.bytes)).toBe(sha(bytes))
  })
})

describe('refusals', () => {
  test('missing: ERROR 1 at once; a folder too', async () => {
    const { fetch, ended } = await openListener(memorySource({ '/d/x': '1' }))
    await expect(fetch('nope')).rejects.toMatchObject({ code: 1, message: 'file not found: /nope' })
    await expect(fetch('d')).rejects.toBeInstanceOf(TftpRefusal)
    expect(await ended(2)).toMatchObject([{ outcome: 'failed', kind: 'not-found', path: 'nope' }, {}])
  })

  test('a source that fails: ERROR 0 and no inner words', async () => {
    const fail = () => Promise.reject(new Error('EIO /srv/secret'))
    const { fetch } = await openListener({ stat: fail, list: fail })
    await expect(fetch('x')).rejects.toMatchObject({ code: 0, message: 'server error, see its log' })
  })

  test('writing is 2, mail mode is 4, and half a request is 4', async () => {
    const { port } = await openListener(memorySource({}))
    const request = { filename: 'x', mode: 'octet' as const, options: new Map() }
    expect(await ask(port, encodePacket({ type: 'wrq', ...request }))).toMatchObject({
      type: 'error',
      code: 2,
    })
    expect(await ask(port, encodePacket({ type: 'rrq', ...request, mode: 'mail' }))).toMatchObject({
      code: 4,
    })
    expect(await ask(port, Buffer.from('\0\x01x\0oct'))).toMatchObject({ code: 4 })
  })

  test('junk is noted and not answered; the service goes on', async () => {
    const { port, fetch, events } = await openListener(memorySource({ '/a': 'x' }))
    const socket = createSocket('udp4')
    const answers: Buffer[] = []
    socket.on('message', (bytes) => answers.push(bytes))
    const junk = ['', '\0', '\0\x04\0\0', '\0\x05\0\0hi\0', '\xff\xff\xff\xff', '\0\x03\0\x01data', '\0\x06']
    for (const text of junk) socket.send(Buffer.from(text, 'latin1'), port, '127.0.0.1')
    expect((await fetch('a')).bytes.toString()).toBe('x')
    const deadline = Date.now() + 5000
    while (events.filter((e) => e.type === 'noise').length < junk.length && Date.now() < deadline)
      await new Promise(setImmediate)
    expect(events.filter((e) => e.type === 'noise')).toHaveLength(junk.length)
    expect(answers).toEqual([])
    socket.close()
  })
})

describe('the odd ways of clients', () => {
  test('EDK2 asks for the size, says ERROR 8, and asks again: one download, no failure', async () => {
    const { fetch, ended, events } = await openListener(memorySource({ '/shim.efi': 'x'.repeat(3000) }))
    await fetch('shim.efi', {
      options: { tsize: 0, blksize: 1468, windowsize: 4 },
      intercept: (packet, peer) => {
        if (packet.type !== 'oack') return 'continue'
        expect(packet.options.get('tsize')).toBe('3000')
        peer.send(encodePacket({ type: 'error', code: 8, message: 'User aborted the transfer' }))
        return 'stop'
      },
    })
    const got = await fetch('shim.efi', { options: { blksize: 1468, windowsize: 4 } })
    expect(got.bytes.length).toBe(3000)
    expect(await ended()).toHaveLength(1)
    expect(events.filter((e) => e.type === 'served' && e.outcome !== 'complete')).toEqual([])
  })

  test('a request that comes twice from one port starts one transfer', async () => {
    const { fetch, ended } = await openListener(memorySource({ '/a': 'x'.repeat(600) }))
    const got = await fetch('a', { weather: (to, n) => (to === 'to-server' && n === 0 ? 'twice' : 'pass') })
    expect(got.packets).toBe(2)
    expect(await ended()).toHaveLength(1)
  })

  test('a stranger’s packet gets ERROR 5 and disturbs nothing', async () => {
    const { fetch } = await openListener(memorySource({ '/a': 'x'.repeat(2000) }))
    let told: Promise<unknown> | undefined
    let answered = false
    const got = await fetch('a', {
      intercept: (packet, peer) => {
        if (packet.type === 'data' && packet.block === 2 && peer.remote && !told)
          told = ask(peer.remote.port, encodePacket({ type: 'ack', block: 1 })).finally(() => {
            answered = true
          })
        return told && !answered ? 'ignore' : 'continue'
      },
      retryMs: 30,
    })
    expect(got.bytes.length).toBe(2000)
    expect(await told).toMatchObject({ type: 'error', code: 5 })
  })

  test('a client that says ERROR in the middle is told of as aborted', async () => {
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
  test('over the limit a request is not answered, and the operator hears it once', async () => {
    const { fetch, events } = await openListener(memorySource({ '/a': 'x' }), { limits: { perClient: 0 } })
    await expect(fetch('a', { retryMs: 10, retries: 2 })).rejects.toThrow('no answer')
    expect(events.filter((e) => e.type === 'trouble')).toHaveLength(1)
  })

  test('a second server on the port is a clear failure', async () => {
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

  test('stop tells a client that does not end by itself, and can be called twice', async () => {
    const { service, fetch, ended } = await openListener(memorySource({ '/a': 'x'.repeat(2000) }), {
      limits: { stopMs: 20 },
    })
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
