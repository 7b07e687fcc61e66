import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addressWithZone,
  canonicalIp,
  ipv4FromHex,
  ipv4Hex,
  ipv4HexCovers,
  isSameIp,
  plainAddress,
} from '../../../server/core/net/address.ts'
import { canonicalMac } from '../../../server/core/net/mac.ts'
import {
  canonicalSerial,
  canonicalUuid,
  isPlaceholderSerial,
  isPlaceholderUuid,
  swapUuid,
} from '../../../server/core/net/uuid.ts'
import { anyText } from '../../support/any-text.ts'

const hexByte = fc.integer({ min: 0, max: 255 }).map((byte) => byte.toString(16).padStart(2, '0'))
const bytes = (count: number) => fc.array(hexByte, { minLength: count, maxLength: count })
const inCase = (text: string, upper: boolean) => (upper ? text.toUpperCase() : text)
const uuid = bytes(16).map((b) => b.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'))

describe('MAC addresses', () => {
  test.each([
    '52:54:00:aa:bb:01',
    '52-54-00-AA-BB-01',
    '52.54.00.aa.bb.01',
    '525400aabb01',
    '5254.00AA.BB01',
    '52%3A54%3a00%3Aaa%3Abb%3A01',
    '01-52-54-00-aa-bb-01',
    '01-52-54-00-AA-BB-01',
    '06-52-54-00-aa-bb-01',
    '01:52:54:00:aa:bb:01',
    ' 52:54:00:aa:bb:01\r\n',
  ])('%j is 52:54:00:aa:bb:01', (text) => expect(canonicalMac(text)).toBe('52:54:00:aa:bb:01'))

  test.each([
    '',
    '52:54:00:aa:bb',
    '52:54:00:aa:bb:01:02',
    '52:54:00:aa:bb:0g',
    '52:54-00:aa:bb:01',
    '52:54:00:aa:bb:01 eth0',
    '52:54:00:aa:bb:01;rm',
    '02-52-54-00-aa-bb-01',
    '5254.00aabb01',
    '５２:54:00:aa:bb:01',
    '01-'.repeat(100_000),
  ])('%.40j is not a MAC address', (text) => expect(canonicalMac(text)).toBeUndefined())

  test('every spelling of an address has the same canonical form, which is canonical itself', () => {
    const separators = fc.constantFrom(':', '-', '.', '', '%3A', '%3a')
    fc.assert(
      fc.property(
        bytes(6),
        separators,
        fc.boolean(),
        fc.constantFrom('', '01-'),
        (b, separator, upper, type) => {
          // The hardware type stands only before a MAC with `:` or `-` between its bytes.
          const prefix = separator === '' || separator === '.' ? '' : type
          const mac = b.join(':')
          expect(canonicalMac(prefix + inCase(b.join(separator), upper))).toBe(mac)
          expect(canonicalMac(mac)).toBe(mac)
        },
      ),
    )
  })
})

describe('UUIDs', () => {
  test.each([
    '4c4c4544-0042-3510-8052-b4c04f4a3732',
    '4C4C4544-0042-3510-8052-B4C04F4A3732',
    '{4c4c4544-0042-3510-8052-b4c04f4a3732}',
    'urn:uuid:4c4c4544-0042-3510-8052-b4c04f4a3732',
    '4c4c4544004235108052b4c04f4a3732',
  ])('%s is a spelling of one UUID', (text) =>
    expect(canonicalUuid(text)).toBe('4c4c4544-0042-3510-8052-b4c04f4a3732'),
  )

  test.each([
    '',
    'Not Settable',
    '4c4c4544-00423510-8052-b4c04f4a3732',
    '4c4c4544-0042-3510-8052-b4c04f4a37322',
    '{}',
    '{',
  ])('%j is not a UUID', (text) => expect(canonicalUuid(text)).toBeUndefined())

  test('PXELINUX asks for the raw SMBIOS bytes', () => {
    expect(swapUuid('4c4c4544-0042-3510-8052-b4c04f4a3732')).toBe('44454c4c-4200-1035-8052-b4c04f4a3732')
  })

  test('swapping twice gives the same UUID, and a swapped UUID is canonical', () => {
    fc.assert(
      fc.property(uuid, (value) => {
        expect(swapUuid(swapUuid(value))).toBe(value)
        expect(canonicalUuid(swapUuid(value))).toBe(swapUuid(value))
      }),
    )
  })
})

describe('IP addresses', () => {
  test.each([
    ['10.0.0.7', '10.0.0.7'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['::FFFF:0a00:0007', '10.0.0.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::', '::'],
  ])('%s is %s', (text, ip) => expect(canonicalIp(text)).toBe(ip))

  test.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.7',
    '10.0.0.7/24',
    '1:2',
    '::g',
    'host',
    '1.2.3.4:80',
    '::1]/@x',
    '٣.1.1.1',
  ])('%j is not an IP address', (text) => expect(canonicalIp(text)).toBeUndefined())

  test.each([
    ['192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7%eth0', '192.0.2.7', '192.0.2.7%eth0'],
    ['fe80::1%eth0', 'fe80::1', 'fe80::1%eth0'],
    ['2001:db8::1', '2001:db8::1', '2001:db8::1'],
  ])('the socket address %s is %s for people and %s for connecting', (address, plain, zoned) => {
    expect(plainAddress(address)).toBe(plain)
    expect(addressWithZone(address)).toBe(zoned)
  })

  test.each([
    ['2001:DB8:0::1', '2001:db8::1', true],
    ['fe80::1', 'fe80::1%eth0', true],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.1', '192.000.2.1', false],
    ['::1', '127.0.0.1', false],
    ['nonsense', 'nonsense', false],
    ['', '', false],
  ])('%j and %j are one address: %j', (a, b, same) => expect(isSameIp(a, b)).toBe(same))

  test('the hex spelling of file names is encoded and decoded', () => {
    expect(ipv4Hex('10.99.0.58')).toBe('0A63003A')
    expect(ipv4FromHex('0A63003A')).toBe('10.99.0.58')
    expect([ipv4Hex('::1'), ipv4FromHex('0A63003'), ipv4FromHex('0A63003AA')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    fc.assert(fc.property(fc.ipV4(), (ip) => ipv4FromHex(ipv4Hex(ip) ?? '') === ip))
  })

  test('every shortened name covers its address', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 1, max: 8 }), (ip, length) =>
        ipv4HexCovers(ipv4Hex(ip)?.slice(0, length) ?? '', ip),
      ),
    )
    expect(ipv4HexCovers('0a63', '10.99.0.58')).toBe(true)
    expect(ipv4HexCovers('0A64', '10.99.0.58')).toBe(false)
    expect(ipv4HexCovers('', '10.99.0.58')).toBe(false)
    expect(ipv4HexCovers('2', '2001:db8::1')).toBe(false)
  })
})

