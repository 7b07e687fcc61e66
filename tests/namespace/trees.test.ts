import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { TreeScanner } from '../../server/catalog/scan/scanner.ts'
import { createTreeIndex } from '../../server/core/select/select.ts'
import { diskSource } from '../../server/files/disk.ts'
import { cleanPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { treesSource } from '../../server/namespace/trees.ts'
import { BackgroundVerifier } from '../../server/verify/background-verifier.ts'
import { VerifyCache } from '../../server/verify/verify-cache.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { names, stat, text } from '../support/sources.ts'
import { makeTree, temporaryFolder, treeinfoText, writeBelow } from '../support/tree-folder.ts'

type Files = Record<string, string>

/** Both forms of the same trees: folders as they are, and images of them, served below `iso/<id>`. */
async function served(trees: Record<string, Files>): Promise<FileSource> {
  const cwd = temporaryFolder()
  const folder = join(cwd, 'trees')
  mkdirSync(folder)
  for (const [id, files] of Object.entries(trees)) {
    for (const [path, text] of Object.entries(files)) writeBelow(join(folder, id), path, text)
    mkdirSync(join(folder, 'iso'), { recursive: true })
    writeFileSync(join(folder, 'iso', `${id}.iso`), writeIso({ files }).bytes)
  }
  return sourceOf(cwd)
}

async function sourceOf(cwd: string): Promise<FileSource> {
  const folder = join(cwd, 'trees')
  const verifier = new BackgroundVerifier(new VerifyCache(join(cwd, 'data')), () => undefined)
  const times = { quietMs: 0, missingGraceMs: 0 }
  const scanner = new TreeScanner({ folder, clock: Date.now, times, verifier, verify: false })
  await scanner.scan()
  const trees = createTreeIndex(scanner.trees)
  await scanner.close()
  return treesSource({
    snapshot: () => ({ trees }),
    disk: diskSource(folder),
    folder: () => folder,
    machines: noMachines,
  })
}

const ubuntu: Files = {
  '.disk/info': 'Ubuntu-Server 24.04 LTS "Noble Numbat" - Release amd64 (20240423)',
  'casper/vmlinuz': 'kernel',
  'casper/initrd': 'initrd',
}
const debian: Files = {
  '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27',
  'install.amd/vmlinuz': 'kernel',
  'install.amd/initrd.gz': 'initrd',
  'install.amd/xen/vmlinuz': 'xen kernel',
  'install.amd/xen/initrd.gz': 'xen initrd',
}

describe('a tree in an ISO image', () => {
  test('is served beside its image, with the same bytes as from a folder', async () => {
    const files = {
      '.treeinfo': treeinfoText({ checksums: false }),
      'images/pxeboot/vmlinuz': 'kernel of 40\n',
      'images/pxeboot/initrd.img': 'i',
    }
    const source = await served({ f40: files })
    expect(await names(source, '/iso')).toEqual(['f40', 'f40.iso'])
    for (const [path, expected] of Object.entries(files)) {
      expect(await text(source, `/f40/${path}`)).toBe(expected)
      expect(await text(source, `/iso/f40/${path}`)).toBe(expected)
    }
    expect(await stat(source, '/iso/f40')).toMatchObject({ name: 'f40', kind: 'folder' })
    expect((await stat(source, '/iso/f40/images/pxeboot/vmlinuz'))?.extent?.file).toMatch(/f40\.iso$/)
    // The image itself: the identifier of its first volume descriptor, in sector 16 of 2048 bytes.
    expect((await contentOf(await stat(source, '/iso/f40.iso'))).toString('latin1', 32769, 32774)).toBe(
      'CD001',
    )
    expect(await stat(source, '/iso/f40/none')).toBeUndefined()
    expect(await names(source, '/iso/f40')).toEqual(['.treeinfo', 'images'])
  })
})

test('a clean tree in a folder costs no second entry: the same object as long as nothing changes', async () => {
  const cwd = temporaryFolder()
  makeTree(join(cwd, 'trees/f40'), { checksums: false })
  const source = await sourceOf(cwd)
  for (const path of ['/f40/images/pxeboot/vmlinuz', '/f40/.treeinfo'])
    expect(await stat(source, path)).toBe(await stat(source, path))
})

describe('a tree without a usable descriptor', () => {
  test.each(['u', 'iso/u'])(
    'Ubuntu live server in %s: .treeinfo, and the paths of the netboot installer',
    async (at) => {
      const source = await served({ u: ubuntu })
      const treeinfo = await text(source, `/${at}/.treeinfo`)
      expect(treeinfo).toContain('[images-amd64]\ninitrd = casper/initrd\nkernel = casper/vmlinuz\n')
      expect(treeinfo).toContain('family = Ubuntu\n')
      for (const arch of ['amd64', 'i386']) {
        const netboot = `/${at}/install/netboot/ubuntu-installer/${arch}`
        expect(await text(source, `${netboot}/linux`)).toBe('kernel')
        expect(await text(source, `${netboot}/initrd.gz`)).toBe('initrd')
      }
      expect(await stat(source, `/${at}/install/netboot/debian-installer/amd64/linux`)).toBeUndefined()
      expect(await names(source, `/${at}`)).toEqual(['.disk', '.treeinfo', 'casper', 'install'])
      expect(await names(source, `/${at}/install/netboot/ubuntu-installer`)).toEqual(['amd64'])
      expect(await text(source, `/${at}/.disk/info`)).toBe(ubuntu['.disk/info'])
    },
  )

  test('Debian media: the installer of install.amd, and the one for Xen', async () => {
    const source = await served({ d: debian })
    expect(await text(source, '/d/install/netboot/debian-installer/amd64/linux')).toBe('kernel')
    expect(await text(source, '/d/install/netboot/xen/vmlinuz')).toBe('xen kernel')
    expect(await names(source, '/d/install/netboot')).toEqual(['debian-installer', 'xen'])
  })

  test('what the tree has itself comes first', async () => {
    const own = { ...debian, 'install/netboot/debian-installer/amd64/linux': 'its own' }
    const source = await served({ d: own })
    expect(await text(source, '/d/install/netboot/debian-installer/amd64/linux')).toBe('its own')
  })

  test('files alone: a .treeinfo that names the images that were found', async () => {
    const source = await served({
      thing: { 'boot/x86_64/loader/linux': 'k', 'boot/x86_64/loader/initrd': 'i' },
    })
    expect(await text(source, '/thing/.treeinfo')).toContain('kernel = boot/x86_64/loader/linux\n')
  })

  test('trees with what clients know get nothing', async () => {
    const manifest =
      'netboot/debian-installer/amd64/linux\t-- kernel\nnetboot/debian-installer/amd64/initrd.gz\t-- initrd\n'
    const images = 'current/images/netboot/debian-installer/amd64'
    const source = await served({
      m: { 'current/images/MANIFEST': manifest, [`${images}/linux`]: 'k', [`${images}/initrd.gz`]: 'i' },
    })
    expect(await stat(source, '/m/.treeinfo')).toBeUndefined()
    expect(await names(source, '/m')).toEqual(['current'])
  })
})

describe('a .treeinfo that clients stumble over', () => {
  const bad = `\ufeff${treeinfoText({ checksums: false }).replace('kernel = images', 'kernel = /images')}`
  const files = { '.treeinfo': bad, 'images/pxeboot/vmlinuz': 'k', 'images/pxeboot/initrd.img': 'i' }

  test.each(['f', 'iso/f'])('is served repaired in %s, and as it was at .treeinfo.orig', async (at) => {
    const source = await served({ f: files })
    const repaired = await text(source, `/${at}/.treeinfo`)
    expect(repaired.startsWith('[header]\n')).toBe(true)
    expect(repaired).toContain('\nkernel = images/pxeboot/vmlinuz\n')
    expect(await text(source, `/${at}/.treeinfo.orig`)).toBe(bad)
    expect(await names(source, `/${at}`)).toEqual(['.treeinfo', '.treeinfo.orig', 'images'])
    const listed = (await source.list(cleanPath(`/${at}`), anyone))?.[0]
    expect(listed?.size).toBe(repaired.length)
  })

  test('a clean one has no .orig', async () => {
    const source = await served({ f: { ...files, '.treeinfo': treeinfoText({ checksums: false }) } })
    expect(await stat(source, '/f/.treeinfo.orig')).toBeUndefined()
    expect(await names(source, '/f')).toEqual(['.treeinfo', 'images'])
  })
})
