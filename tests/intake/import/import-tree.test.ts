import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { readAr } from '../../../server/intake/import/ar.ts'
import { importLocal } from '../../../server/intake/import/import-tree.ts'
import { readTar } from '../../../server/intake/import/tar.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { runs } from '../../support/fuzz.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { writeUdf } from '../../support/iso/write-udf.ts'
import { arOf, type TarSpec, tarOf } from '../../support/tar.ts'
import {
  imagesOfTree,
  makeTree,
  namesBelow,
  temporaryFolder,
  treeinfoText,
  writeBelow,
} from '../../support/tree-folder.ts'

function inputs() {
  const base = temporaryFolder()
  mkdirSync(join(base, 'trees'))
  return { base, trees: join(base, 'trees'), store: new VersionStore(join(base, 'trees')) }
}

const treeEntries = (prefix = ''): TarSpec[] =>
  Object.entries({ ...imagesOfTree(), '.treeinfo': treeinfoText() }).map(([path, data]) => ({
    path: `${prefix}${path}`,
    data,
  }))

test('a folder is copied, named by its .treeinfo, and published', async () => {
  const { base, trees, store } = inputs()
  makeTree(join(base, 'dvd'))
  symlinkSync('images/pxeboot', join(base, 'dvd/boot'))
  symlinkSync('/etc', join(base, 'dvd/etc'))
  const outcome = await importLocal(store, join(base, 'dvd'))
  expect(outcome.trees.map(({ id, result }) => [id, result.outcome])).toEqual([
    ['fedora-40-server-x86_64', 'published'],
  ])
  expect(outcome.notes).toEqual([expect.stringMatching(/^etc .*\/etc/)])
  const tree = join(trees, 'fedora-40-server-x86_64')
  expect(readFileSync(join(tree, 'images/pxeboot/vmlinuz'), 'utf8')).toBe('kernel of 40\n')
  expect(readlinkSync(join(tree, 'boot'))).toBe('images/pxeboot')
  expect(readdirSync(join(trees, '.treeboot'))).toEqual(['versions'])
})

test('with hardLink the files are those of the source', async () => {
  const { base, trees, store } = inputs()
  makeTree(join(base, 'dvd'))
  await importLocal(store, join(base, 'dvd'), { id: 'f', hardLink: true })
  const inode = (path: string) => statSync(path).ino
  expect(inode(join(trees, 'f/images/install.img'))).toBe(inode(join(base, 'dvd/images/install.img')))
})

test('an interrupted import leaves nothing visible, and the second run keeps the files that are there', async () => {
  const { base, trees, store } = inputs()
  makeTree(join(base, 'dvd'))
  for (let n = 0; n < 30; n++) writeBelow(join(base, 'dvd'), `more/${n}`, `file ${n}`)
  const aborter = new AbortController()
  const first = importLocal(store, join(base, 'dvd'), {
    signal: aborter.signal,
    onProgress: ({ files = 0 }) => {
      if (files >= 15) aborter.abort()
    },
  })
  await expect(first).rejects.toThrow()
  expect(readdirSync(trees)).toEqual(['.treeboot'])
  const incoming = join(trees, '.treeboot/incoming')
  const begun = join(incoming, readdirSync(incoming)[0] ?? '', 'tree')
  const inodes = namesBelow(begun).map((path) => lstatSync(join(begun, path)).ino)
  // When the 15th file was reported, 14 were complete.
  expect(inodes.length).toBeGreaterThanOrEqual(14)
  const second = await importLocal(store, join(base, 'dvd'))
  expect(second.resumed).toBe(true)
  const published = join(trees, 'fedora-40-server-x86_64')
  const now = namesBelow(published).map((path) => lstatSync(join(published, path)).ino)
  expect(now).toEqual(expect.arrayContaining(inodes))
})

test.each([
  ['plain', (data: Buffer) => data],
  ['gzip', gzipSync],
])('a tar archive (%s) is known by its content', async (_, pack) => {
  const { base, store, trees } = inputs()
  writeFileSync(join(base, 'download.bin'), pack(tarOf(treeEntries('./fedora/'))))
  const { trees: found } = await importLocal(store, join(base, 'download.bin'))
  expect(found[0]).toMatchObject({ id: 'fedora-40-server-x86_64', result: { outcome: 'published' } })
  expect(existsSync(join(trees, 'fedora-40-server-x86_64/.treeinfo'))).toBe(true)
})

test('a link to a file beside the tree is no folder that is searched', async () => {
  const { base, store } = inputs()
  const beside: TarSpec[] = [
    { path: './README', data: 'read me\n' },
    { path: './readme', type: '2', target: 'README' },
  ]
  writeFileSync(join(base, 'x.tar'), tarOf([...treeEntries('./fedora/'), ...beside]))
  const { trees } = await importLocal(store, join(base, 'x.tar'))
  expect(trees[0]).toMatchObject({ result: { outcome: 'published' } })
})