test('arbitrary text gives a canonical identity or undefined', () => {
  fc.assert(
    fc.property(anyText({ maxLength: 60 }), (text) => {
      for (const canonical of [canonicalMac, canonicalUuid, canonicalSerial, canonicalIp]) {
        const once = canonical(text)
        if (once !== undefined) expect(canonical(once)).toBe(once)
      }
    }),
  )
})

test.each([
  ['00000000-0000-0000-0000-000000000000', true],
  ['FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF', true],
  ['03000200-0400-0500-0006-000700080009', true],
  ['00020003-0004-0005-0006-000700080009', true],
  ['0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a', true],
  ['4c4c4544-0042-3510-8052-b4c04f4a3732', false],
  ['0', false],
])('the UUID %s identifies no machine: %s', (text, isPlaceholder) => {
  expect(isPlaceholderUuid(text)).toBe(isPlaceholder)
})

test.each([
  [' To be filled by O.E.M.', true],
  ['Default string', true],
  ['0', true],
  ['CZC1234567', false],
  ['00', true],
  ['0123456789', true],
  ['xxxxxxxx', true],
  ['123456', false],
])('the serial number %j identifies no machine: %s', (text, isPlaceholder) => {
  expect(isPlaceholderSerial(text)).toBe(isPlaceholder)
})
