import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ackBlock,
  decodePacket,
  encodePacket,
  type Malformed,
  maxDataBytes,
  maxOptions,
  maxRequestBytes,
  type Packet,
  writeDataHeader,
} from '../../../../server/protocols/tftp/wire/packet.ts'
import { runs } from '../../../support/fuzz.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Makes a Buffer and a Uint8Array of the same octets equal. */
const plain = (packet: Packet | Malformed): unknown =>
  packet.type === 'data' ? { ...packet, data: [...packet.data] } : packet

const word = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !text.includes('\0'))
const name = word.map((text) => text.toLowerCase()).filter((text) => text !== '')
const options = fc.array(fc.tuple(name, word), { maxLength: 6 }).map((pairs) => new Map(pairs))
const number = fc.integer({ min: 0, max: 0xffff })
const request = {
  filename: word.filter((text) => text !== ''),
  mode: fc.constantFrom('octet' as const, 'netascii' as const, 'mail' as const),
  options,
}
const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({ type: fc.constant('rrq' as const), ...request }),
  fc.record({ type: fc.constant('wrq' as const), ...request }),
  fc.record({ type: fc.constant('data' as const), block: number, data: fc.uint8Array({ maxLength: 600 }) }),
  fc.record({ type: fc.constant('ack' as const), block: number }),
  fc.record({ type: fc.constant('error' as const), code: number, message: word }),
  fc.record({ type: fc.constant('oack' as const), options }),
)

describe('encoding and decoding', () => {
  test('an encoded packet decodes to itself', () => {
    fc.assert(
      fc.property(packet, (one) => {
        expect(plain(decodePacket(encodePacket(one)))).toEqual(plain(one))
      }),
    )
  })

  test('any bytes decode to a packet or a reason, never an exception; such a packet can be encoded again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), fc.uint8Array({ maxLength: 80 }), (opcode, rest) => {
        const read = decodePacket(Buffer.concat([Buffer.from([0, opcode]), rest]))
        if (read.type === 'malformed') expect(read.reason).not.toBe('')
        else expect(plain(decodePacket(encodePacket(read)))).toEqual(plain(read))
      }),
      { numRuns: runs(500) },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 12 }), (raw) => decodePacket(raw).type !== undefined))
  })

  test('a packet that is cut short or followed by junk is refused', () => {
    const rrq = encodePacket({
      type: 'rrq',
      filename: 'a',
      mode: 'octet',
      options: new Map([['tsize', '0']]),
    })
    for (let end = 0; end < rrq.length; end++) {
      const part = decodePacket(rrq.subarray(0, end))
      // The first ten octets are a whole request without options.
      if (end === 10) expect(part).toEqual({ type: 'rrq', filename: 'a', mode: 'octet', options: new Map() })
      else expect(part.type).toBe('malformed')
    }
    expect(decodePacket(Buffer.concat([rrq, bytes('junk')])).type).toBe('malformed')
    expect(decodePacket(bytes('\0\x04\0')).type).toBe('malformed')
    expect(decodePacket(bytes('\0\x04\0\x01\0')).type).toBe('malformed')
  })
})

test.each<[string, Packet]>([
  ['a request without a file name', { type: 'rrq', filename: '', mode: 'octet', options: new Map() }],
  ['an option without a name', { type: 'oack', options: new Map([['', '1']]) }],
  ['a NUL in a text', { type: 'error', code: 0, message: 'a\0b' }],
  ['an error code beyond 16 bits', { type: 'error', code: 65_536, message: '' }],
])('%s is not encoded', (_, packet) => {
  expect(() => encodePacket(packet)).toThrow(RangeError)
})

test('the head of a DATA packet can be written in place', () => {
  const target = Buffer.alloc(8, 0xff)
  // 65,537 is the first block after the numbers have wrapped.
  writeDataHeader(target, 2, 65_537)
  const whole = encodePacket({ type: 'data', block: 1, data: Buffer.alloc(0) })
  expect(target).toEqual(Buffer.concat([Buffer.alloc(2, 0xff), whole, Buffer.alloc(2, 0xff)]))
})

