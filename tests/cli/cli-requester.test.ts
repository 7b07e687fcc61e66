import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from 'vitest'
import { cliRequester, expectedServices, firstAddress } from '../../server/cli/cli-requester.ts'
import { serverUrls } from '../../server/core/boot/urls.ts'
import { byUsableAddress } from '../../server/machines/own-requester.ts'
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
  ['', firstAddress()],
])('a command decides for a client that reaches the bound address: %j', (text, address) => {
  expect(cliRequester(parse(text).config).localAddress).toBe(address)
})

test.each([
  [['127.0.0.1', '::1', '2001:db8::1', '192.0.2.1'], '192.0.2.1'],
  // A machine on a network without IPv4. No other machine can use fe80::1.
  [['127.0.0.1', '::1', 'fe80::1', '2001:db8::1', '2001:db8::2'], '2001:db8::1'],
  [['127.0.0.1', 'fe80::1', 'fd00::2'], 'fd00::2'],
  [['127.0.0.1', '::1', 'fe80::1'], '127.0.0.1'],
  [[], '127.0.0.1'],
])('of the addresses %j, URLs for other machines get %s', (addresses, expected) => {
  const infos = addresses.map((address) => {
    const family = address.includes(':') ? 'IPv6' : 'IPv4'
    return { address, family, internal: /^(127\.|::1$)/.test(address) } as NetworkInterfaceInfo
  })
  expect(firstAddress({ eth0: infos })).toBe(expected)
})

test.each([
  ['2001:db8::1', '2001:db8::1'],
  ['192.0.2.1', '192.0.2.1'],
  ['fe80::1', '2001:db8::1'],
  // An interface without another IPv6 address.
  ['fe80::2', '198.51.100.1'],
  ['fe80::3', 'fe80::3'],
  ['fe80::4', 'fe80::4'],
])('a client that came to %s gets URLs with %s', (localAddress, expected) => {
  const of = (...addresses: string[]) => addresses.map((address) => ({ address }) as NetworkInterfaceInfo)
  const interfaces = () => ({
    eth0: of('192.0.2.1', 'fe80::1', '2001:db8::1'),
    eth1: of('fe80::2', '198.51.100.1'),
    eth2: of('fe80::3'),
  })
  expect(byUsableAddress({ localAddress }, interfaces)).toEqual({ localAddress: expected })
})
