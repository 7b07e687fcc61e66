import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { isoSource } from '../../server/files/iso/source.ts'
import { cleanPath, rootPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { writeUdf } from '../support/iso/write-udf.ts'
import { temporaryFolder } from '../support/tree-folder.ts'
import { verifyTreeAt } from '../support/verify.ts'

const digest = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex')

const bytes: Record<string, string> = {
  'dists/trixie/main/binary-amd64/Packages': `Filename: pool/main/a/a_1_amd64.deb\nSize: 4\nSHA256: ${digest('sha256', 'a.de')}\n`,
  'dists/trixie/Release': '',
  'install.amd/vmlinuz': 'the kernel',
  'install.amd/initrd.gz': 'the initrd',
  'pool/main/a/a_1_amd64.deb': 'a.de',
}
const packages = bytes['dists/trixie/main/binary-amd64/Packages'] ?? ''
bytes['dists/trixie/Release'] =
  `SHA256:\n ${digest('sha256', packages)} ${packages.length} main/binary-amd64/Packages\n`

/**
 * A Debian medium, as debian-cd makes it: with a link to itself and one for each name of the suite. Its md5sum.txt
 * names some files through the links as well, as `find -follow` does.
 */
const media: Record<string, string | { readonly target: string }> = {
  '.disk/info': 'Debian GNU/Linux 13.1.0 "Trixie" - Official amd64 NETINST with firmware 20250906-10:22',
  ...bytes,
  'md5sum.txt': [
    ...Object.entries(bytes).map(([path, text]) => `${digest('md5', text)}  ./${path}`),
    `${digest('md5', bytes['dists/trixie/Release'])}  ./dists/stable/Release`,
    `${digest('md5', bytes['dists/trixie/Release'])}  ./debian/dists/testing/Release`,
  ].join('\n'),
  debian: { target: '.' },
  'dists/stable': { target: 'trixie' },
  'dists/testing': { target: 'stable' },
}

function onDisk(more: typeof media = {}): string {
  const root = temporaryFolder()
  for (const [path, content] of Object.entries({ ...media, ...more })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    if (typeof content === 'string') writeFileSync(join(root, path), content)
    else symlinkSync(content.target, join(root, path))
  }
  return root
}

const shown = (root: string) => diskSource(root, { showLinks: true })
const imageOf = (image: Uint8Array): Promise<FileSource> => {
  const file = join(temporaryFolder(), 'disc.iso')
  writeFileSync(file, image)
  return isoSource(file)
}

const forms: Record<string, () => FileSource | Promise<FileSource>> = {
  'a folder': () => shown(onDisk()),
  'an image with Rock Ridge': () => imageOf(writeIso({ files: media }).bytes),
  'an image with UDF': () => imageOf(writeUdf({ files: media }).bytes),
}

test.each(Object.keys(forms))('%s with links to itself: each file is checked and read once', async (form) => {
  const source = await forms[form]?.()
  if (!source) throw new Error('no such form')
  const { files, bytes: read, findings, documents } = await verifyTreeAt(source, rootPath)
  expect(findings).toEqual([])
  expect(files).toBe(Object.keys(bytes).length)
  expect(read).toBe(Object.values(bytes).reduce((sum, text) => sum + text.length, 0))
  expect([...documents].sort()).toEqual([
    'dists/trixie/Release',
    'dists/trixie/main/binary-amd64/Packages',
    'md5sum.txt',
  ])
})

test('a damaged file that is named through links is one finding, by its real name', async () => {
  const root = onDisk()
  writeFileSync(join(root, 'dists/trixie/main/binary-amd64/Packages'), packages.replace('Size: 4', 'Size: 5'))
  const { findings } = await verifyTreeAt(shown(root), rootPath)
  expect(findings.map(({ path }) => path)).toEqual([
    'dists/trixie/main/binary-amd64/Packages',
    'pool/main/a/a_1_amd64.deb',
  ])
})

test('what a link leads to elsewhere is checked through the link: beside the tree, or where nobody searches', async () => {
  const root = temporaryFolder()
  const line = `${digest('sha256', 'x')}  x\n`
  for (const folder of ['tree', 'other', 'tree/pool/lists']) {
    mkdirSync(join(root, folder), { recursive: true })
    writeFileSync(join(root, folder, 'x'), 'y')
    writeFileSync(join(root, folder, 'SHA256SUMS'), line)
  }
  symlinkSync('../other', join(root, 'tree/out'))
  symlinkSync('pool/lists', join(root, 'tree/lists'))
  const { findings } = await verifyTreeAt(shown(root), cleanPath('/tree'))
  expect(findings.map(({ path }) => path)).toEqual(['lists/x', 'out/x', 'x'])
})

test('a link to nothing, and one to a file, change nothing', async () => {
  const root = onDisk({
    'dists/gone': { target: 'nothing' },
    kernel: { target: 'install.amd/vmlinuz' },
    SHA256SUMS: `${digest('sha256', 'the kernel')}  kernel\n${digest('sha256', 'x')}  dists/gone/x\n`,
  })
  const { findings } = await verifyTreeAt(shown(root), rootPath)
  expect(findings).toEqual([
    { severity: 'warning', path: 'dists/gone/x', message: expect.stringContaining('is missing') },
  ])
  rmSync(join(root, 'kernel'))
  writeFileSync(join(root, 'kernel'), 'another')
  expect((await verifyTreeAt(shown(root), rootPath)).findings).toHaveLength(2)
})
