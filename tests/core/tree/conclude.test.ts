import { describe, expect, test } from 'vitest'
import {
  concludeTree,
  imagesOf,
  isComplete,
  readDescriptors,
  type TreeEvidence,
} from '../../../server/core/tree/conclude.ts'
import { makeTree } from '../../support/boot-inputs.ts'
import { stating } from '../../support/stating.ts'

const pair = { 'images/pxeboot/vmlinuz': 9, 'images/pxeboot/initrd.img': 9 }
const treeinfo = (general: string, images = 'x86_64') =>
  `[general]\n${general}\n[images-${images}]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n`
const fedora = treeinfo('family = Fedora\nversion = 40\narch = x86_64')

const bytesOf = (texts: Readonly<Record<string, string>>) =>
  new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]))
function evidence(
  descriptors: Readonly<Record<string, string>>,
  sizes: Readonly<Record<string, number>>,
  more: Partial<TreeEvidence> = {},
): TreeEvidence {
  return {
    name: 'x',
    descriptors: bytesOf(descriptors),
    sizes: new Map(Object.entries(sizes)),
    modifiedMs: 0,
    problems: [],
    ...more,
  }
}
const problemsOf = (given: TreeEvidence) => concludeTree(given)?.problems.map(({ message }) => message)

describe('several descriptors of one tree', () => {
  test('the best one wins, each other fills what it does not say', () => {
    const description = readDescriptors(
      bytesOf({
        '.discinfo': '1414159790.06\nFedora 39\naarch64\n2\n',
        '.treeinfo': treeinfo('family = Fedora\nversion =\nvariant = Server\narch = x86_64'),
      }),
    )
    expect(description).toMatchObject({
      era: 'treeinfo-0.0',
      family: 'Fedora',
      version: '39',
      variant: 'Server',
      arch: 'x86_64',
      timestamp: 1414159790.06,
      disc: { number: 2, total: 2 },
    })
  })

  test('of two files of one format, the second is read when the first cannot be', () => {
    const junk = '<html>404</html>'
    expect(readDescriptors(bytesOf({ '.treeinfo': junk, treeinfo: fedora }))?.version).toBe('40')
    const other = fedora.replace('40', '41')
    expect(readDescriptors(bytesOf({ treeinfo: other, '.treeinfo': fedora }))?.version).toBe('40')
    expect(readDescriptors(bytesOf({ '.treeinfo': junk }))).toBeUndefined()
    expect(readDescriptors(new Map())).toBeUndefined()
  })

  test('images of another architecture are not mixed in', () => {
    const manifest = 'netboot/debian-installer -- x\nnetboot/debian-installer/arm64/linux -- y\n'
    const diskInfo = (arch: string) => `Debian GNU/Linux 12.5.0 "Bookworm" - Official ${arch} NETINST`
    const platforms = (arch: string) =>
      Object.keys(
        readDescriptors(bytesOf({ '.disk/info': diskInfo(arch), MANIFEST: manifest }))?.platforms ?? {},
      )
    expect(platforms('arm64')).toEqual(['arm64'])
    expect(platforms('amd64')).toEqual([])
  })
})

