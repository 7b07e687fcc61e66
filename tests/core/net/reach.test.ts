import { describe, expect, test } from 'vitest'
import { isBelowUrl, plainSourceUrl } from '../../../server/core/net/listed-url.ts'
import { reachOf } from '../../../server/core/net/reach.ts'

test.each([
  ['public', '192.0.3.1 8.8.8.8 2001:4860::8888 64:ff9b::808:808 ::ffff:8.8.8.8 2002:808:808::1'],
  ['private', '10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 fd00::1 fc00::1 64:ff9b::a00:1'],
  [
    'local',
    '127.0.0.1 127.9.9.9 0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 255.255.255.255 240.0.0.1 ::1 :: fe80::1 fe80::1%eth0 ff02::1',
  ],
  [
    'local',
    '::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1::1 2001:0:1::1 4000::1 0177.0.0.1 2130706433 x',
  ],
])('%s: %s', (reach, addresses) => {
  for (const address of addresses.split(' ')) expect([address, reachOf(address)]).toEqual([address, reach])
})

describe('a listed URL', () => {
  const listed = [
    'http://a.example/pub',
    'ftp://f.example/',
    'https://b.example:8443/x.iso',
    'rsync://r.example/m/',
  ]
  test.each([
    'http://a.example/pub',
    'http://A.example:80/pub/',
    'http://a.example/pub/x/y.iso?z',
    'http://a.example/q/../pub/x',
    'ftp://f.example/any',
    'https://b.example:8443/x.iso',
    'rsync://r.example:873/m/os/',
  ])('holds %s', (url) => expect(isBelowUrl(new URL(url), listed)).toBe(true))

  test.each([
    'http://a.example/public',
    'http://a.example/pub/../x',
    'http://a.example/pub/%2e%2e/x',
    'http://a.example/pub/..%2fx',
    'http://a.example/pub/..%5cx',
    'http://a.example/pub/%zz',
    'http://a.example:81/pub/',
    'https://a.example/pub/',
    'http://pub.a.example/pub/',
    'ftp://f.example/%2e%2e%2fx',
    'rsync://r.example/m2/',
    'rsync://r.example:874/m/',
  ])('does not hold %s', (url) => expect(isBelowUrl(new URL(url), listed)).toBe(false))

  test('has no password, and is of a scheme that trees come by', () => {
    for (const url of [
      'file:///etc',
      'http://u:p@a/',
      'http://u@a/',
      '/srv',
      'http:a',
      'gopher://a/',
      'http://a/%2e%2e%2f',
    ])
      expect([url, plainSourceUrl(url)]).toEqual([url, undefined])
    // The URL standard reads these as addresses, and so do we.
    expect(plainSourceUrl('http://0x7f.1/')?.hostname).toBe('127.0.0.1')
    expect(plainSourceUrl('http://2130706433/')?.hostname).toBe('127.0.0.1')
  })
})
