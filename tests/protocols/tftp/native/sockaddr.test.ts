import { expect, test } from 'vitest'
import { toSockaddr } from '../../../../server/protocols/tftp/native/sockaddr.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('IPv4: the family is little-endian, port and address are big-endian', () => {
  expect(hex(toSockaddr('192.0.2.7', 69, 4))).toBe(`02000045c0000207${'00'.repeat(8)}`)
})

test.each([
  ['::1', '00000000000000000000000000000001'],
  ['::', '00000000000000000000000000000000'],
  ['fe80::1:2', 'fe800000000000000000000000010002'],
  ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
  ['1::', '00010000000000000000000000000000'],
  ['::ffff:192.0.2.7', '00000000000000000000ffffc0000207'],
])('IPv6 %s', (address, octets) => {
  expect(hex(toSockaddr(address, 1, 6))).toBe(`0a00000100000000${octets}00000000`)
})

test('a zone becomes the index of its interface', () => {
  const one = {
    address: 'fe80::9',
    family: 'IPv6' as const,
    netmask: '',
    mac: '',
    internal: false,
    cidr: null,
  }
  const interfaces = { eth0: [{ ...one, scopeid: 7 }] }
  expect(toSockaddr('fe80::1%eth0', 1, 6, interfaces)[24]).toBe(7)
  expect(toSockaddr('fe80::1%3', 1, 6)[24]).toBe(3)
})

test.each(['1.2.3', '1.2.3.256', 'x', ''])('%j is refused as an IPv4 address', (text) => {
  expect(() => toSockaddr(text, 1, 4)).toThrow(RangeError)
})

test.each(['1:2', '1::2::3:4:5:6:7:8:9', 'g::', '1:2:3:4:5:6:7:8:9', ''])(
  '%j is refused as an IPv6 address',
  (text) => {
    expect(() => toSockaddr(text, 1, 6)).toThrow(RangeError)
  },
)
