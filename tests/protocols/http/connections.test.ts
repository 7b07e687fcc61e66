import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Failure } from '../../../server/core/failure.ts'
import { requestLimits } from '../../../server/core/limits/requests.ts'
import type { Requester } from '../../../server/core/net/requester.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { HttpListener } from '../../../server/protocols/http/server.ts'
import { exchange, get, type OpenService, openListener, parseResponse, request } from '../../support/http.ts'

/** Connections and the bytes on them; what the responses say is in server.test.ts. */

describe.each([
  ['fast path and node:http', true],
  ['node:http alone', false],
])('a connection, %s', (_, fastPath) => {
  const treeinfo = '[general]\nfamily = Fedora\n'
  let open: OpenService
  beforeAll(async () => {
    const source = memorySource({ '/tree/.treeinfo': treeinfo, '/tree/empty': '' })
    open = await openListener({ source, fastPath })
  })
  afterAll(() => open.service.stop())

  test('carries many requests, also several in one packet', async () => {
    const responses = await new Promise<string>((resolve) => {
      const socket = connect(open.port, '127.0.0.1')
      const one = request('GET', '/tree/.treeinfo')
      let read = ''
      socket.write(one)
      socket.on('data', (chunk) => {
        const first = read === ''
        read += chunk.toString('latin1')
        if (first) socket.write(one + request('GET', '/none') + request('HEAD', '/tree/empty'))
        // Four responses.
        if (read.split('HTTP/1.1 ').length === 5) {
          socket.destroy()
          resolve(read)
        }
      })
    })
    expect(responses.match(/HTTP\/1\.1 \d+/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 200',
      'HTTP/1.1 404',
      'HTTP/1.1 200',
    ])
  })

  test('requests that arrive while a response is being made are answered in order', async () => {
    const text = await new Promise<string>((resolve) => {
      const socket = connect(open.port, '127.0.0.1', () => {
        socket.write(request('GET', '/tree/.treeinfo'))
        setImmediate(() => socket.write(request('GET', '/tree/empty').slice(0, 20)))
        setImmediate(() => setImmediate(() => socket.write(request('GET', '/tree/empty').slice(20))))
      })
      let read = ''
      socket.on('data', (chunk) => {
        read += chunk.toString('latin1')
        if (read.split('HTTP/1.1 ').length < 3) return // two responses
        socket.destroy()
        resolve(read)
      })
    })
    expect(text.match(/Content-Length: \d+/g)).toEqual(['Content-Length: 26', 'Content-Length: 0'])
  })

  test('a request that comes byte by byte is answered', async () => {
    const response = await new Promise<Buffer>((resolve) => {
      const socket = connect(open.port, '127.0.0.1', () => {
        const bytes = [...request('GET', '/tree/.treeinfo')]
        const step = (): void => {
          const byte = bytes.shift()
          if (byte !== undefined) socket.write(byte, () => setImmediate(step))
        }
        step()
      })
      socket.setNoDelay(true)
      socket.once('data', (chunk) => {
        socket.destroy()
        resolve(chunk)
      })
    })
    expect(parseResponse(response)?.body.toString()).toBe(treeinfo)
  })

  test.each([
    ['a line that is not a request', 'hello there\r\n\r\n', 400],
    ['a raw space in a POST', 'POST /a b HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['a TLS handshake', Buffer.from('16030100a5010000a10303', 'hex'), 400],
    ['a head without end', `GET /tree/empty HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}`, 431],
    [
      'two lengths',
      'GET /tree/empty HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
  ])('%s is refused with its status, and one event of type noise', async (_name, bytes, status) => {
    open.events.length = 0
    const response = await exchange(open.port, bytes)
    expect(response.status).toBe(status)
    expect([response.headers['content-length'], response.body.length]).toEqual(['0', 0])
    expect(open.events).toMatchObject([{ type: 'noise', client: '127.0.0.1' }])
  })

  test('a request of HTTP/1.1 without Host is answered', async () => {
    const response = await exchange(open.port, 'GET /tree/.treeinfo HTTP/1.1\r\nConnection: close\r\n\r\n')
    expect([response.status, response.body.toString()]).toEqual([200, treeinfo])
  })

  test('a head of 16 KiB is read, and a longer one is refused', async () => {
    // Node counts the target, and the names and values of headers.
    const rest = ['/tree/empty', 'Host', 'boot.example', 'X'].join('').length
    const withHead = (bytes: number) => get(open.port, '/tree/empty', `X: ${'y'.repeat(bytes - rest)}`)
    expect((await withHead(requestLimits.httpHead.bytes - 1)).status).toBe(200)
    expect((await withHead(requestLimits.httpHead.bytes)).status).toBe(431)
  })

  test('a client that closes its side is closed at once', async () => {
    const socket = connect({ port: open.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.write(request('GET', '/tree/.treeinfo'))
    await new Promise((resolve) => socket.once('data', resolve))
    socket.end()
    await new Promise((resolve) => socket.once('end', resolve))
  })
})

describe('request lines as boot loaders write them', () => {
  let open: OpenService
  beforeAll(async () => {
    open = await openListener({ source: memorySource({ '/a b/ü x': 'odd', '/plain': 'plain' }) })
  })
  afterAll(() => open.service.stop())

  test.each([
    ['GET /a b/ü x HTTP/1.1', 'odd'],
    ['GET a b/ü x HTTP/1.0', 'odd'],
    ['GET /a%20b/ü%20x HTTP/1.1', 'odd'],
    ['GET plain HTTP/1.1', 'plain'],
    // No slash at its start, and an `h` as in `http://`.
    ['GET hplain/../plain HTTP/1.1', 'plain'],
    ['GET http://x/a b/%C3%BC x HTTP/1.1', 'odd'],
  ])('%s is served', async (line, body) => {
    const response = await exchange(
      open.port,
      Buffer.from(`${line}\r\nHost: x\r\nUser-Agent: GRUB 2.06\r\n\r\n`),
    )
    expect([response.status, response.body.toString()]).toEqual([200, body])
  })

  test('a path that ends like an HTTP version is a path', async () => {
    const response = await exchange(open.port, 'GET /plain HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(response.status).toBe(404)
  })
})

describe('opening and closing the service', () => {
  test('a port in use: the error names address, port and remedy', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    const port = address && typeof address === 'object' ? address.port : 0
    const service = new HttpListener({ bind: '127.0.0.1', port, source: memorySource({}), events: () => {} })
    const error = await service.start().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ name: 'Failure', kind: 'conflict' })
    expect((error as Failure).message).toMatch(
      new RegExp(`127\\.0\\.0\\.1 port ${port}.*http\\.port in config\\.yaml`),
    )
    await new Promise((resolve) => other.close(resolve))
    await service.stop()
  })

  test('stop closes idle connections at once and can be called twice', async () => {
    const { service, port } = await openListener({ source: memorySource({ '/x': 'x' }) })
    const idle: Socket[] = []
    for (const method of ['GET', 'HEAD']) {
      const socket = connect(port, '127.0.0.1')
      socket.write(request(method, '/x'))
      await once(socket, 'data')
      idle.push(socket)
    }
    const closed = idle.map((socket) => once(socket, 'close'))
    await Promise.all([service.stop(), service.stop(), ...closed])
    await expect(get(port, '/x')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('each request asks for the current source', async () => {
    let now = memorySource({ '/x': 'old' })
    const { service, port } = await openListener({ source: () => now })
    expect((await get(port, '/x')).body.toString()).toBe('old')
    now = memorySource({ '/x': 'new' })
    expect((await get(port, '/x')).body.toString()).toBe('new')
    await service.stop()
  })

  test('an IPv4 client of a socket on :: is known by its IPv4 address', async () => {
    const seen: Requester[] = []
    const source: FileSource = {
      stat: async (_path, who) => void seen.push(who),
      list: async () => undefined,
    }
    const service = new HttpListener({ bind: '::', port: 0, source, events: () => {} })
    await service.start()
    await get(service.address?.port ?? 0, '/x')
    expect(seen[0]).toMatchObject({ address: '127.0.0.1', localAddress: '127.0.0.1' })
    await service.stop()
  })
})
