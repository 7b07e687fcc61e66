import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { openDisc } from '../../../server/files/iso/disc.ts'
import { isoSource } from '../../../server/files/iso/source.ts'
import { cleanPath, rootPath } from '../../../server/files/path.ts'
import { isSearch } from '../../support/fuzz.ts'
import { sharedIsoFolders, sharedUdfFolders } from '../../support/iso/shared-folders.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import {
  continuationField,
  field,
  type IsoFile,
  type IsoShape,
  writeIso,
} from '../../support/iso/write-iso.ts'
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

/** The image with a folder `big` that has so many times the record of the file in it, and with a folder `small`. */
function withRecords(count: number, shape: Partial<IsoShape> & { readonly file?: IsoFile }): Buffer {
  const { file = { bytes: 'x' }, ...rest } = shape
  const { bytes, folders } = writeIso({ files: { 'big/file': file, 'small/file': 'x' }, ...rest })
  // The folder `big` is moved to the end of the image.
  const at = (folders.get('big')?.block ?? 0) * 2048
  const self = bytes[at] ?? 0
  const third = at + self + (bytes[at + self] ?? 0)
  const record = bytes.subarray(third, third + (bytes[third] ?? 0))
  const perSector = Math.floor(2048 / record.length)
  const sector = Buffer.alloc(2048)
  for (let i = 0; i < perSector; i++) record.copy(sector, i * record.length)
  const more = Buffer.alloc(2048 * Math.ceil(count / perSector))
  for (let start = 0; start < more.length; start += 2048) sector.copy(more, start)
  const whole = Buffer.concat([bytes, more])
  const root = (folders.get('')?.block ?? 0) * 2048
  for (let each = root; ; each += whole[each] ?? 0) {
    if (whole.readUInt32LE(each + 2) !== (folders.get('big')?.block ?? 0)) continue
    whole.writeUInt32LE(bytes.length / 2048, each + 2)
    whole.writeUInt32LE(more.length, each + 10)
    return whole
  }
}

// It takes a second.
test.runIf(isSearch)(
  'a folder with more records than any disc has is refused, and the others are listed',
  async () => {
    const { entries } = imageLimits.imageFolder
    const whole = withRecords(entries + 1, { rockRidge: false })
    const disc = await openDisc(imageOf(whole))
    let turns = 0
    const ticking = setInterval(() => turns++, 0)
    await expect(disc.list(cleanPath('/big'))).rejects.toThrow(
      stating('x.iso', `${entries} directory records`),
    )
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(20)
    expect(await disc.list(cleanPath('/small'))).toHaveLength(1)
  },
)

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

test('64 volume descriptors are read, and the image without the others', async () => {
  const { entries } = imageLimits.volumeDescriptors
  /** An image whose descriptor of Joliet, the second, is the n-th. Before it are boot records. */
  const listedWith = async (n: number) => {
    const { bytes } = writeIso({
      files: { 'A long Name': 'x' },
      rockRidge: false,
      joliet: true,
      firstBlock: 100,
    })
    const at = (descriptor: number) => (16 + descriptor) * 2048
    bytes.copy(bytes, at(n - 1), at(1), at(2))
    for (let i = 1; i < n - 1; i++) bytes.fill(0, at(i), at(i + 1)).write('CD001', at(i) + 1, 'latin1')
    return (await (await openDisc(imageOf(bytes))).list(rootPath))?.map(({ name }) => name)
  }
  expect(await listedWith(entries)).toEqual(['A long Name'])
  expect(await listedWith(entries + 1)).toEqual(['a long name'])
})

describe('the continuation areas of a folder are read', () => {
  const { bytes: mostBytes, entries: mostAreas } = imageLimits.continuations

  test('up to 16 MiB', async () => {
    const inFolder = (length: number) => ({
      bytes: 'x',
      fields: [continuationField({ block: 100, offset: 0, length })],
    })
    const { bytes } = writeIso({
      files: { 'good/file': inFolder(mostBytes), 'bad/file': inFolder(mostBytes + 1), other: 'y' },
    })
    const disc = await openDisc(imageOf(bytes, 2 * mostBytes))
    expect(await disc.list(cleanPath('/good'))).toHaveLength(1)
    await expect(disc.list(cleanPath('/bad'))).rejects.toThrow(stating('x.iso, byte 204800', 'too large'))
    expect(await disc.list(rootPath)).toHaveLength(3)
  })

  // It takes a second.
  test.runIf(isSearch)('up to 250,000 of them', async () => {
    const { entries: perFile } = imageLimits.recordContinuations
    const area = (i: number) => continuationField({ block: 0, offset: i * 28, length: 28 })
    // All files lead through the same areas, each of which names the next.
    const bytes = withRecords(Math.ceil(mostAreas / perFile), { file: { fields: [area(0)] } })
    for (let i = 1; i < perFile; i++) area(i).copy(bytes, (i - 1) * 28)
    const disc = await openDisc(imageOf(bytes))
    await expect(disc.list(cleanPath('/big'))).rejects.toThrow(
      stating(`x.iso, byte ${(mostAreas % perFile) * 28}`, 'too many'),
    )
    expect(await disc.list(cleanPath('/small'))).toHaveLength(1)
  })
})

test('a symlink of 16 KiB is followed, and a longer one is not', async () => {
  const { bytes } = imageLimits.imageLink
  const link = (target: string) => {
    const length = bytes - target.length + (target.length % 2)
    // A component `.` is a flag and a length of 0; the last field has the name.
    const dots = Array<number[]>(length / 2)
      .fill([2, 0])
      .flat()
    const fields: Buffer[] = []
    for (let at = 0; at < dots.length; at += 200)
      fields.push(field('SL', Buffer.from([1, ...dots.slice(at, at + 200)])))
    return { fields: [...fields, field('SL', Buffer.from([0, 0, target.length]), Buffer.from(target))] }
  }
  const files = { target12: '12', target1: '1', long: link('target12'), longer: link('target1') }
  const disc = await openDisc(imageOf(writeIso({ files, continuation: true }).bytes))
  expect((await disc.links(rootPath))?.get('long')).toHaveLength(bytes)
  expect((await disc.links(rootPath))?.get('longer')).toHaveLength(bytes + 1)
  expect(await disc.find(cleanPath('/long'))).toMatchObject({ kind: 'file', size: 2 })
  expect(await disc.find(cleanPath('/longer'))).toBeUndefined()
  expect((await disc.list(rootPath))?.map(({ name }) => name)).toEqual(['long', 'target1', 'target12'])
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