test('a Debian package with two installers gives two trees', async () => {
  const { base, store } = inputs()
  const flavour = (name: string): TarSpec[] => [
    { path: `./usr/lib/images/12/amd64/${name}/debian-installer/amd64/linux`, data: `kernel ${name}` },
    { path: `./usr/lib/images/12/amd64/${name}/debian-installer/amd64/initrd.gz`, data: `initrd ${name}` },
    { path: `./usr/lib/images/12/amd64/${name}/version.info`, data: 'Debian version:  12 (bookworm)\n' },
  ]
  const data = gzipSync(tarOf([...flavour('gtk'), ...flavour('text')]))
  const deb = arOf({
    'debian-binary': Buffer.from('2.0\n'),
    'control.tar.gz': Buffer.from('xyz'),
    'data.tar.gz': data,
  })
  writeFileSync(join(base, 'x'), deb)
  const { trees } = await importLocal(store, join(base, 'x'))
  expect(trees.map(({ id }) => id)).toEqual(['debian-12-netboot-amd64-gtk', 'debian-12-netboot-amd64-text'])
})

test.each<[string, TarSpec]>([
  ['..', { path: '../evil', data: 'x' }],
  ['an inner ..', { path: 'a/../../evil', data: 'x' }],
  // The archive is unpacked into `trees/.treeboot/incoming/job-KEY/tree`.
  ['a hard link out', { path: 'evil', type: '1', target: '../../../../../secret' }],
])('an archive whose names lead out by %s writes and reads nothing outside', async (_, entry) => {
  const { base, trees, store } = inputs()
  writeFileSync(join(base, 'secret'), 'secret')
  writeFileSync(join(base, 'x.tar'), tarOf([...treeEntries(), entry]))
  await importLocal(store, join(base, 'x.tar')).catch((error) => expect(error).toBeInstanceOf(Failure))
  expect(existsSync(join(base, 'evil'))).toBe(false)
  expect(existsSync(join(trees, 'evil'))).toBe(false)
  expect(existsSync(join(trees, 'fedora-40-server-x86_64/evil'))).toBe(false)
})

test('links through links cannot lead a file out', async () => {
  const { base, store, trees } = inputs()
  const entries: TarSpec[] = [
    ...treeEntries(),
    { path: 'a', type: '2', target: '.' },
    // As text this is `.`, but `a/.` is the tree itself, so that `a/..` is the folder above it.
    { path: 'b', type: '2', target: 'a/..' },
    { path: 'up', type: '2', target: 'a/../..' },
  ]
  writeFileSync(join(base, 'x.tar'), tarOf(entries))
  const { notes } = await importLocal(store, join(base, 'x.tar'), { id: 'x' })
  expect(notes.toSorted()).toEqual([
    expect.stringMatching(/^b is left out/),
    expect.stringMatching(/^up is left out/),
  ])
  const real = join(trees, '.treeboot/versions/x/1')
  const links = readdirSync(real).filter((name) => lstatSync(join(real, name)).isSymbolicLink())
  expect(links).toEqual(['a'])
})

test.each([
  ['ISO 9660', writeIso],
  ['UDF alone', writeUdf],
])('an image with %s is known by its content', async (_name, write) => {
  const { base, trees, store } = inputs()
  const { bytes } = write({ files: { '.treeinfo': treeinfoText(), ...imagesOfTree() } })
  writeFileSync(join(base, 'download.part'), bytes)
  const outcome = await importLocal(store, join(base, 'download.part'))
  expect(outcome.trees.map(({ id, result }) => [id, result.outcome])).toEqual([
    ['fedora-40-server-x86_64', 'published'],
  ])
  expect(readFileSync(join(trees, 'fedora-40-server-x86_64.iso')).equals(bytes)).toBe(true)
})

test('the refusal of another file names its first bytes', async () => {
  const { base, store } = inputs()
  writeFileSync(join(base, 'Fedora.iso'), 'not really')
  await expect(importLocal(store, join(base, 'Fedora.iso'))).rejects.toMatchObject({
    kind: 'invalid-data',
    // `not ` in hex.
    message: expect.stringMatching(/Fedora\.iso .*CD001 .*BEA01 at byte 32769.* 6e 6f 74 20/),
  })
  await expect(importLocal(store, join(base, 'nothing'))).rejects.toMatchObject({ kind: 'not-found' })
})

test('a damaged tree is not published, and a second import of the mended source is', async () => {
  const { base, trees, store } = inputs()
  makeTree(join(base, 'dvd'))
  writeBelow(join(base, 'dvd'), 'images/install.img', 'second stage of 99\n')
  const { trees: found } = await importLocal(store, join(base, 'dvd'))
  expect(found[0]?.result).toMatchObject({
    outcome: 'refused',
    // The warning: `.treeinfo` names the tree itself as a repository, and there is no repodata.
    findings: [{ path: 'images/install.img' }, { severity: 'warning', path: '.' }],
  })
  expect(readdirSync(trees)).toEqual(['.treeboot'])
  writeBelow(join(base, 'dvd'), 'images/install.img', 'second stage of 40\n')
  expect((await importLocal(store, join(base, 'dvd'))).trees[0]?.result.outcome).toBe('published')
})

async function* once(data: Uint8Array) {
  yield data
}

test('archives of any bytes are read or refused', async () => {
  const whole = tarOf(treeEntries())
  const mutated = fc
    .tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length))
    .map(([at, value, cut]) => {
      const bytes = Buffer.from(whole)
      bytes[at] = value
      return bytes.subarray(0, cut)
    })
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 1200 }), mutated), async (bytes) => {
      for (const read of [readTar, readAr]) {
        try {
          for await (const _ of read(once(bytes)));
        } catch (error) {
          expect(error).toBeInstanceOf(Failure)
        }
      }
    }),
    { numRuns: runs(150) },
  )
})
