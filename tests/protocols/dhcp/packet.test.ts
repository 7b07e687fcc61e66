import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureKind } from '../../../server/core/failure.ts'
import {
  broadcastFlag,
  type DhcpPacket,
  decodePacket,
  encodeAddress,
  encodePacket,
  type Malformed,
  maxPacketBytes,
} from '../../../server/protocols/dhcp/packet.ts'
import { clients, request } from '../../support/dhcp.ts'
import { runs } from '../../support/fuzz.ts'

const word = fc.integer({ min: 0, max: 0xffff })
const octet = fc.integer({ min: 0, max: 255 })
const address = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'))
const text = (most: number) =>
  fc
    .array(fc.integer({ min: 1, max: 255 }), { maxLength: most })
    .map((codes) => String.fromCharCode(...codes))
const bytes = (most: number) => fc.uint8Array({ maxLength: most }).map((value) => Uint8Array.from(value))
/** Not 52: the codec adds and removes the overload option by itself. */
const code = fc.integer({ min: 1, max: 254 }).filter((each) => each !== 52)
const packet: fc.Arbitrary<DhcpPacket> = fc.record({
  op: fc.constantFrom('request' as const, 'reply' as const),
  htype: octet,
  hops: octet,
  xid: fc.integer({ min: 0, max: 0xffff_ffff }),
  secs: word,
  flags: word,
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  chaddr: bytes(16),
  sname: fc.oneof(fc.constant(''), text(63)),
  file: fc.oneof(fc.constant(''), text(127)),
  options: fc
    .array(fc.tuple(code, bytes(600)), { maxLength: 5 })
    .map((pairs) => new Map<number, Uint8Array>(pairs)),
})

/** Makes a Buffer and a Uint8Array of the same octets equal. */
const plain = (given: DhcpPacket | Malformed): unknown =>
  'malformed' in given
    ? given
    : {
        ...given,
        chaddr: [...given.chaddr],
        options: [...given.options].map(([each, value]) => [each, [...value]]),
      }

function read(raw: Uint8Array): DhcpPacket {
  const found = decodePacket(raw)
  if ('malformed' in found) throw new Error(found.malformed)
  return found
}

const malformed = (raw: Uint8Array): string => {
  const found = decodePacket(raw)
  return 'malformed' in found ? found.malformed : 'a packet'
}

const discover = encodePacket(request('discover', { mac: '52:54:00:aa:bb:01', ...clients.uefi }))
/** The first 240 octets of `discover` are its header and cookie. */
const withOptions = (...octets: readonly number[]): Buffer =>
  Buffer.concat([discover.subarray(0, 240), Buffer.from(octets)])

describe('the laws of the codec', () => {
  test('a packet is decoded as it was encoded, long options in parts and overflowing ones in file and sname', () => {
    fc.assert(
      fc.property(packet, fc.integer({ min: 300, max: 4000 }), (one, most) => {
        let raw: Buffer
        try {
          raw = encodePacket(one, most)
        } catch (error) {
          expect(failureKind(error)).toBe('too-large')
          return
        }
        expect(raw.length).toBeLessThanOrEqual(most)
        expect(plain(read(raw))).toEqual(plain(one))
      }),
    )
  })

  test('a packet is not refused when its options have exactly the room that they need', () => {
    fc.assert(
      fc.property(packet, (one) => {
        const big = encodePacket(one, maxPacketBytes)
        expect(plain(read(big))).toEqual(plain(one))
        if (big.length > 300) expect(encodePacket(one, big.length)).toEqual(big)
      }),
    )
  })

  test('any bytes give a packet or a reason, never an exception, and a packet keeps its meaning when it is encoded again', () => {
    const nearly = fc
      .tuple(fc.uint8Array({ maxLength: 400 }), fc.array(fc.tuple(fc.nat(330), octet), { maxLength: 12 }))
      .map(([tail, edits]) => {
        const raw = Buffer.concat([discover.subarray(0, 240), Buffer.from(tail)])
        for (const [place, value] of edits) if (place < raw.length) raw[place] = value
        return raw
      })
    const any = fc.uint8Array({ maxLength: 600 }).map((value) => Buffer.from(value))
    fc.assert(
      fc.property(fc.oneof(any, nearly), (raw) => {
        const found = decodePacket(raw)
        if ('malformed' in found) return
        if (found.file.length > 127 || found.sname.length > 63) return // no NUL at the end: read, never written
        expect(plain(read(encodePacket(found, maxPacketBytes)))).toEqual(plain(found))
      }),
      { numRuns: runs(500) },
    )
  })

  test('a truncated packet gives a reason or a shorter list of options', () => {
    for (let length = 0; length < discover.length; length++) {
      const found = decodePacket(discover.subarray(0, length))
      if ('malformed' in found) expect(found.malformed).not.toBe('')
      else expect(length).toBeGreaterThanOrEqual(240)
    }
  })
})

