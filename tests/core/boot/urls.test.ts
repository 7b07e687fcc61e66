import { describe, expect, test } from 'vitest'
import { serverUrls, urlOfPath } from '../../../server/core/boot/urls.ts'

const services = { http: { port: 8080 }, tftp: { port: 69 }, ftp: { port: 10021 }, nfs: { port: 2049 } }

describe('the URLs of treeboot, as a client reaches it', () => {
  test('server.url comes first, and its host is used for the other services', () => {
    const who = { protocol: 'http', host: 'evil:1', localAddress: '10.0.0.1' }
    expect(serverUrls({ configuredUrl: 'https://mirror.example/', services, who })).toEqual({
      http: 'https://mirror.example',
      tftp: 'tftp://mirror.example',
      ftp: 'ftp://mirror.example:10021',
      nfs: { host: 'mirror.example', options: '' },
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
    ).toEqual({
      http: 'http://10.0.0.1',
    })
  })
  test('an IPv6 address is in brackets and without its zone', () => {
    const found = serverUrls({ services, who: { protocol: 'tftp', localAddress: 'fe80::1%eth0' } })
    expect(found).toMatchObject({
      http: 'http://[fe80::1]:8080',
      tftp: 'tftp://[fe80::1]',
      nfs: { host: '[fe80::1]' },
    })
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
