import { describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { bridged } from '../../../server/files/iso/bridge.ts'
import type { IsoNode } from '../../../server/files/iso/node.ts'
import type { Folders } from '../../../server/files/iso/walk.ts'
import { type MemoryNode, memoryFolders } from '../../support/iso/memory-folders.ts'

/** The greatest length that a directory record can state. */
const most = 0xffffffff
const at = 5 * 2048
const imageBytes = at + 2 * most
const long = { size: most + 1, modifiedMs: 2, extents: [{ offset: at, length: most + 1 }] }
const short = { size: 5, modifiedMs: 1, extents: [{ offset: at, length: 5 }] }

interface Bridge {
  readonly iso?: MemoryNode
  readonly udf?: Readonly<Record<string, MemoryNode>>
  readonly bytes?: number
  readonly openUdf?: (udf: Folders, n: number) => Promise<Folders>
}

/** A bridge with the file `a/file` in ISO 9660, and how often its UDF was opened. */
function bridge({ iso = short, udf = { 'a/file': long }, bytes = imageBytes, openUdf }: Bridge) {
  const opened = { times: 0 }
  const folders = bridged(memoryFolders({ 'a/file': iso }), bytes, () => {
    opened.times++
    return openUdf ? openUdf(memoryFolders(udf), opened.times) : Promise.resolve(memoryFolders(udf))
  })
  const inFolder = async () => {
    const folder = (await folders.child(await folders.root(), 'a')) ?? expect.fail('no folder')
    const file = () => folders.child(folder, 'file')
    return {
      file,
      listed: async () => (await folders.children(folder))[0],
      none: () => folders.child(folder, 'none'),
    }
  }
  return { opened, inFolder, file: async (): Promise<IsoNode | undefined> => (await inFolder()).file() }
}

describe('the size of a file on a bridge disc', () => {
  test.each<readonly [string, Bridge]>([
    ['over 4 GiB', {}],
    ['whose record has no length', { iso: { size: 0, modifiedMs: 1, extents: [] } }],
    ['whose record has the greatest length', { iso: { ...short, size: most } }],
    ['that begins one byte too early to be short', { bytes: at + most + 1 }],
    [
      'without a length at the beginning of an image',
      { iso: { size: 0, modifiedMs: 1, extents: [] }, bytes: most + 1 },
    ],
  ])('%s is that of UDF, and its name and time are those of ISO 9660', async (_, shape) => {
    const { inFolder, opened } = bridge(shape)
    const { file, listed, none } = await inFolder()
    expect(await file()).toEqual({ ...long, name: 'file', kind: 'file', modifiedMs: 1 })
    expect(await listed()).toEqual(await file())
    expect(await none()).toBeUndefined()
    expect(opened.times).toBe(1)
  })

  test.each<readonly [string, Bridge]>([
    ['has a greater length, in one piece', { iso: { ...short, size: most + 1 } }],
    ['has several pieces', { iso: { ...short, extents: [...short.extents, { offset: 0, length: 1 }] } }],
    ['ends too near the end of the image', { bytes: at + most }],
    ['has no length, in an image that is too short', { iso: { size: 0, extents: [] }, bytes: most }],
    ['is a symlink', { iso: { kind: 'symlink', target: 'x', extents: [] } }],
    ['is a folder', { iso: { kind: 'folder' } }],
    ['cannot be read', { iso: { ...short, trouble: { kind: 'unsupported', message: 'zisofs' } } }],
  ])('is that of ISO 9660, without a look at UDF, when it %s', async (_, shape) => {
    const { file, opened } = bridge(shape)
    expect(await file()).toMatchObject(shape.iso ?? short)
    expect(opened.times).toBe(0)
  })

  test.each<readonly [string, Readonly<Record<string, MemoryNode>>]>([
    ['has at most the greatest length of a record', { 'a/file': { ...long, size: most } }],
    ['is a folder', { 'a/file': { ...long, kind: 'folder' } }],
    ['is a symlink', { 'a/file': { ...long, kind: 'symlink' } }],
    ['begins elsewhere', { 'a/file': { ...long, extents: [{ offset: at + 2048, length: most + 1 }] } }],
    ['is in another folder', { 'b/file': long }],
    ['is not there', { 'a/other': long }],
    ['would be below a file', { a: long }],
  ])('is that of ISO 9660 when the UDF file %s', async (_, udf) => {
    const { file, opened } = bridge({ udf })
    expect(await file()).toMatchObject({ ...short, name: 'file', kind: 'file' })
    expect(opened.times).toBe(1)
  })
})

describe('UDF that cannot be opened', () => {
  test('is trouble of the file, and is tried again the next time', async () => {
    const damaged = new Failure('invalid-data', 'x.iso, byte 9: no anchor')
    const openUdf: Bridge['openUdf'] = (udf, n) => (n === 1 ? Promise.reject(damaged) : Promise.resolve(udf))
    const { file, listed } = await bridge({ openUdf }).inFolder()
    expect(await file()).toEqual({
      ...short,
      name: 'file',
      kind: 'file',
      trouble: {
        kind: 'invalid-data',
        message: `${damaged.message}; therefore the size of file is not known`,
      },
    })
    expect(await listed()).toMatchObject({ size: most + 1 })
    expect(await listed()).not.toHaveProperty('trouble')
  })

  test('because of the disk fails the question', async () => {
    const error = new Error('EIO')
    const { file } = bridge({ openUdf: () => Promise.reject(error) })
    await expect(file()).rejects.toBe(error)
  })
})
