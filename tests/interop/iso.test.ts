import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isoSource } from '../../server/files/iso/source.ts'
import { cleanPath, rootPath } from '../../server/files/path.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { findClient, missingClient, requireClient } from '../support/clients.ts'
import { type Bench, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { dryRun } from '../support/lab/virt-install.ts'

interface Medium {
  readonly files: Readonly<Record<string, string>>
  readonly links?: Readonly<Record<string, string>>
  readonly kernel: string
  readonly initrd: string
  /** Where virt-install fetches them, when the medium does not have them there. */
  readonly asked?: readonly [string, string]
}

const needs = ['xorriso', 'virt-install', 'curl'] as const

describe('trees in ISO images made by xorriso', () => {
  let bench: Bench
  let treeboot: Treeboot
  const names = Object.keys(media())

  beforeEach(() => {
    requireClient(...needs)
  })
  beforeAll(async () => {
    bench = makeBench()
    if (missingClient(needs)) return
    for (const [name, medium] of Object.entries(media())) {
      const folder = join(bench.folder, 'trees/folder', name)
      layOut(folder, medium)
      makeImage(folder, join(bench.folder, 'trees/image', `${name}.iso`), ['-R', '-J'])
    }
    const trees = names.flatMap((name) => [`folder/${name}`, `image/${name}`])
    treeboot = await startTreeboot(bench, { trees })
  })
  afterAll(() => bench.undo.unwind())

  test.each(Object.entries(media()))(
    '%s: virt-install finds kernel and initrd, in the image as in the folder',
    (name, medium) => {
      const { kernel, initrd, asked = [kernel, initrd] } = medium
      for (const place of ['folder', 'image']) {
        const { fetched, xml } = dryRun(bench.folder, `${treeboot.url}/trees/${place}/${name}`, 'hvm')
        expect(fetched.slice(-2), place).toEqual(asked)
        expect(xml, place).toContain('<kernel>')
      }
      const answer = JSON.parse(treeboot.get(`/api/v1/lookup?tree=image/${name}`))
      expect([answer.kernel.path, answer.initrd.path]).toEqual([kernel, initrd])
    },
  )

  test.each(names)('%s: every file is the same from the image and from the folder', (name) => {
    const digests = (place: string) => digestsOf(treeboot, `/trees/${place}/${name}`)
    const image = digests('image')
    expect(image).toEqual(digests('folder'))
    // Kernel, initrd, and a descriptor: treeboot adds a .treeinfo where the medium has none.
    expect(Object.keys(image).length).toBeGreaterThan(2)
  })

  test('the image itself is there as well', () => {
    const [name] = names
    const image = curl(`${treeboot.url}/trees/image/${name}.iso`)
    // The identifier comes after the type of the first volume descriptor, which is in sector 16.
    const identifierAt = 16 * 2048 + 1
    expect(image.toString('latin1', identifierAt, identifierAt + 5)).toBe('CD001')
  })
})

describe('what xorriso can put on a disc', () => {
  let bench: Bench
  beforeEach(() => {
    requireClient('xorriso')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  const odd = {
    files: {
      [`Packages/${'long-name-'.repeat(20)}.rpm`]: 'long',
      'a/b/c/d/e/f/g/h/i/j/k/l/deep.txt': 'deep',
      'ümlaut und blank.txt': 'utf-8',
      '.hidden': 'dot',
      UPPER: 'case',
      upper: 'other case',
      empty: '',
    },
    links: {
      'to-file': 'a/b/../b/c/d/e/f/g/h/i/j/k/l/deep.txt',
      'to-folder': 'a/b',
      out: '../../etc/passwd',
      self: '.',
    },
  }

  test.each([
    // Without padding the image ends with its last file.
    ['Rock Ridge, folders moved for depth', ['-R', '-no-pad']],
    ['Rock Ridge, deep folders where they are', ['-R', '-D']],
    ['Rock Ridge and Joliet', ['-R', '-J', '-joliet-long']],
    ['a hybrid disc with a partition table', ['-R', '-partition_offset', '16']],
  ])('%s: long names, deep folders and symlinks', async (_name, options) => {
    const folder = join(bench.folder, 'odd')
    layOut(folder, odd)
    const file = join(bench.folder, 'odd.iso')
    makeImage(folder, file, options)
    const source = await isoSource(file)
    for (const [path, text] of Object.entries(odd.files))
      expect((await contentOf(await source.stat(cleanPath(path), anyone))).toString(), path).toBe(text)
    expect((await contentOf(await source.stat(cleanPath('/self/self/to-file'), anyone))).toString()).toBe(
      'deep',
    )
    expect((await source.list(cleanPath('/to-folder'), anyone))?.map(({ name }) => name)).toEqual(['c'])
    expect(await source.stat(cleanPath('/out'), anyone)).toBeUndefined()
  })

  test('Joliet alone', async () => {
    const folder = join(bench.folder, 'joliet')
    layOut(folder, { files: { 'Packages/Mixed Case Name.rpm': 'x', 'ü/y': 'z' } })
    const file = join(bench.folder, 'joliet.iso')
    xorriso(['-rockridge', 'off', '-joliet', 'on', '-outdev', file, '-map', folder, '/', '-commit'])
    const source = await isoSource(file)
    expect((await source.list(rootPath, anyone))?.map(({ name }) => name)).toEqual(['Packages', 'ü'])
    expect(
      (await contentOf(await source.stat(cleanPath('/Packages/Mixed Case Name.rpm'), anyone))).toString(),
    ).toBe('x')
  })

  test('zisofs is refused with its reason', async () => {
    const folder = join(bench.folder, 'z')
    layOut(folder, { files: { text: 'compress me '.repeat(10_000) } })
    const file = join(bench.folder, 'z.iso')
    xorriso(['-outdev', file, '-map', folder, '/', '-set_filter_r', '--zisofs', '/', '--', '-commit'])
    await expect((await isoSource(file)).stat(cleanPath('/text'), anyone)).rejects.toThrow(
      'z.iso: text is compressed in the image (zisofs)',
    )
  })

  test('a file over 4 GiB', async () => {
    const folder = join(bench.folder, 'big')
    mkdirSync(folder)
    const size = 2 ** 32 + 5000
    writeFileSync(join(folder, 'big.img'), 'begin')
    truncateSync(join(folder, 'big.img'), size)
    writeFileSync(join(folder, 'big.img'), 'end.', { flag: 'a' })
    const file = join(bench.folder, 'big.iso')
    makeImage(folder, file, ['-R', '-iso-level', '3'])
    const entry = await (await isoSource(file)).stat(cleanPath('/big.img'), anyone)
    expect(entry).toMatchObject({ size: size + 4, extent: { file } })
    const opened = await entry?.open()
    const target = Buffer.alloc(10)
    expect(await opened?.read(target, 0, 10, size)).toBe(4)
    expect(target.toString('latin1', 0, 4)).toBe('end.')
    await opened?.close()
  })
})

/** Media in the style of distributions: their descriptors and folders, small files for the rest. */
function media(): Record<string, Medium> {
  const fedora = { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img' }
  const loader = { kernel: 'boot/x86_64/loader/linux', initrd: 'boot/x86_64/loader/initrd' }
  const casper = { kernel: 'casper/vmlinuz', initrd: 'casper/initrd' }
  const debian = { kernel: 'install.amd/vmlinuz', initrd: 'install.amd/initrd.gz' }
  const pair = ({ kernel, initrd }: { kernel: string; initrd: string }) => ({
    [kernel]: `kernel ${kernel}`,
    [initrd]: 'i'.repeat(70_000),
  })
  return {
    'Fedora-Server-dvd-x86_64-40': {
      ...fedora,
      files: {
        '.treeinfo': treeinfo('Fedora', '40', ['Server'], pair(fedora)),
        '.discinfo': '1713118220.0\n40\nx86_64\nALL\n',
        'media.repo': '[InstallMedia]\nname=Fedora 40\n',
        'images/install.img': 'stage 2',
        'Packages/a/a-very-long-package-name-with-a-version-1.2.3-4.fc40.x86_64.rpm': 'rpm',
        'repodata/repomd.xml': '<repomd/>',
        ...pair(fedora),
      },
    },
    'rhel-9.4-x86_64-dvd': {
      ...fedora,
      files: {
        '.treeinfo': treeinfo('Red Hat Enterprise Linux', '9.4', ['BaseOS', 'AppStream'], pair(fedora)),
        'images/install.img': 'stage 2',
        'BaseOS/repodata/repomd.xml': '<repomd/>',
        'BaseOS/Packages/bash-5.1.8-9.el9.x86_64.rpm': 'bash',
        'AppStream/repodata/repomd.xml': '<repomd a/>',
        'AppStream/Packages/nginx-1.20.1-14.el9.x86_64.rpm': 'nginx',
        ...pair(fedora),
      },
    },
    'debian-12.5.0-amd64-netinst': {
      ...debian,
      asked: [
        'install/netboot/debian-installer/amd64/linux',
        'install/netboot/debian-installer/amd64/initrd.gz',
      ],
      files: {
        '.disk/info':
          'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27',
        'dists/bookworm/Release': 'Suite: stable\n',
        'pool/main/b/bash/bash_5.2.15-2+b2_amd64.deb': 'deb',
        ...pair(debian),
      },
      links: { 'dists/stable': 'bookworm', 'dists/testing': 'stable' },
    },
    'ubuntu-24.04-live-server': {
      ...casper,
      // The URL names no architecture, and virt-install then says i386.
      asked: [
        'install/netboot/ubuntu-installer/i386/linux',
        'install/netboot/ubuntu-installer/i386/initrd.gz',
      ],
      files: {
        '.disk/info': 'Ubuntu-Server 24.04 LTS "Noble Numbat" - Release amd64 (20240423)',
        'casper/ubuntu-server-minimal.squashfs': 'squash',
        'md5sum.txt': '',
        ...pair(casper),
      },
    },
    'openSUSE-13.2-DVD-x86_64': {
      ...loader,
      files: {
        content:
          'CONTENTSTYLE     11\nDISTRO           cpe:/o:opensuse:opensuse:13.2,openSUSE\nLABEL            openSUSE\n' +
          'REPOID           obsproduct://build.opensuse.org/openSUSE:13.2/openSUSE/13.2/x86_64\nVENDOR           openSUSE\nBASEARCHS        x86_64\n',
        'media.1/media':
          'openSUSE - openSUSE-13.2-DVD-x86_64-Build0063-Media\nopenSUSE-13.2-DVD-x86_64-Build0063\n1\n',
        'media.1/products': '/ openSUSE 13.2-1.10\n',
        'suse/x86_64/aaa_base-13.2+git20140911.61c1681-1.3.x86_64.rpm': 'rpm',
        ...pair(loader),
      },
    },
    'Leap-16.0-offline-installer': {
      ...loader,
      files: { 'LiveOS/squashfs.img': 'live', 'install/repodata/repomd.xml': '<repomd/>', ...pair(loader) },
    },
    archlinux: {
      kernel: 'arch/boot/x86_64/vmlinuz-linux',
      initrd: 'arch/boot/x86_64/initramfs-linux.img',
      files: pair({
        kernel: 'arch/boot/x86_64/vmlinuz-linux',
        initrd: 'arch/boot/x86_64/initramfs-linux.img',
      }),
    },
  }
}

function treeinfo(
  family: string,
  version: string,
  variants: readonly string[],
  images: Record<string, string>,
): string {
  const [kernel = '', initrd = ''] = Object.keys(images)
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
  const sections = variants.map((id) => {
    const path = variants.length > 1 ? id : '.'
    return `[variant-${id}]\nid = ${id}\nname = ${id}\npackages = ${path}/Packages\nrepository = ${path}\ntype = variant\nuid = ${id}\n`
  })
  return [
    `[checksums]\n${Object.entries(images)
      .map(([path, text]) => `${path} = sha256:${sha256(text)}\n`)
      .join('')}`,
    `[general]\narch = x86_64\nfamily = ${family}\nname = ${family} ${version}\npackagedir = \nplatforms = x86_64,xen\nrepository = .\ntimestamp = 1713118220\nvariant = ${variants[0]}\nvariants = ${variants.join(',')}\nversion = ${version}\n`,
    '[header]\ntype = productmd.treeinfo\nversion = 1.2\n',
    `[images-x86_64]\nkernel = ${kernel}\ninitrd = ${initrd}\n`,
    `[images-xen]\nkernel = ${kernel}\ninitrd = ${initrd}\n`,
    `[release]\nname = ${family}\nshort = X\nversion = ${version}\n`,
    '[stage2]\nmainimage = images/install.img\n',
    `[tree]\narch = x86_64\nbuild_timestamp = 1713118220\nplatforms = x86_64,xen\nvariants = ${variants.join(',')}\n`,
    ...sections,
  ].join('\n')
}

function layOut(folder: string, medium: Pick<Medium, 'files' | 'links'>): void {
  for (const [path, text] of Object.entries(medium.files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  for (const [path, target] of Object.entries(medium.links ?? {})) symlinkSync(target, join(folder, path))
}

function makeImage(folder: string, file: string, options: readonly string[]): void {
  mkdirSync(dirname(file), { recursive: true })
  rmSync(file, { force: true })
  xorriso(['-as', 'mkisofs', '-quiet', '-V', 'TEST', ...options, '-o', file, folder])
}

function xorriso(args: readonly string[]): void {
  const { status, stderr } = spawnSync(findClient('xorriso') ?? 'xorriso', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`xorriso ${args.join(' ')} ended with ${status}:\n${stderr}`)
}

function curl(url: string, ...options: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(
    'curl',
    ['--silent', '--show-error', '--fail', ...options, url],
    { maxBuffer: 1 << 28 },
  )
  if (status !== 0) throw new Error(`curl ${url} ended with ${status}: ${stderr}`)
  return stdout
}

/** SHA-256 of every file below a folder, as an HTTP client gets them. */
function digestsOf(treeboot: Treeboot, at: string, path = ''): Record<string, string> {
  const listing = JSON.parse(
    curl(`${treeboot.url}${at}${path}/`, '--header', 'Accept: application/json').toString(),
  ) as { entries: { name: string; kind: string }[] }
  return Object.assign(
    {},
    ...listing.entries.map(({ name, kind }) =>
      kind === 'folder'
        ? digestsOf(treeboot, at, `${path}/${name}`)
        : {
            [`${path}/${name}`]: createHash('sha256')
              .update(curl(`${treeboot.url}${at}${path}/${encodeURIComponent(name)}`))
              .digest('hex'),
          },
    ),
  )
}
