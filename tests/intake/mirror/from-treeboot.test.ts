import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { makeRepository, somePackages } from '../../support/rpm-repository.ts'
import { keptFolder, namesBelow, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** Mirrors of trees that another treeboot serves, with a `.treeinfo` that it has made for them. */

const trees: Readonly<Record<string, readonly string[]>> = {
  'debian-netboot': [
    'version.info',
    'debian-installer/amd64/linux',
    'debian-installer/amd64/initrd.gz',
    'debian-installer/amd64/pxelinux.0',
    'debian-installer/amd64/boot-screens/f1.txt',
  ],
  'debian-dvd': [
    '.disk/info',
    '.disk/base_installable',
    'install.amd/vmlinuz',
    'install.amd/initrd.gz',
    'dists/bookworm/Release',
    'pool/main/a/apt/apt_2.6.1_amd64.deb',
    'md5sum.txt',
  ],
  'leap-15.6': [
    'media.1/media',
    'media.1/products',
    'boot/x86_64/loader/linux',
    'boot/x86_64/loader/initrd',
    'boot/x86_64/root',
  ],
  noble: [
    '.disk/info',
    'casper/vmlinuz',
    'casper/initrd',
    'casper/minimal.squashfs',
    'casper/install-sources.yaml',
    'pool/main/g/grub2/grub.deb',
  ],
  'archlinux-2026.06.01': [
    'arch/boot/x86_64/vmlinuz-linux',
    'arch/boot/x86_64/initramfs-linux.img',
    'arch/x86_64/airootfs.sfs',
    'arch/x86_64/airootfs.sfs.cms.sig',
    'arch/version',
  ],
}
/** What descriptors say; any other file holds its own name. */
const texts: Readonly<Record<string, string>> = {
  'debian-netboot/version.info': 'Debian version:  12 (bookworm)\n',
  'debian-dvd/.disk/info':
    'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 DVD Binary-1 20240210-11:28\n',
  'debian-dvd/dists/bookworm/Release': 'Suite: stable\nCodename: bookworm\n',
  'leap-15.6/media.1/media': 'openSUSE - openSUSE-Leap-15.6-x86_64-Build710.3-Media\n',
  'leap-15.6/media.1/products': '/ openSUSE-Leap 15.6-1\n',
  'noble/.disk/info': 'Ubuntu-Server 24.04 LTS "Noble Numbat" - Release amd64 (20240423)',
}

const home = keptFolder()
const source = join(home.path, 'trees')
let app: App

beforeAll(async () => {
  for (const [id, files] of Object.entries(trees))
    for (const file of files) {
      const text = texts[`${id}/${file}`] ?? (file === 'md5sum.txt' ? '' : `${id}/${file}\n`)
      writeBelow(source, `${id}/${file}`, text)
    }
  makeRepository(join(source, 'leap-15.6'), somePackages(3))
  // As Debian's discs have it.
  symlinkSync('.', join(source, 'debian-dvd/debian'))
  const files = Object.fromEntries(
    (trees.noble ?? []).map((file) => [file, readFileSync(join(source, 'noble', file), 'utf8')]),
  )
  writeFileSync(join(source, 'noble-disc.iso'), writeIso({ files }).bytes)
  const config =
    'server: { bind: 127.0.0.1 }\nhttp: { port: 0 }\nftp: { port: 0 }\ntftp: { enabled: false }\nnfs: { enabled: false }\n'
  writeBelow(home.path, 'config.yaml', config)
  app = testApp(home.path)
  await app.start()
  await eventually(() =>
    expect(app.snapshot().trees.all.map(({ state }) => state)).toEqual(Array(6).fill('ready')),
  )
}, 30_000)
afterAll(async () => {
  await app.stop()
  home.remove()
})

async function mirrored(service: 'http' | 'ftp', id: string, more: { readonly bootOnly?: true } = {}) {
  const folder = join(temporaryFolder(), 'trees')
  mkdirSync(folder)
  const url = `${service}://127.0.0.1:${portOf(app, service)}/trees/${id}/`
  const store = new VersionStore(folder)
  const mirror = () => mirrorTree(store, [url], { ...more, id: 'copy' })
  return { result: await mirror(), again: mirror, copy: join(folder, 'copy') }
}

describe.each(['http', 'ftp'] as const)('by %s', (service) => {
  test.each(Object.keys(trees))('%s comes over whole, and nothing is added', async (id) => {
    expect(await generatedFor(id)).toBe(true)
    const { result, again, copy } = await mirrored(service, id)
    expect(result.trees[0]?.result.outcome).toBe('published')
    expect(result.notes).toEqual([])
    expect(namesBelow(copy)).toEqual(namesBelow(join(source, id)))
    for (const file of namesBelow(copy).filter((name) => name !== 'debian'))
      expect(readFileSync(join(copy, file))).toEqual(readFileSync(join(source, id, file)))
    expect((await again()).unchanged).toBe(true)
  })

  test('a tree in an image comes over as the files in it', async () => {
    const { copy } = await mirrored(service, 'noble-disc')
    expect(namesBelow(copy)).toEqual([...(trees.noble ?? [])].sort())
  })
})

async function generatedFor(id: string): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${portOf(app)}/trees/${id}/.treeinfo`)
  return answer.ok
}

test('a mirror of what boots follows the generated .treeinfo', async () => {
  const { result, copy } = await mirrored('http', 'debian-netboot', { bootOnly: true })
  expect(result.trees[0]?.result.outcome).toBe('published')
  expect(namesBelow(copy)).toEqual([
    '.treeinfo',
    'debian-installer/amd64/initrd.gz',
    'debian-installer/amd64/linux',
  ])
})

test('the tree has the name that its descriptors give it there', async () => {
  const folder = join(temporaryFolder(), 'trees')
  mkdirSync(folder)
  const url = `http://127.0.0.1:${portOf(app)}/trees/noble/`
  const { trees: found } = await mirrorTree(new VersionStore(folder), [url])
  expect(found.map(({ id }) => id)).toEqual(['ubuntu-24.04-server-amd64'])
})
