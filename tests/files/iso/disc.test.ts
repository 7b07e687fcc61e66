import { describe, expect, test } from 'vitest'
import { openDisc } from '../../../server/files/iso/disc.ts'
import type { Image } from '../../../server/files/iso/image.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { writeBridge } from '../../support/iso/write-bridge.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { fieldAt, seal, sectors, writeUdf } from '../../support/iso/write-udf.ts'

const files = { file: 'iso' }
const udf = { files: { file: 'of udf' } }
const joliet = { files, rockRidge: false, joliet: true }

describe('the file system that is read', () => {
  test.each([
    ['Rock Ridge', () => writeIso({ files }), 'rock-ridge', 3],
    ['Rock Ridge beside Joliet', () => writeIso({ files, joliet: true }), 'rock-ridge', 3],
    ['Joliet', () => writeIso(joliet), 'joliet', 3],
    ['plain ISO 9660', () => writeIso({ files, rockRidge: false }), 'plain', 3],
    ['Rock Ridge beside UDF', () => writeBridge(udf, () => ({ files })), 'rock-ridge', 3],
    ['UDF beside Joliet', () => writeBridge(udf, () => joliet), 'udf', 6],
    ['UDF alone', () => writeUdf(udf), 'udf', 6],
  ] as const)('is %s', async (_, make, names, size) => {
    const disc = await openDisc(imageOf(make().bytes))
    expect(disc.names).toBe(names)
    expect(await disc.find(cleanPath('/file'))).toMatchObject({ size })
  })

  test('is Joliet beside UDF of a kind that is not supported', async () => {
    const { bytes, entries } = writeBridge(udf, () => joliet)
    const root = entries.get('')?.at ?? 0
    // Strategy 4096: a file entry written in steps.
    bytes.writeUInt16LE(4096, root + fieldAt.fileEntry.strategy)
    seal(bytes, root)
    expect((await openDisc(imageOf(bytes))).names).toBe('joliet')
  })

  test('is not chosen when the disk fails', async () => {
    const image = imageOf(writeBridge(udf, () => joliet).bytes)
    const error = new Error('EIO')
    const readAt: Image['readAt'] = (position, length) =>
      position < sectors.main * 2048 ? image.readAt(position, length) : Promise.reject(error)
    await expect(openDisc({ name: image.name, size: image.size, readAt })).rejects.toBe(error)
  })
})

test('a large image without UDF says all about the sizes of its files', async () => {
  const image = imageOf(writeIso({ files }).bytes, 5 * 2 ** 30)
  const node = await (await openDisc(image)).find(cleanPath('/file'))
  expect(node).toMatchObject({ size: 3 })
  expect(node).not.toHaveProperty('trouble')
})
