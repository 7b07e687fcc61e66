import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { gatherEvidence } from '../../../server/catalog/scan/gather.ts'
import { readTree } from '../../../server/catalog/scan/read-tree.ts'
import { isoSource } from '../../../server/files/iso/source.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

/** What an image in `trees/` is, by its volume descriptor. */

const files = {
  'images/pxeboot/vmlinuz': 'kernel',
  'images/pxeboot/initrd.img': 'initrd',
  'images/install.img': 'second stage',
}

function image(place: string, bytes: Buffer) {
  const folder = realpathSync(temporaryFolder())
  const diskPath = join(folder, place)
  mkdirSync(dirname(diskPath), { recursive: true })
  writeFileSync(diskPath, bytes)
  const location = { id: place.replace(/\.iso$/, ''), diskPath, image: 'm.iso' }
  return { diskPath, read: () => readTree(location, folder) }
}

test('an image without a descriptor file is known by its volume descriptor, under any name', async () => {
  const ids = { volume: 'Rocky-9-4-x86_64-dvd', system: 'LINUX' }
  const { read } = image('lab/m.iso', writeIso({ files, ids }).bytes)
  expect((await read())?.description).toMatchObject({
    era: 'volume-descriptor',
    family: 'Rocky Linux',
    version: '9.4',
    arch: 'x86_64',
    problems: [],
  })
})

test('an image that nothing but its volume descriptor tells of is a tree without boot files', async () => {
  const data = { 'AppStream/README': 'x' }
  const known = image('m.iso', writeIso({ files: data, ids: { volume: 'RHEL-9-4-0-BaseOS-s390x' } }).bytes)
  expect((await known.read())?.description).toMatchObject({ version: '9.4', arch: 's390x', platforms: {} })
  const unknown = image('m.iso', writeIso({ files: data, ids: { volume: 'HOLIDAY 2024' } }).bytes)
  expect(await unknown.read()).toBeUndefined()
})

test('the volume descriptor speaks of the whole disc, and not of a tree in one of its folders', async () => {
  const inner = Object.fromEntries(Object.entries(files).map(([path, text]) => [`old/${path}`, text]))
  const { bytes } = writeIso({ files: inner, ids: { volume: 'Rocky-9-4-x86_64-dvd' } })
  const source = await isoSource(image('m.iso', bytes).diskPath)
  expect(source.volume?.volume).toBe('Rocky-9-4-x86_64-dvd')
  expect((await gatherEvidence(source, cleanPath('/old')))?.volume).toBeUndefined()
  expect((await gatherEvidence(source, cleanPath('/')))?.volume).toEqual(source.volume)
})
