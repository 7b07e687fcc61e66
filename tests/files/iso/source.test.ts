import { open, readdir, readlink, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isoSource, looksLikeIso } from '../../../server/files/iso/source.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { anyone, contentOf, fileSourceContract } from '../../contract/file-source.ts'
import { field, type IsoShape, writeIso } from '../../support/iso/write-iso.ts'
import { imageSource, names, stat, text } from '../../support/sources.ts'
import { stating } from '../../support/stating.ts'
import { keptFolder, temporaryFolder } from '../../support/tree-folder.ts'

const discOf = (shape: IsoShape) => imageSource(writeIso(shape).bytes)

for (const [name, shape] of [
  ['Rock Ridge', {}],
  ['Rock Ridge in continuation areas', { continuation: true }],
  ['Joliet alone', { rockRidge: false, joliet: true }],
  ['Rock Ridge beside Joliet', { joliet: true }],
] as const)
  fileSourceContract(`isoSource of a disc with ${name}`, async (files) => {
    const { path: folder, remove } = keptFolder()
    const file = join(folder, 'disc.iso')
    const inside = Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path.slice(1), bytes]))
    await writeFile(file, writeIso({ files: inside, ...shape }).bytes)
    return { source: await isoSource(file), close: remove }
  })

describe('names', () => {
  test('plain ISO 9660 names are shown in lower case and without version, as Linux does', async () => {
    const { source } = await discOf({ files: { 'README.TXT': 'x', 'BOOT/VMLINUZ': 'k' }, rockRidge: false })
    expect(await names(source, '/')).toEqual(['boot', 'readme.txt'])
    expect(await text(source, '/boot/vmlinuz')).toBe('k')
  })

  test('Rock Ridge wins over Joliet', async () => {
    // Longer than a name of Joliet. One directory record has no room for it, hence `continuation`.
    const long = `${'n'.repeat(230)}.rpm`
    const { source } = await discOf({ files: { [long]: 'x' }, joliet: true, continuation: true })
    expect(await names(source, '/')).toEqual([long])
  })

  test('names that no client can request are not found', async () => {
    const { source } = await discOf({ files: { 'a\nb': '1', 'ok.txt': '3' } })
    expect(await names(source, '/')).toEqual(['ok.txt'])
  })
})

describe('symlinks', () => {
  const files = {
    'dists/bookworm/Release': 'release',
    'dists/stable': { target: 'bookworm' },
    'pool/up': { target: '../dists/./stable/Release' },
    debian: { target: '.' },
    absolute: { target: '/etc/passwd' },
    out: { target: '../../etc/passwd' },
    loop: { target: 'loop' },
    ping: { target: 'pong' },
    pong: { target: 'ping' },
    dangling: { target: 'nothing' },
    through: { target: 'dists/bookworm/Release/x' },
  }
  test('are followed only inside the image', async () => {
    const { source } = await discOf({ files })
    expect(await text(source, '/dists/stable/Release')).toBe('release')
    expect(await text(source, '/pool/up')).toBe('release')
    expect(await text(source, '/debian/debian/dists/stable/Release')).toBe('release')
    for (const path of ['/absolute', '/out', '/loop', '/ping', '/dangling', '/through'])
      expect(await stat(source, path), path).toBeUndefined()
    expect(await names(source, '/')).toEqual(['debian', 'dists', 'pool'])
    expect(await names(source, '/dists')).toEqual(['bookworm', 'stable'])
  })
})

