import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import type { Extent } from '../../../server/files/iso/image.ts'
import { decodeName, type RockRidge, readRockRidge, readSp } from '../../../server/files/iso/rock-ridge.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { continuationField, field } from '../../support/iso/write-iso.ts'

/** A field of these bytes and text behind its first four. */
const fieldOf = (kind: string, ...parts: readonly (string | readonly number[])[]) =>
  field(kind, ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))))

interface Reading {
  /** The continuation areas, by their place in the image. */
  readonly areas?: ReadonlyMap<number, Buffer>
  readonly blockBytes?: number
  readonly onRead?: (extent: Extent) => void
}

/** Decodes fields that begin at byte 100. */
function read(fields: readonly Buffer[], reading: Reading = {}): Promise<RockRidge> {
  const { areas, blockBytes = 2048, onRead } = reading
  const readMore = (extent: Extent) => {
    onRead?.(extent)
    return Promise.resolve(areas?.get(extent.offset) ?? Buffer.alloc(0))
  }
  return readRockRidge({ image: imageOf(Buffer.alloc(0)), blockBytes, readMore }, Buffer.concat(fields), 100)
}

const nm = (flags: number, text = '') => fieldOf('NM', [flags], text)
const found = (values: Partial<RockRidge>) => ({ isRelocated: false, ...values })

describe('SP of the root', () => {
  const sp = Buffer.from([0x53, 0x50, 7, 1, 0xbe, 0xef, 5, 99])
  test('says how many bytes each record skips', () => {
    expect(readSp(sp)).toEqual({ skip: 5 })
    expect(readSp(sp.subarray(0, 7))).toEqual({ skip: 5 })
  })

  test('is not there when it is short, or has another name or check bytes', () => {
    expect(readSp(sp.subarray(0, 6))).toBeUndefined()
    for (const [at, value] of [
      [0, 0x52],
      [1, 0x51],
      [4, 0xbf],
      [5, 0xee],
    ] as const) {
      const other = Buffer.from(sp)
      other[at] = value
      expect(readSp(other), `byte ${at}`).toBeUndefined()
    }
  })
})

describe('a name (NM)', () => {
  test.each<readonly [string, readonly Buffer[], string | undefined]>([
    ['in one field', [nm(0, 'name')], 'name'],
    ['continued in a second field (CONTINUE)', [nm(1, 'na'), nm(0, 'me')], 'name'],
    ['in pieces that cut a letter', [nm(1, 'u'), fieldOf('NM', [1, 0xc3]), fieldOf('NM', [0, 0xa9])], 'ué'],
    ['of the folder itself (CURRENT)', [nm(2, 'name')], undefined],
    ['of its parent (PARENT)', [nm(4, 'name')], undefined],
    ['of the host (reserved), which is a name like any other', [nm(0x20, 'name')], 'name'],
    ['without letters', [nm(0)], undefined],
    ['without flags', [fieldOf('NM')], undefined],
    ['in no field', [], undefined],
  ])('%s', async (_, fields, name) => {
    expect(await read(fields)).toStrictEqual(found(name === undefined ? {} : { name }))
  })

  test('that is not UTF-8 is read as Latin-1, and a byte order mark is kept', () => {
    expect(decodeName(Buffer.from([0x66, 0xfc, 0x72]))).toBe('für')
    expect(decodeName(Buffer.from('\ufeffa'))).toBe('\ufeffa')
  })
})

describe('the mode (PX)', () => {
  test.each([
    ['with all its numbers', [0xed, 0x41, 0, 0, ...Array(28).fill(7)], found({ mode: 0o40755 })],
    ['with the mode alone', [0xa4, 0x81, 0, 0], found({ mode: 0o100644 })],
    ['cut in the mode', [0xa4, 0x81, 0], found({})],
  ])('%s', async (_, bytes, expected) => {
    expect(await read([fieldOf('PX', bytes)])).toStrictEqual(expected)
  })
})

