import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureKind } from '../../server/core/failure.ts'
import { diskSource } from '../../server/files/disk.ts'
import { cleanPath, rootPath } from '../../server/files/path.ts'
import { unpacked } from '../../server/host/unpack.ts'
import { isChecksumList, parseChecksumList } from '../../server/verify/documents/checksum-list.ts'
import { readPackages } from '../../server/verify/documents/primary.ts'
import { parseRepomd } from '../../server/verify/documents/repomd.ts'
import { runs } from '../support/fuzz.ts'
import { makeRepository, somePackages } from '../support/rpm-repository.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'
import { verifyTreeAt } from '../support/verify.ts'

const verify = (folder: string, { packages = true } = {}) =>
  verifyTreeAt(diskSource(folder), rootPath, { packages })

describe('a tree of some 100 files', () => {
  const build = () => {
    const folder = temporaryFolder()
    makeTree(folder)
    makeRepository(folder, somePackages(90))
    writeBelow(folder, 'extra/notes', 'a file')
    const digest = createHash('sha256').update('a file').digest('hex')
    writeBelow(folder, 'extra/SHA256SUMS', `${digest} *./notes\n`)
    return folder
  }

  test('is whole, and a flipped bit in a file that a document names is found and named', async () => {
    const folder = build()
    expect((await verify(folder)).findings).toEqual([])
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((item) => item.isFile())
      .map((item) => join(item.parentPath, item.name).slice(folder.length + 1))
    // The packages, primary.xml.gz and repomd.xml; three images and .treeinfo; notes and SHA256SUMS.
    expect(files).toHaveLength(90 + 2 + 4 + 2)
    // No other document names these.
    const documents = ['.treeinfo', 'extra/SHA256SUMS', 'repodata/repomd.xml']
    const targets = files.filter((file) => !documents.includes(file))
    // A sample, since each look reads the whole tree.
    for (const path of [targets[0], targets[37], targets[60], ...targets.slice(-4)]) {
      const file = join(folder, path ?? '')
      const whole = readFileSync(file)
      const flipped = Buffer.from(whole)
      flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] ?? 0) ^ 1
      writeFileSync(file, flipped)
      const { findings } = await verify(folder)
      expect(findings.filter(({ severity }) => severity === 'error').map((each) => each.path)).toContain(path)
      writeFileSync(file, whole)
    }
  })

  test('without packages only what installers fetch first is read', async () => {
    const folder = build()
    rmSync(join(folder, 'Packages'), { recursive: true })
    expect((await verify(folder, { packages: false })).findings).toEqual([])
    expect((await verify(folder)).findings).toHaveLength(90)
  })

  test('a file that is cut short and a missing one are named, with the document that names them', async () => {
    const folder = build()
    truncateSync(join(folder, 'Packages/p/p3-1-1.noarch.rpm'), 4)
    rmSync(join(folder, 'images/pxeboot/initrd.img'))
    const messages = (await verify(folder)).findings.map(({ path, message }) => `${path} ${message}`)
    expect(messages.sort()).toEqual([
      // 15: `package p3 xxx` and the end of its line.
      expect.stringMatching(
        /^Packages\/p\/p3-1-1.noarch.rpm has 4 bytes; repodata\/.*-primary.xml.gz says 15$/,
      ),
      'images/pxeboot/initrd.img is missing (named by .treeinfo)',
      'images/pxeboot/initrd.img is missing, and a boot needs it',
    ])
  })
})

test('a repository beside the tree is verified with it', async () => {
  const base = temporaryFolder()
  const tree = join(base, 'BaseOS/x86_64/os')
  const extra =
    '\n[variant-AppStream]\nid = AppStream\nuid = AppStream\nname = AppStream\ntype = variant\nrepository = ../../../AppStream/x86_64/os\n'
  makeTree(tree, { extra })
  makeRepository(tree, somePackages(3))
  makeRepository(join(base, 'AppStream/x86_64/os'), somePackages(3, 'q'))
  const at = cleanPath('/BaseOS/x86_64/os')
  const look = () => verifyTreeAt(diskSource(base), at)
  expect((await look()).findings).toEqual([])
  // One byte differs.
  writeBelow(base, 'AppStream/x86_64/os/Packages/q/q1-1-1.noarch.rpm', 'package q2 x\n')
  expect((await look()).findings.map(({ path }) => path)).toEqual([
    '../../../AppStream/x86_64/os/Packages/q/q1-1-1.noarch.rpm',
  ])
})

