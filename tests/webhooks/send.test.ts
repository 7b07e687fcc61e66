import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcp } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { isPublicAddress } from '../../server/core/net/public.ts'
import { post } from '../../server/webhooks/send.ts'

const never = new AbortController().signal

function send(url: string, allowPrivate = true, signal = never): Promise<number> {
  return post({ url, body: '{}', headers: { 'X-Test': 'yes' }, allowPrivate, signal })
}

async function receiver(respond: RequestListener): Promise<string> {
  const server = createServer(respond)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.each([
  ['8.8.8.8', true],
  ['2a00:1450::1', true],
  ['64:ff9b::808:808', true],
  ['64:ff9b::a00:1', false],
  ['64:ff9b::7f00:1', false],
  ['127.0.0.1', false],
  ['127.9.9.9', false],
  ['0.0.0.0', false],
  ['10.0.0.1', false],
  ['172.16.0.1', false],
  ['192.168.1.1', false],
  ['169.254.169.254', false],
  ['100.64.0.1', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['::1', false],
  ['::', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['fe80::1', false],
  ['fd00::1', false],
  ['ff02::1', false],
  ['2002:7f00:1::', false],
  ['localhost', false],
  ['', false],
])('%s is an address of the Internet: %s', (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected)
})

test('an address that is not of the Internet gets no connection, however it is written', async () => {
  let requests = 0
  const url = await receiver((_, res) => {
    requests++
    res.end()
  })
  const { port } = new URL(url)
  for (const host of ['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', '0'])
    await expect(send(`http://${host}:${port}/`, false)).rejects.toThrow(/not an address of the Internet/)
  expect(requests).toBe(0)
  expect(await send(url)).toBe(200)
  expect(requests).toBe(1)
})

test('no redirect is followed', async () => {
  const paths: unknown[] = []
  const url = await receiver((req, res) => {
    paths.push(req.url)
    res.writeHead(307, { location: '/elsewhere' }).end()
  })
  expect(await send(`${url}/first`)).toBe(307)
  expect(paths).toEqual(['/first'])
})

test('a receiver that does not answer, or sends a long head, is given up', async () => {
  const silent = createTcp(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void silent.close())
  const stop = new AbortController()
  const sent = send(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/`, true, stop.signal)
  stop.abort()
  await expect(sent).rejects.toThrow('127.0.0.1 did not answer in time')
  const long = await receiver((_, res) => res.writeHead(200, { 'x-long': 'a'.repeat(17 * 1024) }).end())
  await expect(send(long)).rejects.toThrow(/HPE_HEADER_OVERFLOW/)
})

test('an endless body is not read, and what fails names the host alone', async () => {
  const url = await receiver((_, res) => {
    res.writeHead(204)
    res.flushHeaders()
  })
  expect(await send(url)).toBe(204)
  await expect(send('http://127.0.0.1:1/a-long-secret-path')).rejects.toThrow(/^127\.0\.0\.1: ECONNREFUSED$/)
})
