import { describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { UdfFolders } from '../../../server/files/udf/folders.ts'
import { imageOf, imageOnDisk } from '../../support/iso/walk-image.ts'
import { fieldAt, identifier, seal, sectors, writeUdf } from '../../support/iso/write-udf.ts'

const block = 2048
const partitionAt = sectors.partition * block
/** UDF is read in windows of 32 blocks. The first one has the anchor and the blocks 0 to 30 of the partition. */
const windowBytes = 64 * 1024
const folderType = 4

/** An image with 70 files. Their file entries fill the first two windows, and begin the third, which has the root. */
function manyFiles() {
  const names = Array.from({ length: 70 }, (_, i) => `f${i}`)
  const written = writeUdf({ files: Object.fromEntries(names.map((name) => [name, 'x'])) })
  const entryOf = (name: string) => written.entries.get(name)?.at ?? expect.fail(name)
  return { ...written, names, entryOf, rootAt: written.folders.get('') ?? expect.fail('no root') }
}

/** Moves the file set descriptor to the block of a file. */
function withFileSetAt(written: ReturnType<typeof manyFiles>, path: string): number {
  const { bytes, data, fileSetAt } = written
  const at = data.get(path) ?? expect.fail(path)
  const number = (at - partitionAt) / block
  bytes.copy(bytes, at, fileSetAt, fileSetAt + 512)
  seal(bytes, at, number)
  for (const sequence of [sectors.main, sectors.reserve]) {
    const volume = (sequence + 2) * block
    bytes.writeUInt32LE(number, volume + fieldAt.logicalVolume.fileSet + 4)
    seal(bytes, volume)
  }
  return at
}

const children = async (folders: UdfFolders) => folders.children(await folders.root())
const childOf = async (folders: UdfFolders, name: string) =>
  (await folders.child(await folders.root(), name)) ?? expect.fail(`no ${name}`)

describe('a reading that the disk fails', () => {
  const written = manyFiles()
  const fileSetAt = withFileSetAt(written, 'f69')
  const { bytes, rootAt, entryOf } = written

  test.each([
    ['the root', fileSetAt, (folders: UdfFolders) => folders.root()],
    ['a folder', rootAt, children],
    ['a folder, for one name', rootAt, (folders: UdfFolders) => childOf(folders, 'f1')],
    ['a file entry', entryOf('f40'), (folders: UdfFolders) => childOf(folders, 'f40')],
    ['a file entry, for a listing', entryOf('f40'), children],
  ])('is reported, and is made again: %s', async (_, at, read) => {
    const whole = await read(await UdfFolders.open(imageOf(bytes)))
    for (const error of [new Error('EIO'), new Failure('conflict', 'the image was replaced')]) {
      const image = imageOnDisk(bytes)
      const folders = await UdfFolders.open(image)
      image.disk.fault = { at, error }
      await expect(read(folders)).rejects.toBe(error)
      await expect(read(folders)).rejects.toBe(error)
      delete image.disk.fault
      expect(await read(folders)).toEqual(whole)
    }
  })

  test('is made again for a symlink that crosses the edge of a window', async () => {
    const { bytes, at, target } = crossingLink()
    const image = imageOnDisk(bytes)
    const folders = await UdfFolders.open(image)
    const error = new Error('EIO')
    image.disk.fault = { at, error }
    await expect(childOf(folders, 'link')).rejects.toBe(error)
    await expect(children(folders)).rejects.toBe(error)
    delete image.disk.fault
    expect(await childOf(folders, 'link')).toMatchObject({ target })
  })
})

/** A symlink in the last block of the first window and the first one of the second. */
function crossingLink() {
  const target = `${'./'.repeat(600)}pad`
  // The file set, the root, two file entries and the root's names take five blocks.
  const { bytes, data } = writeUdf({
    files: { pad: Buffer.alloc(25 * block), link: { target } },
  })
  const at = data.get('link') ?? expect.fail('no link')
  expect(at % windowBytes).toBe(windowBytes - block)
  return { bytes, at, target }
}

describe('windows', () => {
  test('make one reading of the blocks beside each other, up to the last one', async () => {
    const { bytes, names, entryOf } = manyFiles()
    expect((entryOf('f28') + block) % windowBytes).toBe(0)
    const image = imageOf(bytes)
    const folders = await UdfFolders.open(image)
    // The anchor and the descriptors of the volume.
    expect(image.readings()).toBe(2)
    await folders.root()
    // In the window of the anchor.
    expect(image.readings()).toBe(2)
    // The names are in the third window.
    await childOf(folders, 'f28')
    expect(image.readings()).toBe(3)
    expect((await children(folders)).map(({ name }) => name)).toEqual(names)
    expect(image.readings()).toBe(4)
  })

  test('do not hold a symlink that crosses their edge: it is read once', async () => {
    const { bytes, target } = crossingLink()
    const image = imageOf(bytes)
    const folders = await UdfFolders.open(image)
    expect(await childOf(folders, 'link')).toMatchObject({ kind: 'symlink', size: target.length, target })
    const readings = image.readings()
    expect(await childOf(folders, 'link')).toMatchObject({ target })
    expect(await children(folders)).toHaveLength(2)
    expect(image.readings()).toBe(readings)
  })
})

describe('the names of folders', () => {
  /** So many names with a number each. All are for the file entry in block 2 of the partition. */
  const namesOf = (count: number): Buffer => {
    const one = identifier({ name: 'n00000', block: 2 })
    // The CRC is over more bytes than there are, which is not checked: the tag is right for any name.
    one.writeUInt16LE(0xffff, fieldAt.tag.crcLength)
    seal(one)
    const all = Buffer.alloc(count * one.length, one)
    for (let i = 0; i < count; i++)
      all.write(`${100_000 + i}`, i * one.length + fieldAt.fileIdentifier.name + 1, 'latin1')
    return all
  }
  /** Folders with the first names of the same bytes, which no window holds. */
  const imageOfFolders = (counts: Readonly<Record<string, number>>) => {
    const bytes = namesOf(Math.max(...Object.values(counts)))
    const filesAt = (first: number) => ({
      file: { bytes },
      ...Object.fromEntries(
        Object.entries(counts).map(([name, count]) => {
          const length = (bytes.length / Math.max(...Object.values(counts))) * count
          expect(length).toBeGreaterThan(windowBytes)
          return [name, { type: folderType, pieces: [{ block: first, length }] }]
        }),
      ),
    })
    const { data } = writeUdf({ files: filesAt(0) })
    return imageOf(writeUdf({ files: filesAt(((data.get('file') ?? 0) - partitionAt) / block) }).bytes)
  }
  /** Looks up one name in each of these folders, and returns how often the image was read for it. */
  const readingsFor = async (folders: UdfFolders, image: ReturnType<typeof imageOf>, names: string) => {
    const before = image.readings()
    for (const name of names.split(' '))
      expect(await folders.child(await childOf(folders, name), '100001')).toMatchObject({ name: '100001' })
    return image.readings() - before
  }

  test('are read once each, also those of a folder with more names than are kept', async () => {
    const image = imageOfFolders({ one: 2100, two: 2100, three: 2100, large: 66_000 })
    const folders = await UdfFolders.open(image)
    await children(folders)
    expect(await readingsFor(folders, image, 'one two three large')).toBe(4)
    expect(await readingsFor(folders, image, 'one two three large one large')).toBe(0)
  })

  test('are kept up to a number: those of the folder that was not used for longest are read again', async () => {
    const image = imageOfFolders({ one: 22_000, two: 22_000, three: 22_000 })
    const folders = await UdfFolders.open(image)
    await children(folders)
    expect(await readingsFor(folders, image, 'one two three')).toBe(3)
    expect(await readingsFor(folders, image, 'three two')).toBe(0)
    expect(await readingsFor(folders, image, 'one')).toBe(1)
  })

  test('let other work go on while they are read, and while they are listed', async () => {
    const folders = await UdfFolders.open(imageOfFolders({ one: 2100 }))
    const one = await childOf(folders, 'one')
    for (const read of [() => folders.child(one, '100001'), () => folders.children(one)]) {
      let turned = false
      setImmediate(() => {
        turned = true
      })
      await read()
      expect(turned).toBe(true)
    }
  })
})
