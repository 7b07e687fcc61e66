import { describe, expect, test } from 'vitest'
import { gatherEvidence, judgeFolder } from '../../../server/catalog/scan/gather.ts'
import { distroOf } from '../../../server/core/distro/distro.ts'
import { treeLimits } from '../../../server/core/limits/trees.ts'
import { concludeTree } from '../../../server/core/tree/conclude.ts'
import type { Description } from '../../../server/core/tree/tree.ts'
import { memorySource } from '../../../server/files/memory.ts'
import { cleanPath, rootPath } from '../../../server/files/path.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { stating } from '../../support/stating.ts'

type Files = Record<string, string | Uint8Array>

async function conclude(files: Files, name = 'tree'): Promise<Description | undefined> {
  const below = Object.fromEntries(Object.entries(files).map(([path, text]) => [`/t/${path}`, text]))
  // README: the folder is there, even without other files.
  const source = memorySource({ '/t/README': 'x', ...below })
  const evidence = await gatherEvidence(source, cleanPath('/t'), name)
  return evidence && concludeTree(evidence)
}

const messages = (tree: Description | undefined) => tree?.problems.map(({ message }) => message)
const treeinfo =
  '[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n[stage2]\nmainimage = images/install.img\n' +
  '[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n'
const images = { 'images/pxeboot/vmlinuz': 'k', 'images/pxeboot/initrd.img': 'i', 'images/install.img': 's' }

