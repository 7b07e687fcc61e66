import { describe, expect, test } from 'vitest'
import { isSignature, readVolumes, signatureAt } from '../../../server/files/iso/volume.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { writeIso } from '../../support/iso/write-iso.ts'

const sector = 2048
const { bytes: disc, folders } = writeIso({ files: { file: 'x' }, joliet: true })
const root = (folders.get('')?.block ?? 0) * sector
const at = (number: number) => disc.subarray(number * sector, (number + 1) * sector)

/** A copy of a descriptor with other bytes at some positions. */
function edited(descriptor: Buffer, edit: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(descriptor)
  edit(bytes)
  return bytes
}
const primary = at(16)
const joliet = at(17)
const end = at(18)
const nothing = Buffer.alloc(sector)
/** A descriptor of another standard, or a type of ISO 9660 of which only the identifier is looked at. */
const marked = (identifier: string, type = 0) =>
  edited(nothing, (bytes) => {
    bytes[0] = type
    bytes.write(identifier, 1, 'latin1')
  })
/** The time of modification, which tells one descriptor from another. */
const ofYear = (descriptor: Buffer, year: number) =>
  edited(descriptor, (bytes) => bytes.write(`${year}0102030405000`, 830, 'latin1'))

/** The volumes of an image with these sectors from 16 on. */
const read = (...sectors: readonly Buffer[]) =>
  readVolumes(imageOf(Buffer.concat([Buffer.alloc(16 * sector), ...sectors])))
/** Which volumes an image has. */
async function kinds(...sectors: readonly Buffer[]): Promise<string[]> {
  return Object.keys(await read(...sectors)).sort()
}

describe('a volume of ISO 9660', () => {
  test('has its size, its root and its time with the zone', async () => {
    const dated = edited(primary, (bytes) => {
      bytes.write('2024041412345678', 830, 'latin1')
      bytes.writeInt8(4, 846)
    })
    expect((await read(dated)).primary).toEqual({
      blockBytes: 2048,
      root: { offset: root, length: 2048 },
      bytes: disc.length,
      modifiedMs: Date.parse('2024-04-14T11:34:56Z'),
      ids: { volume: 'TEST', system: '', publisher: '', application: '' },
    })
    expect((await read(primary)).primary?.modifiedMs).toBe(0)
  })

  test('has identifiers, without what pads them', async () => {
    const named = edited(primary, (bytes) => {
      bytes.write('LINUX'.padEnd(32), 8, 'latin1')
      bytes.write('Fedora-S-dvd-x86_64-40'.padEnd(32), 40, 'latin1')
      bytes.write('FEDORA PROJECT\0junk'.padEnd(128), 318, 'latin1')
      bytes.write('ALT \u041b\u0438\u043d\u0443\u043a\u0441\u001b[31m'.padEnd(100), 574, 'utf8')
    })
    expect((await read(named)).primary?.ids).toEqual({
      system: 'LINUX',
      volume: 'Fedora-S-dvd-x86_64-40',
      publisher: 'FEDORA PROJECT',
      application: 'ALT \u041b\u0438\u043d\u0443\u043a\u0441?[31m',
    })
    // An identifier of full length ends where the next field begins.
    const full = edited(primary, (bytes) => bytes.write('x'.repeat(32), 40, 'latin1'))
    expect((await read(full)).primary?.ids.volume).toBe('x'.repeat(32))
    // ECMA-119 8.4.20: `_` begins the name of a file.
    const file = edited(primary, (bytes) => bytes.write('_PUBLISH.TXT'.padEnd(128), 318, 'latin1'))
    expect((await read(file)).primary?.ids.publisher).toBe('')
  })

  test.each([512, 1024, 2048])('may have blocks of %d bytes', async (blockBytes) => {
    const { primary: volume } = await read(edited(primary, (bytes) => bytes.writeUInt16LE(blockBytes, 128)))
    expect(volume).toMatchObject({
      blockBytes,
      root: { offset: (root / sector) * blockBytes },
      bytes: (disc.length / sector) * blockBytes,
    })
  })

  test.each([0, 256, 1536, 4096])('is refused with blocks of %d bytes', async (blockBytes) => {
    const bytes = edited(primary, (bytes) => bytes.writeUInt16LE(blockBytes, 128))
    const says = `x.iso, byte ${16 * sector + 128}: expected a block size of 512, 1024 or 2048, found ${blockBytes}`
    await expect(read(bytes)).rejects.toThrow(says)
  })

  test('may have an extended attribute record of some blocks in front of its root', async () => {
    const bytes = edited(primary, (bytes) => bytes.writeUInt8(3, 156 + 1))
    expect((await read(bytes)).primary?.root.offset).toBe(root + 3 * sector)
  })

  test.each([
    ['too short', (bytes: Buffer) => bytes.writeUInt8(33, 156)],
    ['no folder', (bytes: Buffer) => bytes.writeUInt8(0xfd, 156 + 25)],
  ])('is refused when the record of its root is %s', async (_, edit) => {
    await expect(read(marked('CD001'), edited(primary, edit))).rejects.toThrow(
      `x.iso, byte ${17 * sector + 156}: expected the record of the root directory`,
    )
  })
})

