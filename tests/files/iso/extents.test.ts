import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { isInImage, readExactly } from '../../../server/files/iso/image.ts'
import { fileNode, isReachable, joinExtents } from '../../../server/files/iso/node.ts'
import { imageOf } from '../../support/iso/walk-image.ts'

const image = imageOf(Buffer.alloc(0), 10_000)
const extent = (offset: number, length: number) => ({ offset, length })

test.each([
  [0, 10_000, true],
  [0, 0, true],
  [10_000, 0, true],
  [9_999, 1, true],
  [9_999, 2, false],
  [10_000, 1, false],
  [-1, 5, false],
  [5, -1, false],
  [-5, -1, false],
  [2 ** 53, 2 ** 53, false],
  [Number.NaN, 1, false],
])('%d and so many bytes: %d lie in an image of 10000 bytes: %s', (offset, length, expected) => {
  expect(isInImage(image, extent(offset, length))).toBe(expected)
})

describe('bytes that are needed', () => {
  test('are refused when they lie outside the image', async () => {
    expect(await readExactly(image, extent(9_000, 1_000), 'a thing')).toHaveLength(1_000)
    await expect(readExactly(image, extent(9_000, 1_001), 'a thing')).rejects.toThrow(
      'x.iso, byte 9000: expected a thing of 1001 bytes, but the image ends at byte 10000',
    )
  })

  test('are refused when the file has become shorter', async () => {
    const readAt = async (_: number, length: number) => Buffer.alloc(length - 1)
    await expect(readExactly({ ...image, readAt }, extent(0, 5), 'a thing')).rejects.toThrow(
      'x.iso, byte 0: expected a thing of 5 bytes, found only 4',
    )
  })
})

test.each([
  ['adjacent', [extent(0, 5), extent(5, 5), extent(10, 1)], [extent(0, 11)]],
  ['with a gap', [extent(0, 5), extent(6, 5)], [extent(0, 5), extent(6, 5)]],
  ['backwards', [extent(5, 5), extent(0, 5)], [extent(5, 5), extent(0, 5)]],
  ['with an empty one between', [extent(0, 5), extent(90, 0), extent(5, 5)], [extent(0, 10)]],
  ['all empty', [extent(0, 0), extent(7, 0)], []],
])('extents that are %s', (_, extents, expected) => {
  expect(joinExtents(extents)).toEqual(expected)
})

describe('a file', () => {
  const facts = { name: 'file', modifiedMs: 7, extents: [extent(100, 5), extent(200, 6)] }

  test('has the size of all its extents, and no trouble', () => {
    expect(fileNode(image, facts)).toStrictEqual({ ...facts, kind: 'file', size: 11 })
    expect(fileNode(image, { ...facts, isInterleaved: false })).not.toHaveProperty('trouble')
  })

  test('that is interleaved, or compressed, is not supported', () => {
    expect(fileNode(image, { ...facts, isInterleaved: true })).toMatchObject({
      size: 11,
      trouble: { kind: 'unsupported', message: expect.stringContaining('interleaved') },
    })
    expect(fileNode(image, { ...facts, zisofsBytes: 0 })).toMatchObject({
      size: 0,
      trouble: { kind: 'unsupported', message: expect.stringContaining('zisofs') },
    })
  })

  test('that lies outside the image says where', () => {
    expect(fileNode(image, { ...facts, extents: [extent(100, 5), extent(9_999, 2)] }).trouble).toEqual({
      kind: 'invalid-data',
      message:
        'x.iso: file lies at bytes 9999 to 10001, but the image ends at byte 10000: it was not copied completely',
    })
  })

  test('has so many pieces, and no more', () => {
    const { entries } = imageLimits.fileExtents
    const pieces = (count: number) => Array.from({ length: count }, (_, i) => extent(6 + (i % 2) * 2, 1))
    expect(fileNode(image, { ...facts, extents: pieces(entries) })).not.toHaveProperty('trouble')
    expect(fileNode(image, { ...facts, extents: pieces(entries + 1) }).trouble).toEqual({
      kind: 'invalid-data',
      message: `x.iso, byte 6: file begins here and has ${entries + 1} pieces, expected at most ${entries}`,
    })
  })
})

test('names that no path can contain', () => {
  for (const name of ['', '.', '..', 'a/b', 'a\0', 'a\x1f', 'a\x7f', 'a\ud800'])
    expect(isReachable(name)).toBe(false)
  for (const name of ['a', '...', '.a', ' ', 'a\x80', '\u{1f600}']) expect(isReachable(name)).toBe(true)
})
