import { describe, expect, test } from 'vitest'
import { fileBase, serverUrls, urlOfPath } from '../../../server/core/boot/urls.ts'

const services = { http: { port: 8080 }, tftp: { port: 69 }, ftp: { port: 10021 }, nfs: { port: 2049 } }

interface ReachedCase {
  readonly localAddress?: string
  readonly host?: string
  readonly configuredUrl?: string
}

describe('the URLs of treeboot, as a client reaches it', () => {
  test('server.url comes first, and its host is used for the other services', () => {
    const who = { protocol: 'http', host: 'evil:1', localAddress: '10.0.0.1' }
    expect(serverUrls({ configuredUrl: 'https://mirror.example/', services, who })).toEqual({
      http: 'https://mirror.example',
      tftp: 'tftp://mirror.example',
      ftp: 'ftp://mirror.example:10021',
      nfs: { host: 'mirror.example', options: '', ipv4: '10.0.0.1' },
    })
  })
  test('then comes the Host header of the client, with its port', () => {
    const found = serverUrls({
      services,
      who: { protocol: 'http', host: 'boot.lan:80', localAddress: '10.0.0.1' },
    })
    expect(found.http).toBe('http://boot.lan:80')
    expect(found.tftp).toBe('tftp://boot.lan')
  })
  test('then comes the address that the client reached, with the port of the HTTP service', () => {
    expect(serverUrls({ services, who: { protocol: 'tftp', localAddress: '10.0.0.1' } }).http).toBe(
      'http://10.0.0.1:8080',
    )
    expect(serverUrls({ services, who: { protocol: 'tftp', localAddress: '::ffff:10.0.0.1' } }).http).toBe(
      'http://10.0.0.1:8080',
    )
    expect(
      serverUrls({ services: { http: { port: 80 } }, who: { protocol: 'tftp', localAddress: '10.0.0.1' } }),
    ).toEqual({ http: 'http://10.0.0.1' })
  })
  test('an IPv6 address is in brackets and without its zone', () => {
    const found = serverUrls({ services, who: { protocol: 'tftp', localAddress: 'fe80::1%eth0' } })
    expect(found).toMatchObject({
      http: 'http://[fe80::1]:8080',
      tftp: 'tftp://[fe80::1]',
      nfs: { host: '[fe80::1]' },
    })
    // The zone of the client is not in its Host header (RFC 6874), so another program could not use that address.
    const host = '[fe80::1]:8080'
    expect(serverUrls({ services, who: { protocol: 'http', host, localAddress: '2001:db8::1' } }).http).toBe(
      'http://[2001:db8::1]:8080',
    )
    const named = serverUrls({ services, who: { protocol: 'http', host: '[2001:db8::1]:8080' } })
    expect(named.ftp).toBe('ftp://[2001:db8::1]:10021')
  })
  test.each([
    'a b',
    'x/../y',
    'h:99999',
    '"quoted"',
    `\${net0/mac}`,
    'a\nb',
    '',
    '-x',
    'h:1:2',
    '[::1',
    'user@h',
  ])('the Host header %j is ignored', (host) => {
    const found = serverUrls({ services, who: { protocol: 'http', host, localAddress: '10.0.0.1' } })
    expect(found.http).toBe('http://10.0.0.1:8080')
  })
  test.each([
    [
      'server.url has one',
      { configuredUrl: 'http://10.0.0.9:8080', who: { localAddress: '10.0.0.1' } },
      '10.0.0.9',
    ],
    [
      'server.url is a name',
      { configuredUrl: 'http://m.example', who: { localAddress: '10.0.0.1' } },
      '10.0.0.1',
    ],
    ['the Host header has one', { who: { host: '10.0.0.8:80', localAddress: '172.17.0.2' } }, '10.0.0.8'],
    ['the Host header is a name', { who: { host: 'boot.lan', localAddress: '::ffff:10.0.0.1' } }, '10.0.0.1'],
    ['the client came by IPv6', { who: { localAddress: '2001:db8::5' } }, undefined],
    [
      'IPv6 in server.url, IPv4 on the line',
      { configuredUrl: 'http://[2001:db8::5]/', who: { localAddress: '10.0.0.1' } },
      '10.0.0.1',
    ],
    ['nothing is known', { who: { host: 'boot.lan' } }, undefined],
  ])('the IPv4 address of NFS: %s', (_name, { who, ...more }, ipv4) => {
    expect(serverUrls({ services, who: { protocol: 'http', ...who }, ...more }).nfs?.ipv4).toBe(ipv4)
  })
  test.each([
    [true, { localAddress: '2001:db8::1' }],
    [true, { localAddress: '192.0.2.1', host: '[2001:db8::1]:8080' }],
    [true, { localAddress: '2001:db8::1', host: 'boot.lan' }],
    [undefined, { localAddress: '192.0.2.1', host: 'boot.lan' }],
    [undefined, { localAddress: '::ffff:192.0.2.1' }],
    [undefined, { localAddress: '2001:db8::1', host: '192.0.2.1:8080' }],
    [undefined, {}],
    // A proxy may reach us by another family than its client reaches it.
    [undefined, { localAddress: '2001:db8::1', configuredUrl: 'http://boot.example' }],
    [true, { localAddress: '192.0.2.1', configuredUrl: 'http://[2001:db8::1]' }],
  ] as const)('by IPv6: %s, for %j', (expected, { configuredUrl, ...who }: ReachedCase) => {
    const inputs = { services, who: { protocol: 'http', ...who } }
    expect(serverUrls({ ...inputs, ...(configuredUrl !== undefined && { configuredUrl }) }).byIpv6).toBe(
      expected,
    )
  })
  test('closed HTTP is told, unless server.url may be another server that passes requests on', () => {
    const open = { tftp: { port: 69 } }
    const who = { protocol: 'tftp', localAddress: '10.0.0.1' }
    const closed = serverUrls({ services: open, who })
    expect(closed.whyNoHttp).toBe('the http service is closed')
    expect(fileBase(closed)).toBe('tftp://10.0.0.1')
    const behind = serverUrls({ services: open, who, configuredUrl: 'https://m.example' })
    expect([behind.whyNoHttp, fileBase(behind)]).toEqual([undefined, 'https://m.example'])
    expect(fileBase(serverUrls({ services, who }))).toBe('http://10.0.0.1:8080')
  })
  test('NFS on another port has it in its options, for MOUNT as well', () => {
    const nfs = (service: { port: number; mountPort?: number }) =>
      serverUrls({ services: { nfs: service }, who: { protocol: 'tftp', localAddress: '10.0.0.1' } }).nfs
        ?.options
    expect(nfs({ port: 12049 })).toBe('nfsvers=3,proto=tcp,port=12049,mountproto=tcp,mountport=12049')
    expect(nfs({ port: 2049, mountPort: 20048 })).toBe(
      'nfsvers=3,proto=tcp,port=2049,mountproto=tcp,mountport=20048',
    )
  })
})

test('paths are percent-encoded part by part, also the signs at which virt-install splits', () => {
  expect(urlOfPath('http://h', "/trees/a b/ü,=%2F(')")).toBe(
    'http://h/trees/a%20b/%C3%BC%2C%3D%252F%28%27%29',
  )
})