describe('limits from both sides', () => {
  test('a packet has at least its header and cookie', () => {
    expect(malformed(discover.subarray(0, 239))).toMatch(/239 octets; a DHCP packet has 240 to 4096/)
    expect(plain(decodePacket(discover.subarray(0, 240)))).toMatchObject({ options: [] })
    const padded = (length: number) => Buffer.concat([discover, Buffer.alloc(length - discover.length)])
    expect(read(padded(4096)).options.size).toBe(3)
    expect(malformed(padded(4097))).toMatch(/4097 octets/)
  })

  test('an option may end with the packet, but not after it', () => {
    expect(read(withOptions(60, 2, 1, 2)).options.get(60)).toEqual(Buffer.from([1, 2]))
    expect(malformed(withOptions(60, 3, 1, 2))).toBe('option 60 says 3 octets, and only 2 follow')
    expect(malformed(withOptions(60))).toBe('option 60 ends before its length')
  })

  test('nothing after END counts', () => {
    expect([...read(withOptions(53, 1, 1, 255, 60, 200)).options.keys()]).toEqual([53])
  })

  test('a hardware address has at most 16 octets', () => {
    const raw = Buffer.from(discover)
    raw[2] = 16
    expect(read(raw).chaddr.length).toBe(16)
    raw[2] = 17
    expect(malformed(raw)).toMatch(/17 octets; there is room for 16/)
    const ofLength = (length: number) => encodePacket({ ...read(discover), chaddr: new Uint8Array(length) })
    expect(ofLength(16)[2]).toBe(16)
    expect(() => ofLength(17)).toThrow(/17 octets; at most 16/)
  })

  test('an address is four numbers of one octet each', () => {
    expect([...encodeAddress('0.10.200.255')]).toEqual([0, 10, 200, 255])
    for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.-4', '1.2.3.4.', '1.2..4', '1.2.3.x'])
      expect(() => encodeAddress(text), text).toThrow(/is not an IPv4 address/)
    for (const text of ['1.2.3.0x4', '1.2.3.4e0', '1.2.3.4.0', '1.2.3. 4', '::1'])
      expect(() => encodeAddress(text), text).toThrow(/is not an IPv4 address/)
  })

  test('BOOTP without cookie is refused, and an op that is neither request nor reply', () => {
    const raw = Buffer.from(discover)
    raw[0] = 3
    expect(malformed(raw)).toBe('op 3; expected 1 (request) or 2 (reply)')
    raw[0] = 1
    raw[236] = 0
    expect(malformed(raw)).toMatch(/no DHCP magic cookie/)
  })

  test('file takes 127 octets and no more', () => {
    const base = request('discover', { mac: '52:54:00:aa:bb:01' })
    expect(read(encodePacket({ ...base, file: 'x'.repeat(127) })).file).toHaveLength(127)
    expect(() => encodePacket({ ...base, file: 'x'.repeat(128) })).toThrow(/file of 128 octets; at most 127/)
    expect(() => encodePacket({ ...base, file: 'a\0b' })).toThrow(/a DHCP field cannot hold/)
    expect(() => encodePacket({ ...base, file: 'Zürich→' })).toThrow(/a DHCP field cannot hold/)
  })

  test('a reply that cannot fit is refused', () => {
    // Four parts with two octets in front of each, and END: 1009. 548 octets have 240 before the options.
    const options = new Map([[224, new Uint8Array(1000)]])
    expect(() => encodePacket({ ...request('offer', { mac: '52:54:00:aa:bb:01' }), options }, 548)).toThrow(
      /the options need 1009 octets; there is room for 308/,
    )
  })
})

