import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openDisc } from '../../../server/files/iso/disc.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { runs } from '../../support/fuzz.ts'
import { fromSparseHex, imageOf, sparseHex, walkImage } from '../../support/iso/walk-image.ts'
import { continuationField, field, type IsoShape, writeIso } from '../../support/iso/write-iso.ts'
import { stating } from '../../support/stating.ts'

const shape: IsoShape = {
  files: {
    '.treeinfo': '[general]\nfamily = Fedora\n',
    'images/pxeboot/vmlinuz': 'kernel',
    'images/pxeboot/initrd.img': 'initrd',
    'a/b/c/d/deep': 'deep',
    [`Packages/${'long'.repeat(40)}.rpm`]: 'rpm',
    link: { target: 'images/../images/pxeboot' },
  },
  joliet: true,
  continuation: true,
  relocated: ['a/b/c'],
}

const primaryAt = 16 * 2048
/** `writeIso` puts files, directories and continuation areas here. */
const firstBlockAt = 20 * 2048
/** The record of the root in the primary volume descriptor (ECMA-119 8.4.18). */
const rootRecordAt = primaryAt + 156
/** In a directory record (ECMA-119 9.1): the first block of the folder or file, and its length. */
const recordField = { block: 2, length: 10 }

/** Where the primary volume descriptor, files, directories and continuation areas have bytes other than 0. */
function vital(bytes: Buffer): number[] {
  const places: number[] = []
  for (let at = primaryAt; at < primaryAt + 2048; at++) if (bytes[at]) places.push(at)
  for (let at = firstBlockAt; at < bytes.length; at++) if (bytes[at]) places.push(at)
  return places
}

describe('a damaged image', () => {
  const good = writeIso(shape).bytes
  const places = vital(good)

  test('has all its files before it is damaged', async () => {
    const { nodes, failures } = await walkImage(good)
    expect(failures).toEqual([])
    expect(nodes.map(([path]) => path)).toEqual(
      expect.arrayContaining(['/a/b/c/d/deep', '/images/pxeboot/vmlinuz', '/link/initrd.img']),
    )
  })

  test('with any bytes changed is read as far as possible, or refused with the place', async () => {
    const change = fc.tuple(
      fc.nat(places.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const bytes = Buffer.from(good)
        for (const [place, value] of changes) bytes[places[place] ?? 0] = value
        const { failures, readings } = await walkImage(bytes)
        expect(readings).toBeLessThan(3000)
        for (const { kind, message } of failures) {
          expect(['invalid-data', 'unsupported']).toContain(kind)
          expect(message).toMatch(/^x\.iso(?:, byte \d+: |: )/)
        }
      }),
      { numRuns: runs(400) },
    )
  })

  test('with a whole field changed is read or refused, whatever the position or length', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(places.length - 1), fc.nat(0xffffffff), async (place, value) => {
        const bytes = Buffer.from(good)
        bytes.writeUInt32LE(value >>> 0, Math.min(places[place] ?? 0, bytes.length - 4))
        const { readings } = await walkImage(bytes)
        expect(readings).toBeLessThan(3000)
      }),
      { numRuns: runs(300) },
    )
  })

  test('cut anywhere is read or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length), async (length) => {
        await walkImage(good.subarray(0, length))
      }),
      { numRuns: runs(200) },
    )
  })

  test('with only random bytes after its descriptors is read or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 2048, maxLength: 8192 }), async (junk) => {
        const bytes = Buffer.from(good)
        bytes.set(junk.subarray(0, bytes.length - firstBlockAt), firstBlockAt)
        await walkImage(bytes)
      }),
      { numRuns: runs(100) },
    )
  })
})

