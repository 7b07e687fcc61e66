import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encodeUserClasses,
  userClasses,
  vendorClass,
} from '../../../server/protocols/dhcp/options/classes.ts'
import { etherbootFeatures } from '../../../server/protocols/dhcp/options/etherboot.ts'
import {
  encodeMessageType,
  maxMessageSize,
  messageType,
} from '../../../server/protocols/dhcp/options/message.ts'
import {
  clientArchs,
  encodeClientArchs,
  encodeMachineUuid,
  machineUuid,
  networkInterface,
} from '../../../server/protocols/dhcp/options/pxe-client.ts'
import {
  decodePxe,
  encodePxe,
  type PxeOptions,
  raspberryPiMenu,
  useThisOffer,
} from '../../../server/protocols/dhcp/options/pxe-vendor.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const only = (code: number, value: Uint8Array) => new Map([[code, value]])
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Makes a Buffer and a Uint8Array of the same octets equal. */
const octets = (options: PxeOptions | undefined) =>
  [...(options ?? [])].map(([code, value]) => [code, [...value]])

describe('message type (53) and size (57)', () => {
  test('known types are decoded as they were encoded, and others are undefined', () => {
    for (const type of ['discover', 'offer', 'request', 'ack', 'inform'] as const)
      expect(messageType(only(53, encodeMessageType(type)))).toBe(type)
    for (const value of ['', '00', '09', 'ff', '0101'])
      expect(messageType(only(53, hex(value)))).toBeUndefined()
    expect(messageType(new Map())).toBeUndefined()
  })

  test('a size below 576 is ignored (RFC 2132, 9.10)', () => {
    expect(maxMessageSize(only(57, hex('05c0')))).toBe(1472)
    expect(maxMessageSize(only(57, hex('0240')))).toBe(576)
    expect(maxMessageSize(only(57, hex('023f')))).toBeUndefined()
    expect(maxMessageSize(only(57, hex('05')))).toBeUndefined()
    expect(maxMessageSize(new Map())).toBeUndefined()
  })
})

describe('user class (77)', () => {
  test('the bare text of iPXE and the list of RFC 3004 are read', () => {
    expect(userClasses(only(77, latin1('iPXE')))).toEqual(['iPXE'])
    expect(userClasses(only(77, hex('04 69505845 03 666f6f')))).toEqual(['iPXE', 'foo'])
    expect(userClasses(new Map())).toEqual([])
    expect(userClasses(only(77, hex('')))).toEqual([])
  })

  test('a list that does not end exactly is read as text', () => {
    expect(userClasses(only(77, hex('04 695058')))).toEqual(['\x04iPX'])
    expect(userClasses(only(77, hex('02 6162 00')))).toEqual(['\x02ab'])
  })

  test('a list is decoded as it was encoded', () => {
    const name = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' })
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
        expect(userClasses(only(77, encodeUserClasses(names)))).toEqual(names)
      }),
    )
    const longest = 'x'.repeat(255)
    expect(userClasses(only(77, encodeUserClasses([longest, 'y'])))).toEqual([longest, 'y'])
    expect(() => encodeUserClasses([''])).toThrow(RangeError)
    expect(() => encodeUserClasses(['x'.repeat(256)])).toThrow(RangeError)
  })
})

