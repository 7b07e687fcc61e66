import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { HttpClient } from '../../../server/intake/mirror/http-client.ts'

const servers: Server[] = []
const client = new HttpClient()
afterEach(() => {
  vi.unstubAllEnvs()
  for (const server of servers.splice(0)) server.close()
})

async function listening<S extends Server>(server: S): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function textOf(answer: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece)
  return Buffer.concat(pieces).toString('latin1')
}

test('a body that is read after the upstream has closed the connection is complete', async () => {
  const body = 'x'.repeat(1024 * 1024)
  const port = await listening(
    createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`)
        socket.end(body)
      })
    }),
  )
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => client.get(new URL(`http://127.0.0.1:${port}/`), {})),
  )
  // Until the upstream has closed.
  await new Promise((resolve) => setTimeout(resolve, 200))
  for (const answer of answers) expect(await textOf(answer)).toBe(body)
})

test('a request on a kept connection that the server has just closed is repeated', async () => {
  let served = 0
  const port = await listening(
    createServer((socket) => {
      let requests = 0
      socket.on('error', () => undefined)
      socket.on('data', () => {
        requests++
        // The server resets each connection at its second request.
        if (requests > 1) socket.resetAndDestroy()
        else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${++served}`)
      })
    }),
  )
  const ask = async () => textOf(await client.get(new URL(`http://127.0.0.1:${port}/`), {}))
  expect(await ask()).toBe('1')
  // Until the connection is free to be used again.
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await ask()).toBe('2')
})

test('http_proxy and no_proxy are used', async () => {
  const asked: string[] = []
  const port = await listening(
    createHttpServer((req, res) => {
      asked.push(req.url ?? '')
      res.end('proxied')
    }),
  )
  vi.stubEnv('http_proxy', `http://127.0.0.1:${port}`)
  vi.stubEnv('no_proxy', '127.0.0.2')
  expect(await textOf(await client.get(new URL('http://mirror.example/f40/.treeinfo'), {}))).toBe('proxied')
  expect(asked).toEqual(['http://mirror.example/f40/.treeinfo'])
  // Nobody listens on port 1; the proxy would have answered.
  await expect(client.get(new URL('http://127.0.0.2:1/'), {})).rejects.toThrow()
  expect(asked).toHaveLength(1)
})