describe('overload and long options', () => {
  test('options read from file, then from sname (RFC 2131, 4.1), are joined in that order (RFC 3396)', () => {
    const raw = withOptions(52, 1, 3, 67, 1, 0x61, 255)
    raw.fill(0, 44, 236)
    raw.set([67, 1, 0x63, 255], 44) // sname
    raw.set([67, 1, 0x62, 255], 108) // file
    const found = read(raw)
    expect(Buffer.from(found.options.get(67) ?? []).toString()).toBe('abc')
    expect(found).toMatchObject({ file: '', sname: '' })
  })

  const base = read(discover)
  const used = { file: 'pxelinux.0', sname: '192.0.2.1' }
  /** Options with the given lengths on the wire: two octets of code and length, then the value. */
  const ofLengths = (...lengths: readonly number[]) =>
    new Map(lengths.map((length, i) => [224 + i, new Uint8Array(length - 2).fill(224 + i)]))
  // 548 octets have 308 for options. END takes one, and the overload option takes three of the main field.
  const [mainField, file, sname] = [[257, 47], [127], [63]]

  test.each([
    { title: 'in the main field alone', lengths: [257, 50], overload: undefined, fields: used },
    { title: 'in file', lengths: [...mainField, ...file], overload: 1, fields: {} },
    {
      title: 'in file beside a used sname',
      lengths: [...mainField, ...file],
      overload: 1,
      fields: { sname: 'x' },
    },
    {
      title: 'in sname beside a used file',
      lengths: [...mainField, ...sname],
      overload: 2,
      fields: { file: 'x' },
    },
    { title: 'in file and sname', lengths: [...mainField, ...file, ...sname], overload: 3, fields: {} },
  ])('options fill their fields to the last octet: $title', ({ lengths, overload, fields }) => {
    const one = { ...base, ...fields, options: ofLengths(...lengths) }
    const raw = encodePacket(one, 548)
    expect(raw).toHaveLength(548)
    expect(raw[547]).toBe(255) // the END of the main field
    if (overload === undefined) expect(raw[240]).toBe(224)
    else expect([...raw.subarray(240, 243)]).toEqual([52, 1, overload])
    if (overload === 1 || overload === 3) expect(raw[235]).toBe(255) // the END of file
    if (overload === 2 || overload === 3) expect(raw[107]).toBe(255) // the END of sname
    expect(plain(read(raw))).toEqual(plain(one))
  })

  test('the overload option counts: an option that fits only without it goes to file', () => {
    const one = { ...base, options: ofLengths(257, 50, 63) }
    const raw = encodePacket(one, 548)
    expect(raw).toHaveLength(240 + 3 + 257 + 1)
    expect([raw[108], raw[108 + 50]]).toEqual([225, 226])
    expect(plain(read(raw))).toEqual(plain(one))
  })

  test.each([
    { title: 'no field is free', lengths: [257, 51], fields: used },
    { title: 'file', lengths: [...mainField, 128], fields: { sname: 'x' } },
    { title: 'sname', lengths: [...mainField, 64], fields: { file: 'x' } },
    { title: 'sname behind file', lengths: [...mainField, ...file, 64], fields: {} },
  ])('one octet too many for the last field is refused: $title', ({ lengths, fields }) => {
    const one = { ...base, ...fields, options: ofLengths(...lengths) }
    expect(() => encodePacket(one, 548)).toThrow(/the options need \d+ octets; there is room for 308/)
    expect(plain(read(encodePacket(one, 1500)))).toEqual(plain(one))
  })

  test('a value of 255 octets is one part, and a longer one is parts of 255 (RFC 3396)', () => {
    const headersOf = (length: number) => {
      const raw = encodePacket({ ...base, options: new Map([[224, new Uint8Array(length)]]) }, 4096)
      const field = raw.subarray(240)
      const headers: number[][] = []
      for (let at = 0; field[at] === 224; at += 2 + (field[at + 1] ?? 0))
        headers.push([...field.subarray(at, at + 2)])
      return headers
    }
    expect(headersOf(0)).toEqual([[224, 0]])
    expect(headersOf(255)).toEqual([[224, 255]])
    expect(headersOf(256)).toEqual([
      [224, 255],
      [224, 1],
    ])
  })

  test('pad, END and overload among the options are not sent', () => {
    const options = new Map([0, 52, 53, 255].map((each) => [each, Uint8Array.of(1)]))
    expect([...encodePacket({ ...base, options }).subarray(240, 245)]).toEqual([53, 1, 1, 255, 0])
  })

  test('pad between options is skipped', () => {
    const found = read(withOptions(0, 0, 53, 1, 1, 0, 60, 1, 0x61, 0))
    expect([...found.options.keys()]).toEqual([53, 60])
  })

  test('overload of another value, or within an overloaded field, is refused', () => {
    expect(malformed(withOptions(52, 1, 4, 255))).toMatch(/option overload 04; expected 01, 02 or 03/)
    expect(malformed(withOptions(52, 1, 0, 255))).toMatch(/option overload 00;/)
    expect(malformed(withOptions(52, 0, 255))).toMatch(/option overload ;/)
    expect(malformed(withOptions(52, 2, 1, 1, 255))).toMatch(/option overload 0101/)
    const raw = withOptions(52, 1, 1, 255)
    raw.set([52, 1, 2, 255], 108)
    expect(malformed(raw)).toBe('option overload inside an overloaded field')
    raw.set([60, 200], 108)
    expect(malformed(raw)).toBe('option 60 says 200 octets, and only 126 follow (in the file field)')
    const damagedSname = withOptions(52, 1, 2, 255)
    damagedSname.set([60, 200], 44)
    expect(malformed(damagedSname)).toBe('option 60 says 200 octets, and only 62 follow (in the sname field)')
  })

  test('the broadcast flag is the top bit', () => {
    const flagged = { ...request('discover', { mac: '52:54:00:aa:bb:01' }), flags: broadcastFlag }
    expect(encodePacket(flagged)[10]).toBe(0x80)
  })

  test('a packet is never shorter than BOOTP’s 300 octets', () => {
    expect(discover.length).toBe(300)
  })
})
