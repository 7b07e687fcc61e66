import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { openDisc } from '../../../server/files/iso/disc.ts'
import { isoSource } from '../../../server/files/iso/source.ts'
import { cleanPath, rootPath } from '../../../server/files/path.ts'
import { sharedIsoFolders, sharedUdfFolders } from '../../support/iso/shared-folders.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { field, writeIso } from '../../support/iso/write-iso.ts'
import { stating } from '../../support/stating.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'
import { verifyTreeAt } from '../../support/verify.ts'

const sourceOf = (bytes: Buffer) => {
  const file = join(temporaryFolder(), 'x.iso')
  writeFileSync(file, bytes)
  return isoSource(file)
}

describe.each([
  ['ISO 9660', sharedIsoFolders],
  ['UDF', sharedUdfFolders],
])('an image of %s with folders under two paths', (_, make) => {
  test('is served, and each folder of it is read once', async () => {
    const image = imageOf(make(10))
    const disc = await openDisc(image)
    const opened = image.readings()
    const paths = ['/a/c/e/g/i/k/m/o/q/s/file', '/b/d/f/h/j/l/n/p/r/t/file', '/a/d/e/h/i/l/m/p/q/t/file']
    for (const path of paths) expect(await disc.find(cleanPath(path))).toMatchObject({ kind: 'file' })
    expect(image.readings() - opened).toBeLessThanOrEqual(11)
  })

  test('is verified, and the search for documents ends with a finding', async () => {
    const found = await verifyTreeAt(await sourceOf(make(13)), rootPath)
    // Folders of eight levels below the root are listed: 2^9 - 1 paths, and no more.
    expect(found.findings).toEqual([])
    expect(found.documents).toEqual([])
  })
})

test('a folder with more records than any disc has is refused, and the others are listed', async () => {
  const { entries } = imageLimits.imageFolder
  const { bytes, folders } = writeIso({ files: { 'big/file': 'x', 'small/file': 'x' }, rockRidge: false })
  // The folder `big` is moved to the end of the image, and gets the record of its file so many times.
  const at = (folders.get('big')?.block ?? 0) * 2048
  const self = bytes[at] ?? 0
  const third = at + self + (bytes[at + self] ?? 0)
  const record = bytes.subarray(third, third + (bytes[third] ?? 0))
  const perSector = Math.floor(2048 / record.length)
  const sector = Buffer.alloc(2048)
  for (let i = 0; i < perSector; i++) record.copy(sector, i * record.length)
  const more = Buffer.alloc(2048 * Math.ceil((entries + 1) / perSector))
  for (let start = 0; start < more.length; start += 2048) sector.copy(more, start)
  const whole = Buffer.concat([bytes, more])
  const root = (folders.get('')?.block ?? 0) * 2048
  for (let each = root; ; each += whole[each] ?? 0) {
    if (whole.readUInt32LE(each + 2) !== (folders.get('big')?.block ?? 0)) continue
    whole.writeUInt32LE(bytes.length / 2048, each + 2)
    whole.writeUInt32LE(more.length, each + 10)
    break
  }
  const disc = await openDisc(imageOf(whole))
  let turns = 0
  const ticking = setInterval(() => turns++, 0)
  await expect(disc.list(cleanPath('/big'))).rejects.toThrow(stating('x.iso', `${entries} directory records`))
  clearInterval(ticking)
  expect(turns).toBeGreaterThan(20)
  expect(await disc.list(cleanPath('/small'))).toHaveLength(1)
})

test('continuation areas that lead from one to the next are refused after some', async () => {
  const { entries } = imageLimits.recordContinuations
  // A CE field that names the 28 bytes of the next one.
  const ce = (block: number, offset: number) => {
    const bytes = Buffer.alloc(24)
    bytes.writeUInt32LE(block, 0)
    bytes.writeUInt32LE(offset, 8)
    bytes.writeUInt32LE(28, 16)
    return field('CE', bytes)
  }
  const { bytes } = writeIso({ files: { file: { bytes: 'x', fields: [ce(0, 0)] }, other: 'y' } })
  for (let i = 0; i < entries + 2; i++) ce(0, (i + 1) * 28).copy(bytes, i * 28)
  await expect((await openDisc(imageOf(bytes))).list(rootPath)).rejects.toThrow(
    stating('x.iso', 'do not end'),
  )
})

test('symlinks that lead through thousands of components are left out when there are too many steps', async () => {
  // 1000 links, each through 39 others of 11 components: 440,000 steps.
  const step = 'f/../'.repeat(5)
  const chain = Array.from({ length: 39 }, (_, i) => [`c${i}`, { target: `${step}c${i + 1}` }] as const)
  const starts = Array.from({ length: 1000 }, (_, i) => [`s${i}`, { target: `${step}c0` }] as const)
  const files = { 'f/file': 'x', c39: 'end', ...Object.fromEntries([...chain, ...starts]) }
  const disc = await openDisc(imageOf(writeIso({ files }).bytes))
  const listed = (await disc.list(rootPath)) ?? []
  expect(listed.length).toBeGreaterThan(40)
  expect(listed.length).toBeLessThan(700)
  expect(listed.map(({ name }) => name)).toEqual(expect.arrayContaining(['c39', 'f', 'c38']))
  // One link alone is followed.
  expect(await disc.find(cleanPath('/s999'))).toMatchObject({ kind: 'file', size: 3 })
})
