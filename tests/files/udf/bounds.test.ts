import { expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { openDisc } from '../../../server/files/iso/disc.ts'
import { cleanPath, rootPath } from '../../../server/files/path.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { writeUdf } from '../../support/iso/write-udf.ts'
import { stating } from '../../support/stating.ts'

test('a metadata file in 1024 pieces is read, and the image of one in more is refused', async () => {
  const { entries } = imageLimits.udfMetadata
  const disc = (metadataPieces: number) =>
    openDisc(imageOf(writeUdf({ files: { file: 'x' }, metadata: true, metadataPieces }).bytes))
  expect(await (await disc(entries)).find(cleanPath('/file'))).toMatchObject({ kind: 'file', size: 1 })
  await expect(disc(entries + 1)).rejects.toThrow(stating('x.iso', 'metadata file', `${entries + 1} pieces`))
})

test('a symlink of 16 KiB is followed, and a longer one is refused, beside the other files', async () => {
  const { bytes } = imageLimits.imageLink
  // Each component has four bytes and its name, which begins with the number of bits of a character. A dot has none.
  const dots = (bytes - 4 - 1 - 'target1'.length) / 4
  const disc = await openDisc(
    imageOf(
      writeUdf({
        files: {
          target1: '1',
          target12: '12',
          long: { target: `${'./'.repeat(dots)}target1` },
          longer: { target: `${'./'.repeat(dots)}target12` },
        },
      }).bytes,
    ),
  )
  expect(await disc.find(cleanPath('/long'))).toMatchObject({ kind: 'file', size: 1 })
  await expect(disc.find(cleanPath('/longer'))).rejects.toThrow(stating('x.iso, byte', `${bytes + 1} bytes`))
  const listed = (await disc.list(rootPath)) ?? []
  expect(listed.map(({ name, trouble }) => [name, trouble?.kind])).toEqual([
    ['target1', undefined],
    ['target12', undefined],
    ['long', undefined],
    ['longer', 'invalid-data'],
  ])
})