test("Debian's Release and Packages are followed", async () => {
  const folder = temporaryFolder()
  const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
  const deb = 'a package'
  writeBelow(folder, 'pool/main/a/a.deb', deb)
  const packages = `Package: a\nFilename: pool/main/a/a.deb\nSize: ${deb.length}\nSHA256: ${sha256(deb)}\n`
  const packed = gzipSync(packages)
  writeBelow(folder, 'dists/bookworm/main/binary-amd64/Packages.gz', packed)
  const release = (data: Uint8Array) =>
    `Suite: stable\nSHA256:\n ${sha256(packages)} ${packages.length} main/binary-amd64/Packages\n ${sha256(data)} ${data.length} main/binary-amd64/Packages.gz\n`
  writeBelow(folder, 'dists/bookworm/Release', release(packed))
  expect(await verify(folder)).toMatchObject({ findings: [], files: 2 })
  writeBelow(folder, 'pool/main/a/a.deb', 'A package')
  expect((await verify(folder)).findings.map(({ path }) => path)).toEqual(['pool/main/a/a.deb'])
})

describe('files that the program which writes a disc patches', () => {
  const pair = ['casper/vmlinuz', 'casper/initrd']
  const withList = (...names: string[]) => {
    const folder = temporaryFolder()
    const digest = createHash('md5').update('as listed').digest('hex')
    for (const name of [...pair, ...names]) writeBelow(folder, name, 'as listed')
    writeBelow(folder, '.disk/info', 'Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)')
    writeBelow(folder, 'md5sum.txt', [...pair, ...names].map((name) => `${digest}  ./${name}\n`).join(''))
    return folder
  }
  test.each([
    ['boot/grub/i386-pc/eltorito.img', 'warning'],
    ['isolinux/isolinux.bin', 'warning'],
    ['boot/x86_64/loader/isolinux.bin', 'warning'],
    ['images/eltorito.img', 'warning'],
    ['boot.catalog', 'warning'],
    ['isolinux/boot.cat', 'warning'],
    ['boot/grub/efi.img', 'warning'],
    ['casper/vmlinuz', 'error'],
    ['casper/initrd', 'error'],
    ['casper/filesystem.squashfs', 'error'],
    ['EFI/boot/grubx64.efi', 'error'],
    ['boot/grub/grub.cfg', 'error'],
    ['isolinux/isolinux.cfg', 'error'],
    ['boot/eltorito.img.txt', 'error'],
  ])('a change of %s is a %s', async (name, severity) => {
    const folder = withList(name)
    expect((await verify(folder)).findings).toEqual([])
    writeBelow(folder, name, 'it differs')
    const { findings } = await verify(folder)
    expect(findings.map((finding) => [finding.path, finding.severity])).toEqual([[name, severity]])
  })
})

test('lists of checksums in every dialect', () => {
  const hex = 'a'.repeat(64)
  const { entries, unreadableLines } = parseChecksumList(
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# x.iso: 5 bytes\nSHA256 (x.iso) = ${hex}\n${hex}  ./y z\n${hex} *w\nnonsense\n-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----\n`,
  )
  expect(entries.map(({ path }) => path)).toEqual(['x.iso', './y z', 'w'])
  expect(unreadableLines).toBe(1)
  expect(
    ['SHA256SUMS', 'md5sum.txt', 'CHECKSUMS', 'Fedora-40-CHECKSUM', 'x.iso.sha256'].every(isChecksumList),
  ).toBe(true)
  expect(['vmlinuz', 'repomd.xml', 'sums'].some(isChecksumList)).toBe(false)
})

test('primary.xml is read in pieces of any size, and a cut one is refused', async () => {
  const folder = temporaryFolder()
  makeRepository(folder, { 'Packages/a&b.rpm': 'x', 'Packages/c.rpm': 'yy' })
  const name = readdirSync(join(folder, 'repodata')).find((each) => each.includes('primary')) ?? ''
  const packed = readFileSync(join(folder, 'repodata', name))
  const read = async (bytes: Uint8Array, step: number) => {
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
    }
    const found: string[] = []
    for await (const file of readPackages(unpacked(pieces(), 'primary.xml.gz')))
      found.push(`${file.href} ${file.size}`)
    return found
  }
  for (const step of [1, 7, 100, 100_000])
    expect(await read(packed, step)).toEqual(['Packages/a&b.rpm 1', 'Packages/c.rpm 2'])
  await expect(read(packed.subarray(0, packed.length - 30), 50)).rejects.toThrow(/cut off|cannot be unpacked/)
})

test('repomd.xml of any bytes is read or refused, and never crashes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `<repomd><data type="primary">${text}</data></repomd>`),
      ),
      (text) => {
        try {
          parseRepomd(text)
        } catch (error) {
          expect(failureKind(error)).toBe('invalid-data')
        }
      },
    ),
    { numRuns: runs(300) },
  )
})
