import { connect, Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Requester } from '../../../../server/core/net/requester.ts'
import { memorySource } from '../../../../server/files/memory.ts'
import { type CleanPath, cleanPath } from '../../../../server/files/path.ts'
import type { FileSource } from '../../../../server/files/source.ts'
import type { HttpListenerOptions } from '../../../../server/protocols/http/server.ts'
import { eventually } from '../../../support/eventually.ts'
import { type OpenService, openListener, parseResponse, request } from '../../../support/http.ts'

/** Who gets a turn when clients want more than their share; the bytes are in connections.test.ts. */

/** A source whose lookups of `/slow/...` wait until they are released. */
class SlowSource implements FileSource {
  readonly #files = memorySource({ '/slow/file': 'slow', '/quick': 'quick' })
  readonly #waiting: (() => void)[] = []
  readonly sockets = new Set<Socket>()
  #ended = false
  now = 0
  most = 0

  async stat(path: CleanPath, who: Requester) {
    if (who.connection instanceof Socket) this.sockets.add(who.connection)
    if (path.startsWith('/slow/') && !this.#ended) {
      this.now++
      this.most = Math.max(this.most, this.now)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
      this.now--
    }
    return this.#files.stat(path, who)
  }

  list(path: CleanPath, who: Requester) {
    return this.#files.list(path, who)
  }

  releaseOne(): void {
    this.#waiting.shift()?.()
  }

  /** Nothing waits any more: a service that stops gives running responses three seconds. */
  end(): void {
    this.#ended = true
    for (const lookup of this.#waiting.splice(0)) lookup()
  }

  /** Ends these lookups, and all that come until `times` were ended. */
  async release(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      await eventually(() => expect(this.#waiting.length).toBeGreaterThan(0))
      this.releaseOne()
    }
  }
}

/** A connection that keeps all that it reads. */
class Client {
  readonly socket: Socket
  text = ''
  closed = false

  constructor(port: number, localAddress = '127.0.0.1') {
    this.socket = connect({ port, host: '127.0.0.1', localAddress })
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1')
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.closed = true
    })
    clients.push(this)
  }

  send(path: string, ...lines: string[]): this {
    this.socket.write(request('GET', path, ...lines))
    return this
  }

  get statuses(): string[] {
    return this.text.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(9)) ?? []
  }

  async until(...statuses: string[]): Promise<this> {
    await eventually(() => expect(this.statuses).toEqual(statuses))
    return this
  }
}

let open: OpenService | undefined
let slow: SlowSource | undefined
const clients: Client[] = []
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy()
  slow?.end()
  await open?.service.stop()
})

type Options = Omit<HttpListenerOptions, 'bind' | 'port' | 'events' | 'source'>

async function slowService(options: Options): Promise<{ source: SlowSource; port: number }> {
  const source = new SlowSource()
  slow = source
  open = await openListener({ source, ...options })
  return { source, port: open.port }
}

describe.each([
  ['fast path and node:http', true],
  ['node:http alone', false],
])('one request of a connection at a time, %s', (_, fastPath) => {
  test('pipelined requests wait as bytes, and most of them in the kernel', async () => {
    const { source, port } = await slowService({ fastPath })
    const client = new Client(port)
    client.socket.write(request('GET', '/slow/file').repeat(10_000))
    await eventually(() => expect(source.now).toBe(1))
    // Another client is served while all of these requests wait.
    await new Client(port).send('/quick').until('200')
    await source.release(50)
    await eventually(() => expect(client.statuses.length).toBeGreaterThanOrEqual(50))
    expect(source.most).toBe(1)
    const [socket] = source.sockets
    // 16 KiB are read ahead, beside one read of 64 KiB and what the stream holds.
    expect(socket?.bytesRead).toBeLessThan(256 * 1024)
  })

  test('a client that does not read has one response in progress', async () => {
    const { source, port } = await slowService({ fastPath })
    const silent = new Client(port)
    silent.socket.pause()
    silent.socket.write(request('GET', '/slow/file').repeat(30))
    await source.release(29)
    await eventually(() => expect(source.now).toBe(1))
    expect(source.most).toBe(1)
    source.releaseOne()
    silent.socket.resume()
    await silent.until(...Array.from({ length: 30 }, () => '200'))
  })
})

