import { describe, expect, test } from 'vitest'
import { plainAddress } from '../../server/core/net/address.ts'
import { familyOf, listenAddresses } from '../../server/protocols/listen-addresses.ts'

const one = (address: string, family: 'IPv4' | 'IPv6') =>
  ({ address, family, netmask: '', mac: '', internal: false, cidr: null, scopeid: 0 }) as never

const machine = {
  lo: [one('127.0.0.1', 'IPv4'), one('::1', 'IPv6')],
  eth0: [
    one('192.0.2.1', 'IPv4'),
    one('192.0.2.2', 'IPv4'),
    one('fe80::1', 'IPv6'),
    one('2001:db8::1', 'IPv6'),
  ],
  eth1: [one('fe80::1', 'IPv6')],
}

describe('the addresses behind a bind', () => {
  test('0.0.0.0 becomes all IPv4 addresses, aliases too', () => {
    expect(listenAddresses('0.0.0.0', machine).map(({ address }) => address)).toEqual([
      '127.0.0.1',
      '192.0.2.1',
      '192.0.2.2',
    ])
  })

  test(':: becomes all addresses, link-local ones with their zone', () => {
    expect(listenAddresses('::', machine)).toContainEqual({ address: 'fe80::1%eth1', family: 6 })
    // Two of lo, four of eth0, one of eth1.
    expect(listenAddresses('::', machine)).toHaveLength(2 + 4 + 1)
  })

  test('one address stays as it is, with its family, whether it has a zone or not', () => {
    expect(listenAddresses('192.0.2.2', machine)).toEqual([{ address: '192.0.2.2', family: 4 }])
    expect(familyOf('fe80::1%eth0')).toBe(6)
  })
})

test('a plain address has no zone and no IPv4-in-IPv6 prefix', () => {
  expect(plainAddress('fe80::1%eth0')).toBe('fe80::1')
  expect(plainAddress('::ffff:192.0.2.7')).toBe('192.0.2.7')
})