describe('the times (TF)', () => {
  const early = [100, 1, 2, 3, 4, 5, 0]
  const late = [124, 4, 14, 12, 34, 56, 4]
  const longEarly = ['2000010203040500', [0]] as const
  const longLate = ['2024041412345600', [4]] as const
  const modifiedMs = Date.parse('2024-04-14T11:34:56Z')

  test.each<readonly [string, Buffer, Partial<RockRidge>]>([
    ['modification alone', fieldOf('TF', [2], late), { modifiedMs }],
    ['behind creation', fieldOf('TF', [3], early, late), { modifiedMs }],
    ['before access and attributes', fieldOf('TF', [0x0e], late, early, early), { modifiedMs }],
    ['creation and access without modification', fieldOf('TF', [5], early, late), {}],
    ['no times', fieldOf('TF', [0]), {}],
    ['a field without flags', fieldOf('TF'), {}],
    ['cut by one byte', fieldOf('TF', [2], late.slice(0, 6)), {}],
    ['cut by one byte behind creation', fieldOf('TF', [3], early, late.slice(0, 6)), {}],
    ['not set: month 0', fieldOf('TF', [2], [124, 0, 14, 12, 34, 56, 0]), {}],
    ['modification in digits', fieldOf('TF', [0x82], ...longLate), { modifiedMs }],
    ['behind creation in digits', fieldOf('TF', [0x83], ...longEarly, ...longLate), { modifiedMs }],
    ['digits cut by one byte', fieldOf('TF', [0x82], longLate[0]), {}],
    ['digits cut by one byte behind creation', fieldOf('TF', [0x83], ...longEarly, longLate[0]), {}],
    ['digits that are not set', fieldOf('TF', [0x82], '0'.repeat(16), [0]), {}],
    ['digits that are none', fieldOf('TF', [0x82], ' '.repeat(16), [0]), {}],
  ])('%s', async (_, bytes, expected) => {
    expect(await read([bytes])).toStrictEqual(found(expected))
  })
})

describe('a symlink (SL)', () => {
  const part = (flags: number, text = ''): readonly (string | readonly number[])[] => [
    [flags, text.length],
    text,
  ]
  test.each<readonly [string, readonly Buffer[], string]>([
    ['of names', [fieldOf('SL', [0], ...part(0, 'a'), ...part(0, 'bc'))], 'a/bc'],
    [
      'with the folder itself and its parent',
      [fieldOf('SL', [0], ...part(2), ...part(4), ...part(0, 'x'))],
      './../x',
    ],
    ['from the root', [fieldOf('SL', [0], ...part(8), ...part(0, 'etc'), ...part(0, 'x'))], '/etc/x'],
    ['to the root', [fieldOf('SL', [0], ...part(8))], '/'],
    ['from the root of the volume', [fieldOf('SL', [0], ...part(16), ...part(0, 'x'))], '/x'],
    ['that names the host', [fieldOf('SL', [0], ...part(32), ...part(0, 'x'))], '/x'],
    ['that leaves later', [fieldOf('SL', [0], ...part(0, 'x'), ...part(8), ...part(0, 'y'))], '/x//y'],
    [
      'with a component in pieces',
      [fieldOf('SL', [0], ...part(1, 'lo'), ...part(1, 'n'), ...part(0, 'g'), ...part(0, 'x'))],
      'long/x',
    ],
    [
      'with a component in pieces of two fields',
      [fieldOf('SL', [1], ...part(1, 'lo')), fieldOf('SL', [0], ...part(0, 'ng'), ...part(0, 'x'))],
      'long/x',
    ],
    ['whose last component is cut', [fieldOf('SL', [0], [0, 9], 'ab')], 'ab'],
    ['whose last component has no length', [fieldOf('SL', [0], ...part(0, 'ab'), [0])], 'ab'],
    ['of no components', [fieldOf('SL', [0])], ''],
  ])('%s', async (_, fields, target) => {
    expect(await read(fields)).toStrictEqual(found({ target }))
  })

  test('without flags is none', async () => {
    expect(await read([fieldOf('SL')])).toStrictEqual(found({}))
  })
})