describe('the options of a PXE client (RFC 4578)', () => {
  test('the vendor class ends at a NUL', () => {
    expect(vendorClass(only(60, latin1('PXEClient\0junk')))).toBe('PXEClient')
    expect(vendorClass(only(60, latin1('')))).toBeUndefined()
  })

  test('architectures have 16 bits each, and an odd length is ignored', () => {
    expect(clientArchs(only(93, hex('0007')))).toEqual([7])
    expect(clientArchs(only(93, hex('00070009')))).toEqual([7, 9])
    expect(clientArchs(only(93, hex('000700')))).toEqual([])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 9 }), (archs) => {
        expect(clientArchs(only(93, encodeClientArchs(archs)))).toEqual(archs)
      }),
    )
  })

  test('the network interface has a type and a version', () => {
    expect(networkInterface(only(94, hex('010310')))).toEqual({ type: 1, major: 3, minor: 16 })
    expect(networkInterface(only(94, hex('0103')))).toBeUndefined()
    expect(networkInterface(new Map())).toBeUndefined()
  })

  test('the UUID comes little-endian, as SMBIOS stores it', () => {
    const raw = hex('00 44454c4c 4200 1035 8052 b4c04f4a3732')
    const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'
    expect(machineUuid(only(97, raw))).toBe(uuid)
    expect(encodeMachineUuid(uuid)).toEqual(raw)
  })

  test('another type, another length, and the placeholder of a board without a UUID are ignored', () => {
    expect(machineUuid(only(97, hex(`01${'11'.repeat(16)}`)))).toBeUndefined()
    expect(machineUuid(only(97, hex('00')))).toBeUndefined()
    expect(machineUuid(only(97, hex('00'.repeat(17))))).toBeUndefined()
    expect(machineUuid(only(97, hex(`00${'ff'.repeat(16)}`)))).toBeUndefined()
  })
})

describe('PXE sub-options (43)', () => {
  test('sub-options are decoded as they were encoded', () => {
    const value = fc.uint8Array({ maxLength: 255 }).map((each) => Uint8Array.from(each))
    const codes = fc.integer({ min: 1, max: 254 })
    fc.assert(
      fc.property(fc.array(fc.tuple(codes, value), { maxLength: 6 }), (pairs) => {
        const options = new Map(pairs)
        expect(octets(decodePxe(encodePxe(options)))).toEqual(octets(options))
      }),
    )
  })

  test('any bytes give sub-options or undefined', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => {
        const found = decodePxe(raw)
        if (found) expect(octets(decodePxe(encodePxe(found)))).toEqual(octets(found))
      }),
    )
    expect(decodePxe(hex('06 02 08'))).toBeUndefined()
    expect(decodePxe(hex('06'))).toBeUndefined()
  })

  test('pad is skipped, END may be missing, and nothing after END counts', () => {
    expect(octets(decodePxe(hex('00 06 01 08 00 00 47 00 ff 0a')))).toEqual([
      [6, [8]],
      [71, []],
    ])
    expect(octets(decodePxe(hex('06 01 08')))).toEqual([[6, [8]]])
  })

  test('a sub-option has at most 255 octets', () => {
    expect(encodePxe(only(9, new Uint8Array(255)))).toHaveLength(2 + 255 + 1)
    expect(() => encodePxe(only(9, new Uint8Array(256)))).toThrow(RangeError)
  })

  test('the sub-options of our replies have the exact bytes that clients know', () => {
    expect(encodePxe(useThisOffer())).toEqual(hex('06 01 08 ff'))
    // The bytes that Raspberry Pis are known to take.
    expect(Buffer.from(encodePxe(raspberryPiMenu())).toString('hex')).toBe(
      '0601030a0400505845091400001152617370626572727920506920426f6f74ff',
    )
  })
})

test('features of iPXE (175), as QEMU’s ROM of 2019 sends them', () => {
  const raw = hex(
    'b105 0000000000 eb03 010000 17 01 01 22 01 01 13 01 01 11 01 01 27 01 01 19 01 01 10 01 02 21 01 01',
  )
  expect([...(etherbootFeatures(only(175, raw)) ?? [])]).toEqual(
    expect.arrayContaining(['http', 'iscsi', 'menu', 'multiboot', 'pxeext', 'dns']),
  )
  // 0xb1 (a PCI device) and 0xeb (a version) are not features.
  expect([...(etherbootFeatures(only(175, hex('b1 01 00 eb 01 00 13 01 01'))) ?? [])]).toEqual(['http'])
  expect(etherbootFeatures(only(175, hex('b1 40 00')))).toBeUndefined()
  expect(etherbootFeatures(new Map())).toBeUndefined()
})