describe('Joliet', () => {
  test.each([
    ['%/@', 0, true],
    ['%/C', 0, true],
    ['%/E', 0, true],
    ['%/E', 2, true],
    ['%/E', 1, false],
    ['%/A', 0, false],
    ['', 0, false],
  ])('with the escape sequence %j and the flags %d: %s', async (sequence, flags, expected) => {
    const bytes = edited(joliet, (bytes) => {
      bytes.write(sequence.padEnd(3, '\0'), 88, 'latin1')
      bytes[7] = flags
    })
    expect(await kinds(primary, bytes, end)).toEqual(expected ? ['joliet', 'primary'] : ['primary'])
  })

  test('is of type 2, and may be alone', async () => {
    expect(await kinds(joliet, end)).toEqual(['joliet'])
    expect(
      await kinds(
        primary,
        edited(joliet, (bytes) => bytes.writeUInt8(3, 0)),
        end,
      ),
    ).toEqual(['primary'])
  })
})

describe('the descriptors of an image', () => {
  test('the first of each type counts', async () => {
    const found = await read(
      ofYear(primary, 2001),
      ofYear(joliet, 2002),
      ofYear(primary, 2003),
      ofYear(joliet, 2004),
    )
    expect(new Date(found.primary?.modifiedMs ?? 0).getUTCFullYear()).toBe(2001)
    expect(new Date(found.joliet?.modifiedMs ?? 0).getUTCFullYear()).toBe(2002)
  })

  test('a boot record may be before the primary one', async () => {
    expect(await kinds(marked('CD001'), primary, end)).toEqual(['primary'])
  })

  test.each([
    ['BEA01', 'NSR02', 'udf'],
    ['BEA01', 'NSR03', 'udf'],
  ])('%s and %s are UDF, before ISO 9660 or after it', async (begin, identifier, kind) => {
    const udf = [marked(begin), marked(identifier), marked('TEA01')]
    expect(await kinds(...udf)).toEqual([kind])
    expect(await kinds(primary, end, ...udf)).toEqual(['primary', kind])
    expect(await kinds(...udf, primary, end)).toEqual(['primary', kind])
    expect((await read(...udf)).udf).toBe(identifier)
  })

  test('a sector without one ends them', async () => {
    expect(await kinds(primary, end, nothing, joliet)).toEqual(['primary'])
    expect(await kinds(primary, end, nothing, marked('NSR02'))).toEqual(['primary'])
    expect(await kinds(marked('BEA01'), marked('NSR02'), marked('TEA01'), nothing, primary)).toEqual(['udf'])
  })

  test('between those of UDF, every second sector may be empty', async () => {
    const udf = [marked('BEA01'), nothing, marked('NSR02'), nothing, marked('TEA01')]
    expect(await kinds(primary, end, ...udf)).toEqual(['primary', 'udf'])
  })

  test.each(['BOOT2', 'CDW02'])('%s may be among them', async (identifier) => {
    expect(await kinds(marked(identifier), primary, end)).toEqual(['primary'])
  })

  test('may end with the image, also in the middle of a sector', async () => {
    expect(await kinds(primary, joliet)).toEqual(['joliet', 'primary'])
    expect(await kinds(primary, joliet.subarray(0, 2047))).toEqual(['primary'])
  })
})

describe('a file without descriptors is refused, and the message says what was found:', () => {
  test.each([
    ['another mark', 17 * sector, '"\\u0000\\u0000\\u0000\\u0000\\u0000"'],
    ['a file that ends with the mark', signatureAt + 5, '"\\u0000\\u0000\\u0000\\u0000\\u0000"'],
    ['a file that ends before', signatureAt + 4, `the file has only ${signatureAt + 4} bytes`],
  ])('%s', async (_, size, says) => {
    await expect(readVolumes(imageOf(Buffer.alloc(0), size))).rejects.toThrow(
      `x.iso, byte ${signatureAt}: expected "CD001" or "BEA01", the mark of an image with ISO 9660 or UDF; `,
    )
    await expect(readVolumes(imageOf(Buffer.alloc(0), size))).rejects.toThrow(says)
  })

  test('the beginning of UDF alone', async () => {
    await expect(read(marked('BEA01'), marked('TEA01'))).rejects.toThrow('"NSR02" or "NSR03"')
  })

  test('the marks of an image', () => {
    for (const [text, expected] of [
      ['CD001', true],
      ['BEA01', true],
      ['NSR02', false],
      ['', false],
    ] as const)
      expect(isSignature(Buffer.from(text)), text).toBe(expected)
  })
})