describe('other fields', () => {
  const size = [1, 2, 0, 0]
  test.each<readonly [string, Buffer, Partial<RockRidge>]>([
    ['CL', fieldOf('CL', size), { childBlock: 0x201 }],
    ['a cut CL', fieldOf('CL', size.slice(1)), {}],
    ['RE', fieldOf('RE'), { isRelocated: true }],
    ['ZF', fieldOf('ZF', 'pz', [4, 15], size, size), { zisofsBytes: 0x201 }],
    ['a cut ZF', fieldOf('ZF', 'pz', [4, 15], size, size.slice(1)), {}],
    ['ZF of another algorithm', fieldOf('ZF', 'PZ', [4, 15], size, size), {}],
    ['ER and an unknown field', fieldOf('ER', [1, 2, 3, 4]), {}],
  ])('%s', async (_, bytes, expected) => {
    expect(await read([bytes, fieldOf('XX', [1])])).toStrictEqual(found(expected))
  })
})

describe('the fields of a record', () => {
  test.each<readonly [string, readonly Buffer[]]>([
    ['end with ST', [nm(0, 'a'), fieldOf('ST'), nm(0, 'b')]],
    ['end with zeros in place of ST', [nm(0, 'a'), Buffer.alloc(4), nm(0, 'b')]],
    ['may have three bytes of padding', [nm(0, 'a'), Buffer.from([1, 1, 1])]],
    ['may be of a kind that begins with 0', [fieldOf('\0X', [1]), nm(0, 'a')]],
  ])('%s', async (_, fields) => {
    expect(await read(fields)).toStrictEqual(found({ name: 'a' }))
  })

  test.each([
    ['too short', Buffer.from([0x58, 0x58, 3, 1]), 4, 3],
    ['of length 0, but not zeros', Buffer.from([0x58, 0x58, 0, 1]), 4, 0],
    ['longer than the record', Buffer.from([0x58, 0x58, 6, 1, 9]), 5, 6],
  ])('%s are refused with their place', async (_, bytes, room, length) => {
    const message = `x.iso, byte 106: expected a system use field of 4 to ${room} bytes, found ${length}`
    await expect(read([nm(0, 'a'), bytes])).rejects.toThrow(message)
  })
})

describe('continuation areas (CE)', () => {
  test('lie at a block and an offset, and what follows CE in the record counts too', async () => {
    const asked: Extent[] = []
    const ce = continuationField({ block: 3, offset: 40, length: 11 })
    const areas = new Map([[3 * 512 + 40, nm(0, 'second')]])
    const result = await read([ce, nm(1, 'first-')], {
      areas,
      blockBytes: 512,
      onRead: (each) => asked.push(each),
    })
    expect(result).toStrictEqual(found({ name: 'first-second' }))
    expect(asked).toEqual([{ offset: 1576, length: 11 }])
  })

  test('of a cut CE are not read', async () => {
    const cut = field('CE', Buffer.alloc(23, 1))
    expect(await read([cut, nm(0, 'a')], { onRead: () => expect.fail('an area was read') })).toStrictEqual(
      found({ name: 'a' }),
    )
  })

  test('may be so many, and no more', async () => {
    const { entries } = imageLimits.recordContinuations
    /** Each area has a CE to the next one; the last has a name. */
    const chain = (count: number) => {
      const next = (at: number) => continuationField({ block: at, offset: 0, length: 28 })
      const areas = Array.from({ length: count }, (_, i): [number, Buffer] => [
        i * 2048,
        i === count - 1 ? nm(0, 'end') : next(i + 1),
      ])
      return read([next(0)], { areas: new Map(areas) })
    }
    expect(await chain(entries)).toStrictEqual(found({ name: 'end' }))
    await expect(chain(entries + 1)).rejects.toThrow(`x.iso, byte ${(entries - 1) * 2048}: `)
  })
})
