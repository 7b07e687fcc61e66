import { describe, expect, test } from 'vitest'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'
import type { Description } from '../../../../server/core/tree/tree.ts'

function read(text: string): Description {
  const description = readTreeinfo('.treeinfo', text)
  if (!description) throw new Error('not taken for a treeinfo')
  return description
}

function messages(description: Description): string {
  return description.problems.map(({ line, message }) => `${line ?? '-'}: ${message}`).join('\n')
}

const base = '[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n'
const images = '[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n'
const own = { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img' }

describe('places', () => {
  test('kernel and initrd away from images/pxeboot', () => {
    const s390x = read(
      '[general]\narch = s390x\n[images-s390x]\nkernel = images/kernel.img\ninitrd = images/initrd.img\n',
    )
    expect(s390x.platforms.s390x).toMatchObject({ kernel: 'images/kernel.img', initrd: 'images/initrd.img' })
    const old = read(
      '[general]\narch=ppc\n[images-ppc]\nkernel=ppc/ppc32/vmlinuz\ninitrd=ppc/ppc32/ramdisk.image.gz\n',
    )
    expect(old.platforms.ppc).toMatchObject({ initrd: 'ppc/ppc32/ramdisk.image.gz' })
  })

  test('absolute paths and ./ are taken as relative, and noted', () => {
    const tree = read(`${base}[images-x86_64]\nkernel = /images/vmlinuz\ninitrd = ./images/initrd.img\n`)
    expect(tree.platforms.x86_64).toMatchObject({ kernel: 'images/vmlinuz', initrd: 'images/initrd.img' })
    expect(messages(tree)).toContain('6: kernel of [images-x86_64] is "/images/vmlinuz"')
  })

  test('a path out of the tree is kept and noted', () => {
    expect(messages(read(`${base}[images-x86_64]\nkernel = ../vmlinuz\ninitrd = a\n`))).toContain(
      'leaves the tree',
    )
  })
})

describe('platforms', () => {
  test('two arches in one tree', () => {
    const tree = read(
      '[general]\narch = ppc\n[images-ppc]\nkernel = a\ninitrd = b\n[images-ppc64]\nkernel = c\ninitrd = d\n',
    )
    expect(Object.keys(tree.platforms)).toEqual(['ppc', 'ppc64'])
  })

  test('[images-lpae-armhfp] is the platform lpae', () => {
    const tree = read('[general]\narch = armhfp\n[images-lpae-armhfp]\nkernel = a\ninitrd = b\n')
    expect(tree.platforms.lpae).toMatchObject({ kernel: 'a' })
  })

  test('a platform that is listed and has no section', () => {
    const tree = read(`${base}platforms = x86_64, xen\n${images}`)
    expect(Object.keys(tree.platforms)).toEqual(['x86_64'])
    expect(messages(tree)).toBe('5: platform xen is listed, but there is no [images-xen]')
  })

  test('an initrd and no kernel', () => {
    const tree = read(`${base}[images-x86_64]\n\ninitrd = images/pxeboot/initrd.img\n`)
    expect(tree.platforms.x86_64).toEqual({ initrd: 'images/pxeboot/initrd.img', others: {} })
    expect(messages(tree)).toBe('5: [images-x86_64] names no kernel')
  })

  test('empty values are as good as none', () => {
    const tree = read(`${base}${images}zimage =\n[stage2]\nmainimage =\n`)
    expect(tree.platforms.x86_64).toEqual({ ...own, others: {} })
    expect(tree.stage2).toBeUndefined()
    expect(messages(tree)).toContain('8: "zimage" of [images-x86_64] is empty')
  })

  test.each([
    ['i686', 'i386'],
    ['i386', 'i586'],
    ['armhfp', 'armv7hl'],
    ['ppc', 'ppcppc'],
    ['x86_64', 'amd64'],
  ])('arch %s finds the section of %s', (arch, section) => {
    const tree = read(`[general]\narch = ${arch}\n[images-${section}]\nkernel = a\ninitrd = b\n`)
    expect(tree.platforms[arch]).toMatchObject({ kernel: 'a', initrd: 'b' })
    expect(messages(tree)).toContain(`there is no [images-${arch}]; [images-${section}] is taken for it`)
  })

  test('x86_64_v2 is an arch of its own', () => {
    const tree = read('[general]\narch = x86_64_v2\n[images-x86_64_v2]\nkernel = a\ninitrd = b\n')
    expect(tree.platforms.x86_64_v2).toMatchObject({ kernel: 'a' })
    expect(messages(tree)).not.toContain('taken for it')
  })

  test('names of Object.prototype are ordinary names', () => {
    const tree = read('[general]\narch = __proto__\n[images-__proto__]\nkernel = a\ninitrd = b\n')
    expect(Object.keys(tree.platforms)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(tree.platforms)).toBe(Object.prototype)
  })
})

describe('names', () => {
  test('general wins over release, and the difference is noted', () => {
    const tree = read(
      '[general]\nfamily = SUSE Linux Enterprise Server\nversion = 15.4\narch = ppc64le\n' +
        '[header]\nversion = 1.0\n[release]\nname = SUSE Linux Enterprise\nversion = 15 SP4\n',
    )
    expect([tree.family, tree.version, tree.variant]).toEqual(['SUSE Linux Enterprise Server', '15.4', ''])
    expect(messages(tree)).toContain('3: [general] version is "15.4", [release] says "15 SP4"')
  })

  test('a tree without [general]', () => {
    const tree = read(
      '[header]\ntype = productmd.treeinfo\nversion = 1.2\n[release]\nname = Fedora\nversion = 40\n' +
        `[tree]\narch = x86_64\nbuild_timestamp = 1713106800\nplatforms = x86_64\nvariants = Server\n${images}` +
        '[variant-Server]\nid = Server\nrepository = .\n',
    )
    expect(tree).toMatchObject({ family: 'Fedora', version: '40', arch: 'x86_64', variant: 'Server' })
    expect(tree).toMatchObject({ era: 'treeinfo-1.2', timestamp: 1713106800, platforms: { x86_64: own } })
  })

  test('no variant, no version, no arch: the only platform tells the arch', () => {
    const tree = read(
      `[general]\nfamily = openSUSE Tumbleweed\nversion =\n${images}[images-xen]\nkernel = a\n`,
    )
    expect([tree.version, tree.variant, tree.arch]).toEqual(['', '', 'x86_64'])
  })

  test('an unknown version of the format is read all the same', () => {
    const tree = read(`[header]\ntype = productmd.treeinfo\nversion = 2.7\n${base}${images}`)
    expect(tree.era).toBe('treeinfo-1.2')
    expect(messages(tree)).toContain('3: header version "2.7" is unknown')
  })

  test('timestamps are floats or whole, discs are counted', () => {
    const tree = read(`${base}timestamp = 1194015227.78\ndiscnum = 1\ntotaldiscs = 6\n${images}`)
    expect([tree.timestamp, tree.disc]).toEqual([1194015227.78, { number: 1, total: 6 }])
  })
})

describe('repositories', () => {
  test('several variants, siblings on a mirror', () => {
    const tree = read(
      `${base}variant = BaseOS\nvariants = AppStream,BaseOS\n${images}` +
        '[variant-AppStream]\nid = AppStream\ntype = variant\nrepository = ../../../AppStream/x86_64/os\n' +
        '[variant-BaseOS]\nid = BaseOS\nname = BaseOS\ntype = variant\nrepository = .\n',
    )
    expect(tree.repositories).toEqual([
      { id: 'BaseOS', name: 'BaseOS', kind: 'variant', path: '.' },
      { id: 'AppStream', name: 'AppStream', kind: 'variant', path: '../../../AppStream/x86_64/os' },
    ])
  })

  test.each([
    ['Server/repodata', 'Server'],
    ['repodata', '.'],
    ['./', '.'],
    ['/', '.'],
    ['../../appstream/s390x/', '../../appstream/s390x'],
    ['myrepodata', 'myrepodata'],
  ])('%s is the folder %s', (written, path) => {
    expect(read(`${base}variant = Server\nrepository = ${written}\n${images}`).repositories).toEqual([
      { id: 'Server', name: 'Server', kind: 'repository', path },
    ])
  })

  test('add-ons and optional variants keep their kind', () => {
    const tree = read(
      `${base}${images}[variant-Server]\nid = Server\nrepository = .\n[addon-HA]\nid = HA\ntype = addon\n` +
        'repository = addons/HA\n[variant-opt]\nid = opt\ntype = optional\nrepository = optional\n',
    )
    expect(tree.repositories.map(({ id, kind }) => `${id} ${kind}`)).toEqual([
      'Server variant',
      'HA addon',
      'opt optional',
    ])
  })

  test('a tree that names none tells it by the checksum of its repomd.xml', () => {
    const digest = 'a'.repeat(64)
    const tree = read(`${base}${images}[checksums]\nrepodata/repomd.xml = sha256:${digest}\n`)
    expect(tree.repositories.map(({ path }) => path)).toEqual(['.'])
  })

  test('a variant that is listed and has no section', () => {
    expect(messages(read(`${base}variants = Server\n${images}`))).toBe(
      '5: variant Server is listed, but there is no [variant-Server]',
    )
  })
})

describe('checksums', () => {
  test('absent, or lacking the kernel', () => {
    expect(read(base + images).checksums).toEqual({})
  })

  test('every algorithm by name or by length; nonsense is noted and left out', () => {
    const tree = read(
      `${base}${images}[checksums]\n/images/a.img = SHA256:${'A'.repeat(64)}\nb = sha1:${'b'.repeat(40)}\n` +
        `c = ${'c'.repeat(32)}\nd = sha256:abc\ne = sha256:${'e'.repeat(40)}\n`,
    )
    expect(tree.checksums).toEqual({
      'images/a.img': { algorithm: 'sha256', hex: 'a'.repeat(64) },
      b: { algorithm: 'sha1', hex: 'b'.repeat(40) },
      c: { algorithm: 'md5', hex: 'c'.repeat(32) },
    })
    expect(messages(tree)).toContain('12: digest of "d" is "sha256:abc"')
  })

  test('paths keep their case', () => {
    const tree = read(
      `${base}${images}[checksums]\nLiveOS/X = md5:${'0'.repeat(32)}\nLiveOS/x = md5:${'1'.repeat(32)}\n`,
    )
    expect(Object.keys(tree.checksums)).toEqual(['LiveOS/X', 'LiveOS/x'])
  })
})

describe('what is not a treeinfo', () => {
  test.each([
    ['nothing', ''],
    ['a web page', '<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n'],
    ['media.repo', '[InstallMedia]\nname=CentOS 7\nmediaid=1\n'],
    ['another INI file', '[general]\ncolour = blue\n[stage2]\nx = y\n'],
    ['an empty [images-]', '[images-]\nkernel = a\n'],
  ])('%s', (_name, text) => {
    expect(readTreeinfo('.treeinfo', text)).toBeUndefined()
  })
})