describe('what a lesser descriptor adds', () => {
  const sha1 = 'a'.repeat(40)
  const content =
    `VENDOR openSUSE\nDATADIR suse\nLABEL openSUSE 13.2\nBASEARCHS x86_64\nHASH SHA1 ${sha1}  boot/x86_64/loader/linux\n` +
    `HASH SHA1 ${sha1}  boot/x86_64/loader/initrd\n!\n`

  test('its repositories only if the better one names none, its digests and its faults in any case', () => {
    const own = `[checksums]\nimages/boot.iso = md5:${'0'.repeat(32)}\n`
    const merged = readDescriptors(bytesOf({ '.treeinfo': `${fedora}${own}`, content }))
    expect(merged?.repositories.map(({ name }) => name)).toEqual(['openSUSE'])
    expect(Object.keys(merged?.checksums ?? {}).sort()).toEqual([
      'boot/x86_64/loader/initrd',
      'boot/x86_64/loader/linux',
      'images/boot.iso',
    ])
    expect(merged?.problems).toContainEqual(expect.objectContaining({ file: 'content', line: 7 }))
    // Both have the platform: the pair of the better one stays.
    expect(merged?.platforms.x86_64?.kernel).toBe('images/pxeboot/vmlinuz')
    const server = '[variant-Server]\nid = Server\nrepository = Server\n'
    const better = readDescriptors(bytesOf({ '.treeinfo': `${fedora}${server}`, content }))
    expect(better?.repositories.map(({ id }) => id)).toEqual(['Server'])
  })

  test('images of a descriptor without an architecture, or to one without', () => {
    const noArch = 'Debian GNU/Linux 12 "Bookworm" - Official NETINST'
    const platformsOf = (diskInfo: string, manifest: string) =>
      readDescriptors(bytesOf({ '.disk/info': diskInfo, MANIFEST: manifest }))
    const arm64 = 'netboot/debian-installer -- x\nnetboot/debian-installer/arm64/linux -- y\n'
    expect(platformsOf(noArch, arm64)).toMatchObject({ arch: 'arm64', codename: 'bookworm' })
    expect(Object.keys(platformsOf(noArch, arm64)?.platforms ?? {})).toEqual(['arm64'])
    const generic = 'generic/kernel.debian -- kernel\ngeneric/initrd.debian -- initrd\n'
    expect(Object.keys(platformsOf(`${noArch} amd64`, generic)?.platforms ?? {})).toEqual(['s390x'])
  })

  test('the code name, and from the files the second stage', () => {
    const info = 'Debian GNU/Linux 12 "Bookworm" - Official amd64 NETINST'
    const named = readDescriptors(bytesOf({ '.treeinfo': fedora, '.disk/info': info }))
    expect(named?.codename).toBe('bookworm')
    const discinfo = '1414159790.06\nCentOS 7.8\nx86_64\n'
    const tree = concludeTree(evidence({ '.discinfo': discinfo }, { ...pair, 'LiveOS/squashfs.img': 9 }))
    expect(tree).toMatchObject({
      era: 'discinfo',
      stage2: 'LiveOS/squashfs.img',
      problems: [],
      repositories: [],
    })
    expect(tree?.platforms).toEqual({
      x86_64: { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img', others: {} },
    })
  })

  test('a pair that the descriptor names is kept, wherever else the files have one', () => {
    const special = fedora.replaceAll('images/pxeboot/', 'special/').replace('version = 40\n', '')
    const sizes = { ...pair, 'special/vmlinuz': 9, 'special/initrd.img': 9 }
    const tree = concludeTree(evidence({ '.treeinfo': special }, sizes, { name: 'f40' }))
    expect(tree?.version).toBe('40')
    expect(tree?.platforms.x86_64?.kernel).toBe('special/vmlinuz')
    expect(tree?.problems.map(({ message }) => message).join()).not.toContain('pxeboot')
  })
})

describe('what a description lacks', () => {
  const whole = makeTree('t')
  const { kernel, initrd } = whole.platforms.x86_64 ?? {}

  test('nothing, when it has names and the pair of its own architecture', () => {
    expect(isComplete(whole)).toBe(true)
    for (const more of [
      { family: '' },
      { version: '' },
      { arch: 'aarch64' },
      { arch: 'constructor' },
      { platforms: {} },
      { platforms: { x86_64: { kernel: 'k', others: {} } } },
      { platforms: { x86_64: { initrd: 'i', others: {} } } },
    ])
      expect(isComplete({ ...whole, ...more }), JSON.stringify(more)).toBe(false)
  })

  test('its images are kernels, initrds and second stages, each once', () => {
    expect(imagesOf({ ...whole, instimage: 'images/product.img' })).toEqual([
      kernel,
      initrd,
      'images/install.img',
      'images/product.img',
    ])
    expect(
      imagesOf(makeTree('t', { platforms: { x86_64: { kernel: 'k', others: { iso: 'boot.iso' } } } })),
    ).toEqual(['k', 'images/install.img'])
  })
})

describe('the faults of a tree', () => {
  test('are in order: of gathering, of the descriptor, then images that are missing or empty', () => {
    const damaged = fedora.replace('[general]', 'junk\n[general]')
    const given = evidence(
      { '.treeinfo': damaged },
      { 'images/pxeboot/vmlinuz': 0 },
      { problems: [{ message: 'of gathering' }] },
    )
    const found = problemsOf(given) ?? []
    expect(found[0]).toBe('of gathering')
    expect(found.slice(-2)).toEqual([
      expect.stringMatching(stating('images/pxeboot/vmlinuz', 'empty')),
      expect.stringMatching(stating('images/pxeboot/initrd.img', 'missing')),
    ])
    expect(found.length).toBeGreaterThan(3)
    expect(problemsOf(evidence({ '.treeinfo': fedora }, pair))).toEqual([])
  })

  test('a tree without a pair for its architecture says so, and keeps what it has', () => {
    const discinfo = '1227140148.6\nFedora 10\nppc\nALL\n'
    expect(problemsOf(evidence({ '.discinfo': discinfo }, {}))).toEqual([
      expect.stringMatching(stating('kernel', 'initrd', 'ppc')),
    ])
    const noArch = problemsOf(evidence({ 'media.1/products': '/ openSUSE-Leap 15.5-1\n' }, {}))
    expect(noArch).toEqual([expect.stringMatching(stating('kernel', 'initrd', 'any arch'))])
  })
})

describe('a tree of files alone', () => {
  test.each([
    // path of the tree, and what it tells: family, version, arch
    ['fedora/40/x86_64', 'Fedora', '40', 'x86_64'],
    ['debian-12-amd64', 'Debian', '12', 'amd64'],
    ['alma-9.4', 'AlmaLinux', '9.4', ''],
    ['lab/f40', 'Fedora', '40', ''],
    ['el9/aarch64', 'Red Hat Enterprise Linux', '9', 'aarch64'],
    ['ubuntu/jammy/amd64', 'Ubuntu', '22.04', 'amd64'],
    ['fedora/rawhide', 'Fedora', 'rawhide', ''],
    ['7/fedora/39', 'Fedora', '39', ''],
    // Dates are not versions, and `arch` is a word like any other.
    ['fedora/20240210', 'Fedora', '', ''],
    ['arch/x86_64', '', '', 'x86_64'],
    ['lab/rescue', '', '', ''],
    // The digits of an architecture are not a version.
    ['fedora/x86_64', 'Fedora', '', 'x86_64'],
    ['fedora/x86_64/40', 'Fedora', '40', 'x86_64'],
    ['amd64/alma-x86-64/10', 'AlmaLinux', '10', 'x86-64'],
    ['alma/amd64_v3/10', 'AlmaLinux', '10', 'amd64_v3'],
    ['lab/x86/rescue', '', '', ''],
    // `f` and `el` alone may mean anything, and `other` is not a distribution.
    ['f/40', '', '40', ''],
    ['el/9', '', '9', ''],
    ['other/7', '', '7', ''],
    ['lab/10.2.30', '', '10.2.30', ''],
    ['lab/sid-copy', '', 'sid', ''],
    ['lab/inside', '', '', ''],
    ['lab/sidecar', '', '', ''],
  ])('%s is %s %s for %s', (name, family, version, arch) => {
    const tree = concludeTree(evidence({}, { ...pair, 'LiveOS/squashfs.img': 1 }, { name }))
    expect(tree).toMatchObject({ era: 'files-only', family, version, arch, stage2: 'LiveOS/squashfs.img' })
    expect(Object.keys(tree?.platforms ?? {})).toEqual([arch])
    const message = expect.stringMatching(stating('architecture', 'images/pxeboot/vmlinuz', 'name'))
    expect(tree?.problems).toEqual(arch === '' ? [{ message }] : [])
  })

  test('the images may tell the architecture', () => {
    const sizes = { 'ppc/ppc64/vmlinuz': 9, 'ppc/ppc64/initrd.img': 9 }
    expect(concludeTree(evidence({}, sizes))).toMatchObject({ arch: 'ppc64', problems: [], repositories: [] })
  })

  test('the version of a name is taken only when the name is of the distribution that the files tell', () => {
    const casper = { 'casper/vmlinuz': 9, 'casper/initrd': 9 }
    const of = (name: string) => concludeTree(evidence({}, casper, { name }))
    expect(of('ubuntu-22.04')).toMatchObject({ family: 'Ubuntu', version: '22.04', codename: 'jammy' })
    expect(of('24.04/copy-of-fedora-40')).toMatchObject({ family: 'Ubuntu', version: '' })
    expect(of('24.04/x')).toMatchObject({ family: 'Ubuntu', version: '' })
    expect(of('x/24.04')).toMatchObject({ family: 'Ubuntu', version: '24.04' })
  })

  test('without a kernel and its initrd there is no tree', () => {
    expect(concludeTree(evidence({}, { 'images/pxeboot/vmlinuz': 9 }))).toBeUndefined()
    expect(concludeTree(evidence({ content: 'hello\n' }, {}))).toBeUndefined()
  })

  test('what lies beside a found pair is kept with it, and a descriptor is believed first', () => {
    const named = 'fedora-coreos-40.20240416.3.1-live-'
    const files = { [`${named}kernel-x86_64`]: 9, [`${named}initramfs.x86_64.img`]: 9 }
    const rootfs = `${named}rootfs.x86_64.img`
    const general = '[general]\nfamily = Fedora CoreOS\nversion = 40\narch = x86_64\n'
    const othersOf = (text: string) =>
      concludeTree(evidence({ '.treeinfo': text }, { ...files, [rootfs]: 9 }))?.platforms.x86_64?.others
    expect(othersOf(general)).toEqual({ rootfs })
    expect(othersOf(`${general}[images-x86_64]\nboot.iso = b.iso\n`)).toEqual({ rootfs, 'boot.iso': 'b.iso' })
    expect(othersOf(`${general}[images-x86_64]\nrootfs = r.img\n`)).toEqual({ rootfs: 'r.img' })
  })

  test('a pair that the files have completes the one of the descriptor', () => {
    const half = fedora.replace(/kernel = .*\n/, 'boot.iso = images/boot.iso\n')
    const tree = concludeTree(evidence({ '.treeinfo': half }, pair))
    expect(tree?.platforms.x86_64).toEqual({
      kernel: 'images/pxeboot/vmlinuz',
      initrd: 'images/pxeboot/initrd.img',
      others: { 'boot.iso': 'images/boot.iso' },
    })
    expect(tree?.problems).toContainEqual({
      message: expect.stringMatching(stating('x86_64', 'images/pxeboot/vmlinuz')),
    })
  })

  test('Debian’s version and code name follow from one another', () => {
    const of = (text: string) => {
      const tree = concludeTree(evidence({ 'version.info': text }, {}))
      return [tree?.version, tree?.codename]
    }
    expect(of('Debian version: 12 (bookworm)\n')).toEqual(['12', 'bookworm'])
    expect(of('Debian version: 12\n')).toEqual(['12', 'bookworm'])
  })
})
