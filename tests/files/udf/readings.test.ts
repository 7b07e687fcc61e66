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

describe('folders of more names than one window holds', () => {
  const count = 2100
  // Block 2 of the partition has the file entry of the first folder: a name for it, again and again.
  const bytes = Buffer.concat(
    Array.from({ length: count }, (_, i) => identifier({ name: `n${i}`, block: 2 })),
  )
  expect(bytes.length).toBeGreaterThan(windowBytes)
  const folder = { type: folderType, bytes }
  const image = imageOf(writeUdf({ files: { one: folder, two: folder } }).bytes)

  test('are read once each', async () => {
    const folders = await UdfFolders.open(image)
    const [one, two] = [await childOf(folders, 'one'), await childOf(folders, 'two')]
    const before = image.readings()
    for (const each of [one, two]) expect(await folders.children(each)).toHaveLength(count)
    expect(image.readings() - before).toBe(2)
    for (const each of [one, two]) expect(await folders.children(each)).toHaveLength(count)
    expect(image.readings() - before).toBe(2)
  })

  test('let other work go on while they are read, and while they are listed', async () => {
    const folders = await UdfFolders.open(image)
    const one = await childOf(folders, 'one')
    for (const read of [() => folders.child(one, 'n1'), () => folders.children(one)]) {
      let turned = false
      setImmediate(() => {
        turned = true
      })
      await read()
      expect(turned).toBe(true)
    }
  })
})
