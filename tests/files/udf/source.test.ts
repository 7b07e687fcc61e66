import { open, rename, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isoSource, looksLikeIso } from '../../../server/files/iso/source.ts'
import { contentOf, fileSourceContract } from '../../contract/file-source.ts'
import {
  fieldAt,
  identifier,
  identifierFlags,
  seal,
  sectors,
  tags,
  tagsIn,
  type UdfFile,
  type UdfShape,
  writeUdf,
} from '../../support/iso/write-udf.ts'
import { imageSource, names, stat, text } from '../../support/sources.ts'
import { stating } from '../../support/stating.ts'
import { keptFolder, temporaryFolder } from '../../support/tree-folder.ts'

const discOf = (shape: UdfShape) => imageSource(writeUdf(shape).bytes)

const shapes: Record<string, [volume: Omit<UdfShape, 'files'>, eachFile: Omit<UdfFile, 'bytes'>]> = {
  'UDF 1.02': [{}, {}],
  'UDF 1.02 with long descriptors': [{ folders: 'long' }, { allocation: 'long' }],
  'UDF 1.02, embedded in the file entry where it fits': [{ folders: 'embedded' }, { allocation: 'embedded' }],
  'UDF 2.01 with extended file entries': [
    { version2: true, folders: 'embedded' },
    { allocation: 'embedded' },
  ],
  'UDF with files in pieces': [{}, { pieceBlocks: 3 }],
  'UDF with descriptors that continue elsewhere': [{}, { pieceBlocks: 1, descriptorsEach: 4 }],
  'UDF with long descriptors that continue elsewhere': [
    {},
    { allocation: 'long', pieceBlocks: 1, descriptorsEach: 4 },
  ],
  'UDF in blocks of 512 bytes': [{ blockBytes: 512 }, { pieceBlocks: 1, descriptorsEach: 20 }],
  'UDF in blocks of 4096 bytes': [{ blockBytes: 4096 }, {}],
  'UDF 2.50 with a metadata partition': [{ metadata: true, version2: true }, {}],
  'UDF 2.50 in blocks of 512 bytes': [
    { metadata: true, blockBytes: 512, wideNames: true, folders: 'long' },
    {},
  ],
}

for (const [name, [volume, eachFile]] of Object.entries(shapes))
  fileSourceContract(`isoSource of a disc with ${name}`, async (files) => {
    const { path: folder, remove } = keptFolder()
    const file = join(folder, 'disc.iso')
    const inside = Object.entries(files).map(([path, bytes]): [string, UdfFile] => {
      // A file entry and the bytes that it embeds share one block of 2048 bytes.
      const fits = eachFile.allocation !== 'embedded' || bytes.length < 1500
      return [path.slice(1), fits ? { bytes, ...eachFile } : { bytes }]
    })
    await writeFile(file, writeUdf({ ...volume, files: Object.fromEntries(inside) }).bytes)
    return { source: await isoSource(file), close: remove }
  })