describe('the requests of one client address', () => {
  test('above the limit wait in line, and those of other addresses do not', async () => {
    const { source, port } = await slowService({ limits: { requests: 3 } })
    const crowd = Array.from({ length: 10 }, () => new Client(port).send('/slow/file'))
    await eventually(() => expect(source.now).toBe(3))
    await new Client(port, '127.0.0.2').send('/quick').until('200')
    const same = new Client(port).send('/quick')
    expect(same.statuses).toEqual([])
    await source.release(10)
    for (const client of crowd) await client.until('200')
    await same.until('200')
    expect(source.most).toBe(3)
  })

  test('are refused with 503 when the line is full, with one line in the log', async () => {
    const { source, port } = await slowService({ limits: { requests: 1, waitingRequests: 1 } })
    new Client(port).send('/slow/file')
    await eventually(() => expect(source.now).toBe(1))
    const waiting = new Client(port).send('/slow/file')
    for (let i = 0; i < 5; i++) {
      const refused = await new Client(port).send('/quick', 'X: to node:http').until('503')
      expect(refused.text).toContain('\r\nRetry-After: 5\r\n')
      expect(refused.text).toContain('\r\nConnection: close\r\n')
      await eventually(() => expect(refused.closed).toBe(true))
    }
    expect(open?.events.filter(({ type }) => type === 'trouble')).toMatchObject([
      { where: 'http', message: expect.stringMatching(/127\.0\.0\.1 .*1 request/) },
    ])
    await source.release(2)
    await waiting.until('200')
  })

  test('that wait for too long are refused', async () => {
    const { source, port } = await slowService({ limits: { requests: 1, waitMs: 50 } })
    const first = new Client(port).send('/slow/file')
    await eventually(() => expect(source.now).toBe(1))
    await new Client(port).send('/quick').until('503')
    await source.release(1)
    await first.until('200')
  })

  test('of which the client is gone leave the line', async () => {
    const { source, port } = await slowService({ limits: { requests: 1, waitingRequests: 1 } })
    new Client(port).send('/slow/file')
    await eventually(() => expect(source.now).toBe(1))
    const gone = new Client(port).send('/slow/file', 'X: to node:http')
    await eventually(() => expect(gone.socket.bytesWritten).toBeGreaterThan(0))
    await new Client(port).send('/quick').until('503')
    gone.socket.resetAndDestroy()
    await eventually(async () => {
      const next = new Client(port).send('/quick')
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(next.statuses).toEqual([]) // it waits
      source.releaseOne()
      await next.until('200')
    })
  })

  test('count by the address that a trusted proxy names, and by no other', async () => {
    const trustedProxies = ['127.0.0.5', '10.0.0.0/8']
    const { source, port } = await slowService({ limits: { requests: 1, connections: 2 }, trustedProxies })
    const via = (header: string, from = '127.0.0.5') =>
      new Client(port, from).send('/slow/file', `X-Forwarded-For: ${header}`)
    via('192.0.2.1')
    via('192.0.2.9, 192.0.2.2, 10.1.1.1') // what stands left of the client is its own words
    via('192.0.2.9, 192.0.2.3')
    await eventually(() => expect(source.now).toBe(3))
    const second = via('192.0.2.2')
    const liars = [via('192.0.2.7', '127.0.0.6'), via('192.0.2.8', '127.0.0.6')]
    await eventually(() => expect(source.now).toBe(4))
    await new Client(port).send('/quick').until('200')
    expect(source.now).toBe(4)
    await source.release(6)
    for (const client of [second, ...liars]) await client.until('200')
  })
})

describe('the connections of one client address', () => {
  test('above the limit wait unread for their turn; when the line is full they are refused', async () => {
    const { source, port } = await slowService({ limits: { connections: 2, waitingConnections: 2 } })
    const first = [new Client(port).send('/slow/file'), new Client(port).send('/slow/file')]
    await eventually(() => expect(source.now).toBe(2))
    const waiting = [new Client(port), new Client(port)]
    for (const client of waiting) client.socket.write(request('GET', '/slow/file').repeat(5_000))
    for (let i = 0; i < 3; i++) {
      const refused = await new Client(port).send('/quick').until('503')
      expect(refused.text).toContain('\r\nRetry-After: 5\r\nConnection: close\r\n')
      await eventually(() => expect(refused.closed).toBe(true))
    }
    await new Client(port, '127.0.0.2').send('/quick').until('200')
    expect(open?.events.filter(({ type }) => type === 'trouble')).toHaveLength(1)
    for (const client of waiting) client.socket.destroy()
    await source.release(2)
    for (const client of first) await client.until('200')
  })

  test('that are idle make room', async () => {
    const { port } = await slowService({ limits: { connections: 2 } })
    const idle = [await new Client(port).send('/quick').until('200')]
    idle.push(await new Client(port).send('/none').until('404'))
    await new Client(port).send('/quick').until('200')
    await eventually(() => expect(idle.map(({ closed }) => closed)).toEqual([true, false]))
  })

  test.each(['/slow/file', '/slow/none'])('end with their response while others wait: %s', async (path) => {
    const { source, port } = await slowService({ limits: { connections: 1 } })
    const first = new Client(port).send(path)
    await eventually(() => expect(source.now).toBe(1))
    const second = new Client(port).send('/quick')
    await new Promise((resolve) => second.socket.once('connect', resolve))
    await new Client(port, '127.0.0.2').send('/quick').until('200')
    // `/slow/none` is looked up again by node:http.
    await source.release(path === '/slow/none' ? 2 : 1)
    await second.until('200')
    await eventually(() => expect(first.closed).toBe(true))
    expect(first.text).toContain('\r\nConnection: close\r\n')
  })

  test('hundreds of guests behind one address are all served', async () => {
    const source = memorySource({ '/quick': 'quick' })
    open = await openListener({ source })
    const { port } = open
    const guests = Array.from({ length: 600 }, () => new Client(port).send('/quick').send('/none'))
    await vi.waitFor(
      () => {
        expect(guests.filter(({ statuses }) => statuses[0] === '200')).toHaveLength(600)
      },
      { timeout: 20_000, interval: 100 },
    )
    expect(guests.filter(({ text }) => text.includes(' 503 '))).toHaveLength(0)
    expect(open.events.filter(({ type }) => type === 'trouble')).toEqual([])
  }, 30_000)
})

test('a path of the application waits its turn like a file', async () => {
  let now = 0
  const ends: (() => void)[] = []
  open = await openListener({
    source: memorySource({}),
    isAppPath: (path) => path === cleanPath('/api'),
    fallback: (_req, res) => {
      now++
      ends.push(() => res.end('app'))
    },
  })
  const client = new Client(open.port)
  client.socket.write(request('GET', '/api').repeat(3))
  for (let i = 1; i <= 3; i++) {
    await eventually(() => expect(ends).toHaveLength(1))
    expect(now).toBe(i)
    ends.shift()?.()
  }
  await client.until('200', '200', '200')
  expect(parseResponse(Buffer.from(client.text))?.body.toString()).toContain('app')
})