describe('a tree with .treeinfo', () => {
  test('is whole', async () => {
    const tree = await conclude({ '.treeinfo': treeinfo, ...images })
    expect(tree).toMatchObject({
      family: 'Fedora',
      platforms: { x86_64: { kernel: 'images/pxeboot/vmlinuz' } },
    })
    expect(tree?.problems).toEqual([])
  })

  test('costs no listing and one look at each file', async () => {
    const repository = '[variant-Server]\nid = Server\nrepository = .\n'
    const inner = memorySource({ '/t/.treeinfo': treeinfo + repository, '/t/images/pxeboot/vmlinuz': 'k' })
    const asked: string[] = []
    const source: FileSource = {
      stat(path, who) {
        asked.push(`stat ${path}`)
        return inner.stat(path, who)
      },
      list(path, who) {
        asked.push(`list ${path}`)
        return inner.list(path, who)
      },
    }
    await gatherEvidence(source, cleanPath('/t'))
    expect(asked).toEqual([
      'stat /t/.treeinfo',
      'stat /t/images/pxeboot/vmlinuz',
      'stat /t/images/pxeboot/initrd.img',
      'stat /t/images/install.img',
    ])
  })

  test.each([
    ['no folder for packages', {}, false],
    ['a repository', { 'repodata/repomd.xml': '' }, true],
    ['packages', { 'Packages/a/a.rpm': '' }, true],
  ])('that names no repository and has %s', async (_name, more, hasPackages) => {
    expect(await conclude({ '.treeinfo': treeinfo, ...images, ...more })).toMatchObject({ hasPackages })
  })

  test('missing and empty images are problems', async () => {
    const tree = await conclude({ treeinfo, 'images/pxeboot/vmlinuz': '' })
    expect(messages(tree)).toEqual([
      expect.stringMatching(stating('images/pxeboot/vmlinuz', 'empty')),
      expect.stringMatching(stating('images/pxeboot/initrd.img', 'missing')),
      expect.stringMatching(stating('images/install.img', 'missing')),
    ])
  })

  test('.treeinfo wins, .discinfo and the files fill its gaps', async () => {
    const half =
      '[general]\nfamily = SugonOS\nvariant =\n[images-x86_64]\ninitrd = images/pxeboot/initrd.img\n'
    const tree = await conclude({
      '.treeinfo': half,
      '.discinfo': '1414159790.06\nOther 6.6\nx86_64\nALL\n',
      ...images,
    })
    expect(tree).toMatchObject({
      era: 'treeinfo-0.0',
      family: 'SugonOS',
      version: '6.6',
      timestamp: 1414159790.06,
      platforms: { x86_64: { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img' } },
    })
    const found = stating('x86_64', 'images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img')
    expect(messages(tree)).toContainEqual(expect.stringMatching(found))
  })

  test('one that is too large is not read', async () => {
    const tree = await conclude(
      { '.treeinfo': new Uint8Array(1024 * 1024 + 1), ...images },
      'fedora/40/x86_64',
    )
    expect(tree).toMatchObject({ era: 'files-only', family: 'Fedora', version: '40' })
    expect(messages(tree)?.[0]).toMatch(/^is 1048577 bytes/)
  })
})

/**
 * What lies in a tree, and its path (`x` tells nothing) -> what we conclude: distro, version, arch, kernel, initrd.
 */
const layouts: [name: string, files: Files, path: string, expected: string][] = [
  [
    'CentOS 7 with nothing but .discinfo: its path tells the family',
    { '.discinfo': '1587405344.9\n7.8\nx86_64\n', ...images },
    'centos/7',
    'centos 7.8 x86_64 images/pxeboot/vmlinuz images/pxeboot/initrd.img',
  ],
  [
    'a Debian netinst CD',
    {
      '.disk/info':
        'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27',
      'install.amd/vmlinuz': 'k',
      'install.amd/initrd.gz': 'i',
      'install.amd/gtk/initrd.gz': 'i',
    },
    'x',
    'debian 12.5.0 amd64 install.amd/vmlinuz install.amd/initrd.gz',
  ],
  [
    'a live server of Ubuntu',
    {
      '.disk/info': 'Ubuntu-Server 22.04.3 LTS "Jammy Jellyfish" - Release amd64 (20230810)',
      'casper/vmlinuz': 'k',
      'casper/initrd': 'i',
      'casper/hwe-vmlinuz': 'k',
    },
    'x',
    'ubuntu 22.04.3 amd64 casper/vmlinuz casper/initrd',
  ],
  [
    'the netboot folder of Debian',
    {
      'version.info': 'Debian version:  12 (bookworm)\nInstaller build: 20230607+deb12u15\n',
      'debian-installer/amd64/linux': 'k',
      'debian-installer/amd64/initrd.gz': 'i',
    },
    'x',
    'debian 12 amd64 debian-installer/amd64/linux debian-installer/amd64/initrd.gz',
  ],
  [
    'the same without version.info: its path tells',
    { 'debian-installer/arm64/linux': 'k', 'debian-installer/arm64/initrd.gz': 'i' },
    'debian-12-arm64',
    'debian 12 arm64 debian-installer/arm64/linux debian-installer/arm64/initrd.gz',
  ],
  [
    'the installer-amd64 folder of a Debian mirror',
    {
      'current/images/MANIFEST':
        'netboot/debian-installer -- PXE boot directory for tftp server\nnetboot/mini.iso -- tiny CD image\n',
      'current/images/netboot/debian-installer/amd64/linux': 'k',
      'current/images/netboot/debian-installer/amd64/initrd.gz': 'i',
    },
    'debian/dists/bookworm/main/installer-amd64',
    'debian 12 amd64 current/images/netboot/debian-installer/amd64/linux current/images/netboot/debian-installer/amd64/initrd.gz',
  ],
  [
    'a DVD of openSUSE 13',
    {
      content:
        'DISTRO cpe:/o:opensuse:opensuse:13.2,openSUSE\nVENDOR openSUSE\nREPOID a/b/ftp/i586-x86_64\nDATADIR suse\n',
      'boot/x86_64/loader/linux': 'k',
      'boot/x86_64/loader/initrd': 'i',
      'boot/i386/loader/linux': 'k',
      'boot/i386/loader/initrd': 'i',
    },
    'x',
    'opensuse 13.2 x86_64 boot/x86_64/loader/linux boot/x86_64/loader/initrd',
  ],
  [
    'SLE 15, which has only media.1',
    {
      'media.1/media': 'SUSE - SLE-15-SP4-Full-x86_64-GM-Media1\nSLE-15-SP4-Full-x86_64-Build1.2-Media1\n3\n',
      'media.1/products': '/ SLES 15.4-0\n',
      'boot/x86_64/loader/linux': 'k',
      'boot/x86_64/loader/initrd': 'i',
    },
    'x',
    'sles 15.4 x86_64 boot/x86_64/loader/linux boot/x86_64/loader/initrd',
  ],
  [
    'Mageia',
    {
      VERSION: 'Mageia 9 Release x86_64 20230822 12:00\n',
      'isolinux/x86_64/vmlinuz': 'k',
      'isolinux/x86_64/all.rdz': 'i',
    },
    'x',
    'mageia 9 x86_64 isolinux/x86_64/vmlinuz isolinux/x86_64/all.rdz',
  ],
  [
    'Arch Linux',
    { 'arch/boot/x86_64/vmlinuz-linux': 'k', 'arch/boot/x86_64/initramfs-linux.img': 'i' },
    'x',
    'arch  x86_64 arch/boot/x86_64/vmlinuz-linux arch/boot/x86_64/initramfs-linux.img',
  ],
  [
    'Alpine',
    { 'boot/vmlinuz-lts': 'k', 'boot/initramfs-lts': 'i' },
    'alpine-3.20-aarch64',
    'alpine 3.20 aarch64 boot/vmlinuz-lts boot/initramfs-lts',
  ],
  [
    'Debian live',
    {
      '.disk/info': 'Official Debian GNU/Linux Live 12.5.0 "bookworm" - amd64',
      'live/vmlinuz-6.1.0-18-amd64': 'k',
      'live/initrd.img-6.1.0-18-amd64': 'i',
    },
    'x',
    'debian 12.5.0 amd64 live/vmlinuz-6.1.0-18-amd64 live/initrd.img-6.1.0-18-amd64',
  ],
  [
    'an s390x tree without descriptor',
    { 'images/kernel.img': 'k', 'images/initrd.img': 'i' },
    'rhel-9.4-s390x',
    'rhel 9.4 s390x images/kernel.img images/initrd.img',
  ],
  [
    'ppc64le under its old folder',
    { 'ppc/ppc64/vmlinuz': 'k', 'ppc/ppc64/initrd.img': 'i' },
    'alma-9-ppc64le',
    'alma 9 ppc64le ppc/ppc64/vmlinuz ppc/ppc64/initrd.img',
  ],
  [
    'Fedora CoreOS',
    {
      'fedora-coreos-40.20240416.3.1-live-kernel-x86_64': 'k',
      'fedora-coreos-40.20240416.3.1-live-initramfs.x86_64.img': 'i',
    },
    'coreos/40',
    'coreos 40 x86_64 fedora-coreos-40.20240416.3.1-live-kernel-x86_64 fedora-coreos-40.20240416.3.1-live-initramfs.x86_64.img',
  ],
  [
    'a kernel and an initrd and nothing else',
    { vmlinuz: 'k', 'initrd.img': 'i' },
    'lab/rescue',
    'other   vmlinuz initrd.img',
  ],
]

describe('trees without .treeinfo', () => {
  test.each(layouts)('%s', async (_name, files, path, expected) => {
    const tree = await conclude(files, path)
    const own = tree?.platforms[tree.arch]
    const words = tree && [distroOf(tree), tree.version, tree.arch, own?.kernel, own?.initrd]
    expect(words?.join(' ')).toBe(expected)
  })

  test('Xen images of a SUSE DVD are the platform xen', async () => {
    const tree = await conclude({
      'boot/x86_64/loader/linux': 'k',
      'boot/x86_64/loader/initrd': 'i',
      'boot/x86_64/vmlinuz-xen': 'k',
      'boot/x86_64/initrd-xen': 'i',
    })
    expect(Object.keys(tree?.platforms ?? {})).toEqual(['x86_64', 'xen'])
  })

  test('a descriptor and no kernel is still a tree, and says so', async () => {
    const tree = await conclude({ '.discinfo': '1227140148.6\nFedora 10\nppc\nALL\n' })
    expect(messages(tree)).toEqual([expect.stringMatching(stating('kernel', 'initrd', 'ppc'))])
  })
})

test.each([
  ['an empty root folder, is none', {}, false],
  ['a root folder with files, is one', { '/Packages/a.rpm': 'x' }, true],
])('a disc whose volume descriptor names a tree, with %s', async (_, files, isTree) => {
  const volume = { volume: 'Fedora-S-dvd-x86_64-40', system: 'LINUX', publisher: '', application: '' }
  const evidence = await gatherEvidence({ ...memorySource(files), volume }, rootPath)
  expect(evidence !== undefined).toBe(isTree)
})

describe('a tree without a complete descriptor is searched for kernels', () => {
  const kernelsIn = async (folders: readonly string[]) => {
    const files = Object.fromEntries(folders.map((folder) => [`${folder}/vmlinuz`, 'k']))
    const source = memorySource({ '.discinfo': '1414159790.06\nOther 6.6\nx86_64\nALL\n', ...files })
    const evidence = await gatherEvidence(source, rootPath)
    return [...(evidence?.sizes.keys() ?? [])].filter((path) => path.endsWith('/vmlinuz')).length
  }

  test('in 96 folders', async () => {
    const { entries } = treeLimits.treeFolders
    const names = [
      'boot',
      'current',
      'daily',
      'generic',
      'images',
      'install',
      'isolinux',
      'netboot',
      'pxeboot',
    ]
    const below = names.flatMap((name) => [...names, 'xen'].map((inner) => `${name}/${inner}`))
    // The tree's own folder, those below it, and those below them.
    const most = entries - 1 - names.length
    expect(await kernelsIn(below.slice(0, most))).toBe(most)
    expect(await kernelsIn(below.slice(0, most + 1))).toBe(most)
  })

  test('down to the sixth level', async () => {
    const deep = (levels: number) =>
      kernelsIn([
        Array(levels - 1)
          .fill('boot')
          .join('/'),
      ])
    expect(await deep(treeLimits.treeFolders.depth)).toBe(1)
    expect(await deep(treeLimits.treeFolders.depth + 1)).toBe(0)
  })
})

describe('what is not a tree', () => {
  test.each<[string, Files]>([
    ['an empty folder', {}],
    ['a folder of packages', { 'Packages/a.rpm': 'x' }],
    ['a folder of trees', { 'fedora/40/.treeinfo': treeinfo }],
    ['someone’s VERSION and content', { VERSION: '1.2.3\n', content: 'hello\n' }],
    ['a kernel without an initrd', { 'images/pxeboot/vmlinuz': 'k' }],
    ['a junk .treeinfo', { '.treeinfo': '<html>404</html>' }],
  ])('%s', async (_name, files) => {
    expect(await conclude(files)).toBeUndefined()
  })
})

test.each<[readonly string[], string]>([
  [['.treeinfo', 'x'], 'descriptor'],
  [['Packages', '.disk'], 'descriptor'],
  [['content'], 'maybe'],
  [['images', 'Packages'], 'maybe'],
  [['vmlinuz-linux', 'initrd'], 'maybe'],
  [['fedora', 'debian', 'README'], 'no'],
  [[], 'no'],
])('a folder with %j: %s', (names, verdict) => {
  expect(judgeFolder(names)).toBe(verdict)
})