describe('names', () => {
  test('have 8 or 16 bits a character, of any script', async () => {
    const files = { 'Ünïcode ÿ.rpm': '8', 'Пакет.rpm': '16', '包/😀': 'beyond' }
    for (const wideNames of [false, true]) {
      const { source } = await discOf({ files, wideNames })
      expect(await names(source, '/')).toEqual(['Ünïcode ÿ.rpm', 'Пакет.rpm', '包'])
      expect(await text(source, '/包/😀')).toBe('beyond')
    }
  })

  test('may have the 254 bytes that UDF allows', async () => {
    const [narrow, wide] = ['n'.repeat(254), 'ж'.repeat(127)]
    const { source } = await discOf({ files: { [narrow]: '1', [wide]: '2' } })
    expect(await text(source, `/${narrow}`)).toBe('1')
    expect(await text(source, `/${wide}`)).toBe('2')
  })

  test('that no client can request are not found', async () => {
    // Block 2 of the partition has the file entry of `ok.txt`.
    const bad = ['a\nb', '..', '.', 'a/b', '\0', '\ud800'].map((name) =>
      identifier({ name, block: 2, wide: true }),
    )
    const { source } = await discOf({ files: { 'ok.txt': 'x' }, identifiers: bad })
    expect(await names(source, '/')).toEqual(['ok.txt'])
  })

  test('of deleted files are left out, of hidden ones shown; of equal names the first counts', async () => {
    // The disc below has the file entries at the same places.
    const { entries } = writeUdf({ files: { seen: 'x', other: 'y' } })
    const block = entries.get('other')?.block ?? 0
    const identifiers = [
      identifier({ name: 'gone', block, flags: identifierFlags.deleted }),
      identifier({ name: 'hidden', block, flags: identifierFlags.hidden }),
      identifier({ name: 'seen', block }),
    ]
    const { source } = await discOf({ files: { seen: 'x', other: 'y' }, identifiers })
    expect(await names(source, '/')).toEqual(['hidden', 'other', 'seen'])
    expect(await text(source, '/seen')).toBe('y')
  })

  test('may cross the ends of blocks in a folder of many blocks', async () => {
    const paths = Array.from({ length: 300 }, (_, i) => `Packages/package-${i}-${'x'.repeat(i % 90)}.rpm`)
    const { source } = await discOf({ files: Object.fromEntries(paths.map((path) => [path, path])) })
    expect(await names(source, '/Packages')).toHaveLength(300)
    for (const path of paths) expect(await text(source, `/${path}`)).toBe(path)
  })

  test('of devices, pipes and sockets are not files, those of real-time files are', async () => {
    // The types of ECMA-167 4/14.6.6 and UDF 2.50 2.2.13.
    const files = {
      device: { type: 6 },
      pipe: { type: 9 },
      socket: { type: 10 },
      video: { type: 249, bytes: 'v' },
    }
    const { source } = await discOf({ files })
    expect(await names(source, '/')).toEqual(['video'])
    expect(await stat(source, '/device')).toBeUndefined()
  })
})

test('modification times have a time zone', async () => {
  for (const version2 of [false, true]) {
    // Every file has the time 14:00 in UTC+2.
    const { source } = await discOf({ files: { a: 'x' }, version2 })
    expect((await stat(source, '/a'))?.modifiedMs).toBe(Date.UTC(2024, 3, 14, 12))
  }
})

test.each(['embedded', 'short', 'long'] as const)(
  'symlinks, %s, are followed inside the image',
  async (allocation) => {
    const link = (target: string): UdfFile => ({ target, allocation })
    const { source } = await discOf({
      files: {
        'dists/bookworm/Release': 'release',
        'dists/stable': link('bookworm'),
        'pool/up': link('../dists/./stable/Release'),
        жук: link('dists/stable'),
        debian: link('.'),
        absolute: link('/etc/passwd'),
        out: link('../../etc/passwd'),
        loop: link('loop'),
        ping: link('pong'),
        pong: link('ping'),
        dangling: link('nothing'),
      },
    })
    for (const path of ['/dists/stable/Release', '/pool/up', '/debian/debian/жук/Release'])
      expect(await text(source, path), path).toBe('release')
    for (const path of ['/absolute', '/out', '/loop', '/ping', '/dangling'])
      expect(await stat(source, path), path).toBeUndefined()
    expect(await names(source, '/')).toEqual(['debian', 'dists', 'pool', 'жук'])
  },
)