/** Images that attack a reader, each with one fault. */
const hostile: Record<string, () => Buffer> = {
  'a folder that is its own child': () => {
    const { bytes, folders } = writeIso({ files: { 'a/b/file': 'x' } })
    return withFirstChildAt(bytes, folders.get('a')?.block ?? 0, folders.get('a')?.block ?? 0)
  },
  'a folder whose child is the root': () => {
    const { bytes, folders } = writeIso({ files: { 'a/b/file': 'x' } })
    return withFirstChildAt(bytes, folders.get('a')?.block ?? 0, folders.get('')?.block ?? 0)
  },
  'a relocated folder that is above itself': () => {
    const { bytes, folders } = writeIso({ files: { 'a/b/file': 'x' }, relocated: ['a/b'] })
    const at = (folders.get('a')?.block ?? 0) * 2048
    const cl = bytes.indexOf('CL', at)
    bytes.writeUInt32LE(folders.get('a')?.block ?? 0, cl + 4)
    return bytes
  },
  'a continuation area that continues in itself': () => {
    // The CE field of 28 bytes gets its own place as the area.
    const nowhere = continuationField({ block: 0, offset: 0, length: 28 })
    const { bytes, folders } = writeIso({ files: { file: { bytes: 'x', fields: [nowhere] } } })
    const ce = bytes.indexOf('CE', (folders.get('')?.block ?? 0) * 2048)
    bytes.writeUInt32LE(Math.floor(ce / 2048), ce + 4)
    bytes.writeUInt32LE(ce % 2048, ce + 12)
    return bytes
  },
  'a continuation area of four gigabytes': () => {
    const area = continuationField({ block: 20, offset: 0, length: 0xffffffff })
    return writeIso({ files: { file: { bytes: 'x', fields: [area] } } }).bytes
  },
  'a thousand files with the same continuation area': () => {
    const area = continuationField({ block: 16, offset: 0, length: 2048 })
    return writeIso({
      files: Object.fromEntries(
        Array.from({ length: 1000 }, (_, i) => [`f${i}`, { bytes: '', fields: [area] }]),
      ),
    }).bytes
  },
  'a system use field of length 0': () =>
    writeIso({ files: { file: { bytes: 'x', fields: [Buffer.from('XX\0\x01')] } } }).bytes,
  'a name in pieces without end': () =>
    writeIso({
      files: {
        // The flag 1 of NM: the name continues.
        file: { bytes: 'x', fields: Array.from({ length: 20 }, () => field('NM', Buffer.from('\x01n'))) },
      },
    }).bytes,
  'a root of four gigabytes': () => {
    const { bytes } = writeIso({ files: { file: 'x' } })
    bytes.writeUInt32LE(0xffffffff, rootRecordAt + recordField.length)
    return bytes
  },
  'a root that is the whole image': () => {
    const { bytes } = writeIso({ files: { file: 'x' } })
    bytes.writeUInt32LE(0, rootRecordAt + recordField.block)
    bytes.writeUInt32LE(bytes.length, rootRecordAt + recordField.length)
    return bytes
  },
  'a file whose position wraps to before the image': () =>
    writeIso({ files: { file: { pieces: [{ block: 0xffffffff, length: 0xffffffff }] } } }).bytes,
  'a file that never stops continuing': () => {
    // More pieces than the 4096 that a file may have; none continues the one before.
    const pieces = Array.from({ length: 5000 }, () => ({ block: 16, length: 2048 }))
    return writeIso({ files: { file: { pieces } } }).bytes
  },
  'a block size of 0': () => {
    const { bytes } = writeIso({ files: { file: 'x' } })
    bytes.writeUInt16LE(0, primaryAt + 128)
    return bytes
  },
  'a thousand nested folders': () => writeIso({ files: { [`${'d/'.repeat(1000)}file`]: 'x' } }).bytes,
  'symlinks that double with each step': () => {
    const links = Array.from(
      { length: 60 },
      (_, i) => [`l${i}`, { target: `l${i + 1}/../l${i + 1}` }] as const,
    )
    return writeIso({ files: { ...Object.fromEntries(links), 'l60/file': 'x' } }).bytes
  },
}

describe('a hostile image', () => {
  test.each(Object.entries(hostile))('%s costs a bounded number of reads', async (_name, make) => {
    const { readings } = await walkImage(make())
    expect(readings).toBeLessThan(20_000)
  })

  test('a folder inside of itself is refused with its place, and not listed', async () => {
    const { bytes, folders } = writeIso({ files: { 'a/b/file': 'x' } })
    const block = folders.get('a')?.block ?? 0
    const disc = await openDisc(imageOf(withFirstChildAt(bytes, block, block)))
    await expect(disc.find(cleanPath('/a/b'))).rejects.toThrow(
      stating('x.iso', `byte ${block * 2048}`, 'folder b'),
    )
    expect(await disc.list(cleanPath('/a'))).toEqual([])
  })
})

/**
 * Makes the first child of the folder at `parentBlock` point at `block`. Its record is the third, behind
 * those of the folder itself and its parent.
 */
function withFirstChildAt(bytes: Buffer, parentBlock: number, block: number): Buffer {
  const start = parentBlock * 2048
  const self = bytes[start] ?? 0
  const third = start + self + (bytes[start + self] ?? 0)
  bytes.writeUInt32LE(block, third + recordField.block)
  return bytes
}

describe('an image of the corpus is read or refused:', () => {
  const folder = join(import.meta.dirname, '../../corpus/iso')
  // Set by hand, to write the images above into the corpus.
  if (process.env.UPDATE_CORPUS) {
    mkdirSync(folder, { recursive: true })
    for (const [name, make] of Object.entries(hostile)) {
      const bytes = make()
      // Small images only; they are kept as hexadecimal text of the bytes that are not zero.
      if (bytes.length < 80_000)
        writeFileSync(join(folder, `${name.replaceAll(' ', '-')}.hex`), sparseHex(bytes))
    }
  }
  test.each(readdirSync(folder).filter((name) => name.endsWith('.hex')))('%s', async (name) => {
    await walkImage(fromSparseHex(readFileSync(join(folder, name), 'utf8')))
  })
})