describe('the bytes of a file', () => {
  test('a contiguous file has an extent in the image', async () => {
    const { source, file } = await discOf({ files: { 'images/vmlinuz': 'kernel' } })
    const entry = await stat(source, '/images/vmlinuz')
    expect(entry?.extent?.file).toBe(file)
    const handle = await open(file)
    const { buffer } = await handle.read(Buffer.alloc(6), 0, 6, entry?.extent?.offset)
    await handle.close()
    expect(buffer.toString()).toBe('kernel')
    expect(await stat(source, '/images/vmlinuz')).toBe(entry)
  })

  test('a file over 4 GiB in several records is contiguous when its pieces follow each other', async () => {
    // The most whole sectors that the 32 bits of length in one record can describe.
    const pieceBytes = 2 ** 32 - 2048
    const blocks = pieceBytes / 2048
    const pieces = [
      { block: 1000, length: pieceBytes },
      { block: 1000 + blocks, length: pieceBytes },
      { block: 1000 + 2 * blocks, length: 10 },
    ]
    const { source, file } = await discOf({ files: { big: { pieces } } })
    const size = 2 * pieceBytes + 10
    await truncate(file, 1000 * 2048 + size)
    const handle = await open(file, 'r+')
    await handle.write('the end...', 1000 * 2048 + size - 10)
    await handle.close()
    const entry = await stat(source, '/big')
    expect(entry).toMatchObject({ size, extent: { file, offset: 1000 * 2048 } })
    const opened = await entry?.open()
    const target = Buffer.alloc(20)
    expect(await opened?.read(target, 0, 20, size - 10)).toBe(10)
    await opened?.close()
    expect(target.toString('latin1', 0, 10)).toBe('the end...')
  })

  test('separate pieces are read as one file, without the bytes between them', async () => {
    const files = { a: 'x'.repeat(2048), secret: 's'.repeat(2048), b: 'tail' }
    // The disc below has these files at the same places.
    const places = writeIso({ files }).files
    const pieces = ['a', 'b'].map((path) => places.get(path) ?? { block: 0, length: 0 })
    const { source } = await discOf({ files: { ...files, whole: { pieces } } })
    const entry = await stat(source, '/whole')
    expect(entry?.extent).toBeUndefined()
    expect((await contentOf(entry)).toString()).toBe(`${'x'.repeat(2048)}tail`)
    const opened = (await entry?.open()) ?? expect.fail('no file')
    const read = async (position: number, length: number) => {
      const target = Buffer.alloc(length)
      return target.toString('latin1', 0, await opened.read(target, 0, length, position))
    }
    // Around the seam of the pieces, at the end, and behind it.
    expect(await read(2047, 2)).toBe('xt')
    expect(await read(2048, 4)).toBe('tail')
    expect(await read(2051, 9)).toBe('l')
    expect(await read(2052, 1)).toBe('')
    await opened.close()
  })

  test('end where an open image was cut, although another piece is still there', async () => {
    const files = { a: 'x'.repeat(2048), b: 'y'.repeat(2048) }
    const places = writeIso({ files }).files
    const pieces = ['b', 'a'].map((path) => places.get(path) ?? { block: 0, length: 0 })
    const { source, file } = await discOf({ files: { ...files, whole: { pieces } } })
    const opened = await (await stat(source, '/whole'))?.open()
    const target = Buffer.alloc(4096)
    expect(await opened?.read(target, 0, 4096, 0)).toBe(4096)
    await truncate(file, (pieces[0]?.block ?? 0) * 2048 + 10)
    expect(await opened?.read(target, 0, 4096, 0)).toBe(10)
    await opened?.close()
  })

  test('are read with a descriptor that is closed afterwards', async () => {
    const descriptors = async () => {
      const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`))
      return (await Promise.allSettled(links)).filter(
        (link) => link.status === 'fulfilled' && link.value === file,
      )
    }
    const { source, file } = await discOf({ files: { a: 'x' } })
    const opened = await (await stat(source, '/a'))?.open()
    expect(await descriptors()).toHaveLength(1)
    await opened?.close()
    expect(await descriptors()).toEqual([])
  })

  test('folders that were relocated for depth (CL) are shown in their true parent', async () => {
    const deep = 'a/b/c/d/e/f/g/h/i/j'
    const { source } = await discOf({ files: { [`${deep}/file`]: 'deep' }, relocated: ['a/b/c/d/e/f/g/h'] })
    expect(await text(source, `/${deep}/file`)).toBe('deep')
    expect(await names(source, '/a/b/c/d/e/f/g')).toEqual(['h'])
  })

  test('a relocated folder (RE) is not shown a second time', async () => {
    // `writeIso` adds fields to files alone; the reader asks only whether there is an RE.
    const { source } = await discOf({
      files: { 'rr_moved/x': { bytes: '1', fields: [field('RE')] }, y: '2' },
    })
    expect(await names(source, '/rr_moved')).toEqual([])
  })

  test('zisofs is refused, and the message has the remedy', async () => {
    // The algorithm, a header of 4 * 4 bytes, blocks of 2 ** 15 bytes, and the size 4096 in both byte orders.
    const zf = field('ZF', Buffer.from('pz'), Buffer.from([4, 15]), Buffer.from([0, 16, 0, 0, 0, 0, 16, 0]))
    const { source } = await discOf({ files: { z: { bytes: 'compressed', fields: [zf] } } })
    await expect(stat(source, '/z')).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('zisofs'),
    })
    const [listed] = (await source.list(cleanPath('/'), anyone)) ?? []
    expect(listed).toMatchObject({ name: 'z', size: 4096 })
    expect(listed).not.toHaveProperty('extent')
    await expect(listed?.open()).rejects.toMatchObject({ kind: 'unsupported' })
  })
})

describe('an image that changes', () => {
  test('a replaced image is seen at once, and old entries do not open', async () => {
    const { source, file } = await discOf({ files: { a: 'one' } })
    const old = await stat(source, '/a')
    await writeFile(`${file}.new`, writeIso({ files: { b: 'two', a: 'three' } }).bytes)
    await rename(`${file}.new`, file)
    expect(await text(source, '/b')).toBe('two')
    expect((await stat(source, '/a'))?.etag).not.toBe(old?.etag)
    await expect(old?.open()).rejects.toMatchObject({ kind: 'conflict' })
    await rm(file)
    await expect(stat(source, '/a')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('what could not be read once is tried again, also while the image looks the same', async () => {
    const { source, file } = await discOf({ files: { a: 'one' } })
    const { bytes } = writeIso({ files: { a: 'two' } })
    const write = async (content: Buffer) => {
      await writeFile(file, content)
      await utimes(file, 1_000_000_000, 1_000_000_000)
    }
    await write(Buffer.alloc(bytes.length))
    for (let i = 0; i < 2; i++)
      await expect(stat(source, '/a')).rejects.toMatchObject({ kind: 'invalid-data' })
    await write(bytes)
    expect(await text(source, '/a')).toBe('two')
  })

  test('a cut image reports its missing bytes, and the place of the missing folder', async () => {
    const { bytes, folders } = writeIso({ files: { a: 'first', b: 'x'.repeat(700_000), c: 'last' } })
    const file = join(temporaryFolder(), 'cut.iso')
    await writeFile(file, bytes)
    const source = await isoSource(file)
    expect(source.missingBytes).toBe(0)
    // The root folder, one sector, lies behind the files. Up to 512 KiB could be padding.
    for (const [missing, reported] of [
      [512 * 1024, 0],
      [512 * 1024 + 1, 512 * 1024 + 1],
    ] as const) {
      await truncate(file, bytes.length - missing)
      await expect(stat(source, '/a')).rejects.toThrow('byte')
      expect(source.missingBytes).toBe(reported)
    }
    const missing = 604_096
    await truncate(file, bytes.length - missing)
    await expect(stat(source, '/a')).rejects.toThrow(
      stating('cut.iso', `byte ${(folders.get('')?.block ?? 0) * 2048}`, '/', 2048, bytes.length - missing),
    )
    expect(source.missingBytes).toBe(missing)
  })

  test('a file past the end is refused with its place, and other files are served', async () => {
    const { source } = await discOf({ files: { a: 'first', b: { pieces: [{ block: 5000, length: 10 }] } } })
    expect(await text(source, '/a')).toBe('first')
    await expect(stat(source, '/b')).rejects.toThrow(stating('b', 5000 * 2048, 5000 * 2048 + 10))
  })
})

test('an image is recognised by its content', async () => {
  const folder = temporaryFolder()
  const { file } = await discOf({ files: { a: 'x' } })
  expect(await looksLikeIso(file)).toBe(true)
  await writeFile(join(folder, 'disk.img'), Buffer.alloc(100_000))
  await writeFile(join(folder, 'short.iso'), 'CD001')
  for (const name of ['disk.img', 'short.iso', 'none', '.'])
    expect(await looksLikeIso(join(folder, name)), name).toBe(false)
  await expect(isoSource(folder)).rejects.toMatchObject({
    kind: 'invalid-data',
    message: expect.stringMatching(stating(folder, 'regular file')),
  })
  await expect(isoSource(join(folder, 'disk.img'))).rejects.toThrow(
    stating('disk.img', 'byte 32769', '"CD001"', '"BEA01"', '"\\u0000\\u0000\\u0000\\u0000\\u0000"'),
  )
})