describe('requests as clients send them', () => {
  test('option names and modes in any case', () => {
    expect(decodePacket(bytes('\0\x01pxelinux.0\0OcTeT\0TSIZE\x000\0BlkSize\x001408\0'))).toEqual({
      type: 'rrq',
      filename: 'pxelinux.0',
      mode: 'octet',
      options: new Map([
        ['tsize', '0'],
        ['blksize', '1408'],
      ]),
    })
  })

  test('padding with NULs is not an option', () => {
    expect(decodePacket(bytes('\0\x01a\0octet\0\0\0\0'))).toMatchObject({ type: 'rrq', options: new Map() })
  })

  test('of an option that is given twice, the first counts', () => {
    const read = decodePacket(bytes('\0\x01a\0octet\0blksize\x001024\0BLKSIZE\x00512\0'))
    expect(read).toMatchObject({ options: new Map([['blksize', '1024']]) })
  })

  test.each([
    ['no file name', '\0\x01\0octet\0'],
    ['no mode', '\0\x01a\0'],
    ['an unknown mode', '\0\x01a\0binary\0'],
    ['an option without a value', '\0\x01a\0octet\0tsize\0'],
    ['an option without a name', '\0\x01a\0octet\0\x000\0'],
    ['text that is not UTF-8', '\0\x01\xff\0octet\0'],
    ['no closing NUL', '\0\x01a\0octet'],
    ['an unknown opcode', '\0\x07a\0octet\0'],
    ['nothing', ''],
  ])('refused: %s', (_, raw) => {
    expect(decodePacket(bytes(raw)).type).toBe('malformed')
  })

  test('an ERROR without its closing NUL is accepted', () => {
    expect(decodePacket(bytes('\0\x05\0\x08bye'))).toEqual({ type: 'error', code: 8, message: 'bye' })
  })
})

describe('limits from both sides', () => {
  test('request size', () => {
    const [opcode, mode] = [bytes('\0\x01'), bytes('\0octet\0')]
    const besideTheName = opcode.length + mode.length
    const of = (length: number): Packet => ({
      type: 'rrq',
      filename: 'x'.repeat(length - besideTheName),
      mode: 'octet',
      options: new Map(),
    })
    expect(decodePacket(encodePacket(of(maxRequestBytes))).type).toBe('rrq')
    expect(() => encodePacket(of(maxRequestBytes + 1))).toThrow(RangeError)
    const filename = Buffer.alloc(maxRequestBytes + 1 - besideTheName, 'x')
    const tooLong = Buffer.concat([opcode, filename, mode])
    expect(decodePacket(tooLong).type).toBe('malformed')
  })

  test('DATA size', () => {
    const of = (length: number): Packet => ({ type: 'data', block: 1, data: Buffer.alloc(length) })
    expect(decodePacket(encodePacket(of(maxDataBytes))).type).toBe('data')
    expect(() => encodePacket(of(maxDataBytes + 1))).toThrow(RangeError)
    expect(decodePacket(Buffer.concat([bytes('\0\x03\0\x01'), Buffer.alloc(maxDataBytes + 1)])).type).toBe(
      'malformed',
    )
  })

  test('number of options', () => {
    const of = (count: number): Buffer =>
      bytes(`\0\x01a\0octet\0${Array.from({ length: count }, (_, i) => `o${i}\0v\0`).join('')}`)
    expect(decodePacket(of(maxOptions)).type).toBe('rrq')
    expect(decodePacket(of(maxOptions + 1)).type).toBe('malformed')
  })

  test('block numbers', () => {
    expect(() => encodePacket({ type: 'ack', block: 65536 })).toThrow(RangeError)
    expect(() => encodePacket({ type: 'ack', block: -1 })).toThrow(RangeError)
    expect(ackBlock(encodePacket({ type: 'ack', block: 65535 }))).toBe(65535)
    expect(ackBlock(bytes('\0\x04\0\x01\0'))).toBe(-1)
    expect(ackBlock(bytes('\0\x05\0\x01'))).toBe(-1)
  })
})