describe('the bytes of a file', () => {
  test('a contiguous or embedded file has an extent in the image', async () => {
    const { source, file } = await discOf({
      files: { 'images/vmlinuz': 'kernel', small: { bytes: 'inside', allocation: 'embedded' } },
    })
    for (const [path, bytes] of [
      ['/images/vmlinuz', 'kernel'],
      ['/small', 'inside'],
    ] as const) {
      const entry = await stat(source, path)
      expect(entry?.extent?.file).toBe(file)
      const handle = await open(file)
      const { buffer } = await handle.read(Buffer.alloc(6), 0, 6, entry?.extent?.offset)
      await handle.close()
      expect(buffer.toString()).toBe(bytes)
      expect(await stat(source, path)).toBe(entry)
    }
  })

  test('a file over 4 GiB is contiguous: five descriptors with 30 bits of length follow each other', async () => {
    // The longest extent in whole blocks.
    const most = 0x3ffff800
    const pieces = Array.from({ length: 5 }, (_, i) => ({
      block: 1000 + (i * most) / 2048,
      length: i < 4 ? most : 20_000,
    }))
    const written = writeUdf({ files: { big: { pieces } } })
    const { source, file } = await imageSource(written.bytes)
    const size = 4 * most + 20_000
    expect(size).toBeGreaterThan(2 ** 32)
    const offset = written.partitionAt + 1000 * 2048
    await truncate(file, offset + size)
    const handle = await open(file, 'r+')
    await handle.write('the end...', offset + size - 10)
    await handle.close()
    const entry = await stat(source, '/big')
    expect(entry).toMatchObject({ size, extent: { file, offset } })
    const opened = await entry?.open()
    const target = Buffer.alloc(20)
    expect(await opened?.read(target, 0, 20, size - 10)).toBe(10)
    await opened?.close()
    expect(target.toString('latin1', 0, 10)).toBe('the end...')
  })

  test('separate pieces are read as one file, without the bytes between them', async () => {
    const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251))
    const { source } = await discOf({ files: { a: { bytes, pieceBlocks: 1, descriptorsEach: 2 } } })
    const entry = await stat(source, '/a')
    expect(entry?.extent).toBeUndefined()
    expect((await contentOf(entry)).equals(bytes)).toBe(true)
  })

  test('space allocated behind the end of a file is not read', async () => {
    // The disc below has `a` and `b` at the same places.
    const { data, partitionAt } = writeUdf({ files: { a: 'whole', b: 'secret', c: { pieces: [] } } })
    const blockOf = (path: string) => ((data.get(path) ?? 0) - partitionAt) / 2048
    const pieces = [
      { block: blockOf('a'), length: 5 },
      { block: blockOf('b'), length: 6 },
      { block: 0xfffffff, length: 2048, kind: 1 }, // allocated, and not recorded
    ]
    const { source } = await discOf({ files: { a: 'whole', b: 'secret', c: { pieces, size: 5 } } })
    expect(await text(source, '/c')).toBe('whole')
    expect((await stat(source, '/c'))?.extent).toBeDefined()
  })
})

describe('the volume is found', () => {
  const files = { 'images/vmlinuz': 'kernel' }
  const kernelOf = async (bytes: Buffer) => text((await imageSource(bytes)).source, '/images/vmlinuz')

  test.each([
    ['in sector 256', [256]],
    ['in the last sector', [-1]],
    ['256 sectors before the last', [-257]],
  ])('by an anchor %s alone', async (_name, anchors) => {
    for (const blockBytes of [512, 2048, 4096] as const)
      expect(await kernelOf(writeUdf({ files, anchors, blockBytes }).bytes)).toBe('kernel')
  })

  test('when its sequence continues elsewhere', async () => {
    expect(await kernelOf(writeUdf({ files, continued: true }).bytes)).toBe('kernel')
  })

  test('by the reserve sequence when the main one is damaged', async () => {
    const { bytes, sequenceAt } = writeUdf({ files })
    bytes.fill(0xff, sequenceAt, sequenceAt + 2048)
    expect(await kernelOf(bytes)).toBe('kernel')
  })

  test('by the descriptors with the highest sequence number', async () => {
    const { bytes, sequenceAt } = writeUdf({ files })
    const placeOf = (i: number) => sequenceAt + i * 2048
    const copyOf = (i: number) => Buffer.from(bytes.subarray(placeOf(i), placeOf(i) + 512))
    const put = (i: number, descriptor: Buffer) => {
      descriptor.copy(bytes, placeOf(i))
      seal(bytes, placeOf(i), sectors.main + i)
    }
    // The sequence: primary volume, partition, logical volume, end. An older partition descriptor, which points
    // elsewhere, is written before the end.
    const [older, end] = [copyOf(1), copyOf(3)]
    older.writeUInt32LE(0, 16) // volume descriptor sequence number
    older.writeUInt32LE(9999, fieldAt.partition.start)
    put(3, older)
    put(4, end)
    expect(await kernelOf(bytes)).toBe('kernel')
  })

  test('by the metadata mirror when the metadata file is damaged', async () => {
    const { bytes, partitionAt } = writeUdf({ files, metadata: true })
    // The first block of the partition has the file entry of the metadata file.
    bytes.fill(0, partitionAt, partitionAt + 2048)
    expect(await kernelOf(bytes)).toBe('kernel')
  })
})

