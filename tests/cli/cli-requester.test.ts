import { expect, test } from 'vitest'
import { cliRequester, expectedServices, firstAddress } from '../../server/cli/cli-requester.ts'
import { serverUrls } from '../../server/core/boot/urls.ts'
import { parse } from '../support/config.ts'

test('a command names the services as the running server does, with their ports', () => {
  const urls = (text: string) =>
    serverUrls({
      services: expectedServices(parse(text).config),
      who: { protocol: 'internal', localAddress: '10.0.0.1' },
    })
  const standard = urls('ftp: { port: auto }\nnfs: { port: auto }\n')
  expect(standard.ftp).toBe('ftp://10.0.0.1')
  expect(standard.nfs?.options).toBe('nfsvers=3,proto=tcp,port=2049,mountproto=tcp,mountport=2049')
  const other = urls('ftp: { port: 2121 }\nnfs: { port: 12049 }\n')
  expect(other.ftp).toBe('ftp://10.0.0.1:2121')
  expect(other.nfs?.options).toBe('nfsvers=3,proto=tcp,port=12049,mountproto=tcp,mountport=12049')
  expect(urls('nfs: { enabled: false }\n').nfs).toBeUndefined()
})

test.each([
  ['server: { bind: 127.0.0.1 }\n', '127.0.0.1'],
  ['server: { bind: "fd91:1::1" }\n', 'fd91:1::1'],
  ['http: { enabled: false }\ntftp: { bind: 192.0.2.7 }\n', '192.0.2.7'],
  ['server: { bind: 0.0.0.0 }\n', firstAddress()],
])('a command decides for a client that reaches the bound address: %j', (text, address) => {
  expect(cliRequester(parse(text).config).localAddress).toBe(address)
})