describe('an image that changes', () => {
  test('a replaced image is seen at once, and old entries do not open', async () => {
    const { source, file } = await discOf({ files: { a: 'one' } })
    const old = await stat(source, '/a')
    await writeFile(`${file}.new`, writeUdf({ files: { b: 'two', a: 'three' } }).bytes)
    await rename(`${file}.new`, file)
    expect(await text(source, '/b')).toBe('two')
    await expect(old?.open()).rejects.toMatchObject({ kind: 'conflict' })
  })

  test('a cut image reports its missing bytes; whole files are served, cut ones refused with their place', async () => {
    const { bytes, data, entries } = writeUdf({
      files: { a: 'first', b: 'x'.repeat(2_000_000), 'd/c': 'last' },
    })
    const { file } = await imageSource(bytes)
    const source = await isoSource(file)
    expect(source.missingBytes).toBe(0)
    const end = (data.get('b') ?? 0) + 1_000_000
    await truncate(file, end)
    expect(await text(source, '/a')).toBe('first')
    await expect(stat(source, '/b')).rejects.toThrow(
      stating('b', data.get('b') ?? 0, (data.get('b') ?? 0) + 2_000_000, end),
    )
    expect(await names(source, '/')).toEqual(['a', 'b', 'd'])
    expect(source.missingBytes).toBeGreaterThan(1_000_000)
    // Cut in front of the root: the volume descriptors remain, and give the missing bytes.
    const root = entries.get('')?.at ?? 0
    await truncate(file, root)
    await expect(stat(source, '/a')).rejects.toThrow(
      stating('disc.iso', `byte ${root}`, 'file entry', 'UDF', 2048, root),
    )
    expect(source.missingBytes).toBeGreaterThan(2_000_000)
  })
})

test('an image is recognised by its content', async () => {
  const { file } = await imageSource(writeUdf({ files: { a: 'x' } }).bytes, 'no-ending')
  expect(await looksLikeIso(file)).toBe(true)
})

test('an image that only begins like UDF is refused, with the missing descriptor', async () => {
  const { bytes } = writeUdf({ files: { a: 'x' } })
  // The second descriptor of the recognition sequence, which begins in sector 16.
  bytes.write('NSR99', 17 * 2048 + 1)
  const file = join(temporaryFolder(), 'disc.iso')
  await writeFile(file, bytes)
  await expect(isoSource(file)).rejects.toThrow(
    stating('disc.iso', 'byte 32769', '"NSR02"', '"NSR03"', '"BEA01"'),
  )
})

test('partitions of rewritable and recordable discs are refused, with the remedy', async () => {
  const { bytes, sequenceAt } = writeUdf({ files: { a: 'x' }, metadata: true })
  // The second map follows the first one, which has 6 bytes. Its kind begins at its byte 5. The logical volume
  // descriptor is the third of its sequence.
  const secondMap = fieldAt.logicalVolume.maps + 6
  for (const [i, name] of ['*UDF Virtual Partition\0', '*UDF Sparable Partition'].entries()) {
    for (const at of tagsIn(bytes, tags.logicalVolume)) {
      bytes.write(name, at + secondMap + 5, 'latin1')
      seal(bytes, at)
    }
    const file = join(temporaryFolder(), `${i}.iso`)
    await writeFile(file, bytes)
    await expect(isoSource(file)).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringMatching(
        stating(
          `${i}.iso`,
          `byte ${sequenceAt + 2 * 2048 + secondMap}`,
          JSON.stringify(name.replace('\0', '')),
          `7z x ${i}.iso`,
        ),
      ),
    })
  }
})
