import { describe, expect, test } from 'vitest'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'
import type { Description } from '../../../../server/core/tree/tree.ts'
import { stating } from '../../../support/stating.ts'

function read(text: string): Description {
  const description = readTreeinfo('.treeinfo', text)
  if (!description) throw new Error('this is not read as a treeinfo')
  return description
}

function messages(description: Description): string {
  return description.problems.map(({ line, message }) => `${line ?? '-'}: ${message}`).join('\n')
}

/** Four lines: what a test appends begins in line 5, or in line 8 after `images`. */
const base = '[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n'
const images = '[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n'
/** What is read from `images`. */
const own = { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img' }

test('a bare % is a problem, a doubled one and a reference are none', () => {
  const percents = read(`${base}[x]\na = 5%\nb = 5%%\nc = %(a)s\n`)
  expect(percents.problems.filter(({ message }) => message.includes('%')).map(({ line }) => line)).toEqual([
    6,
  ])
})

describe('paths', () => {
  test('kernel and initrd may lie outside of images/pxeboot', () => {
    const s390x = read(
      '[general]\narch = s390x\n[images-s390x]\nkernel = images/kernel.img\ninitrd = images/initrd.img\n',
    )
    expect(s390x.platforms.s390x).toMatchObject({ kernel: 'images/kernel.img', initrd: 'images/initrd.img' })
    const old = read(
      '[general]\narch=ppc\n[images-ppc]\nkernel=ppc/ppc32/vmlinuz\ninitrd=ppc/ppc32/ramdisk.image.gz\n',
    )
    expect(old.platforms.ppc).toMatchObject({ initrd: 'ppc/ppc32/ramdisk.image.gz' })
  })

  test('absolute paths and ./ are read as relative, and reported', () => {
    const tree = read(`${base}[images-x86_64]\nkernel = /images/vmlinuz\ninitrd = ./images/initrd.img\n`)
    expect(tree.platforms.x86_64).toMatchObject({ kernel: 'images/vmlinuz', initrd: 'images/initrd.img' })
    expect(messages(tree)).toMatch(stating('6:', 'kernel', '[images-x86_64]', '"/images/vmlinuz"'))
  })

  test('a path that leaves the tree is kept and reported', () => {
    const tree = read(`${base}[images-x86_64]\nkernel = ../vmlinuz\ninitrd = a\n`)
    expect(tree.platforms.x86_64).toMatchObject({ kernel: '../vmlinuz' })
    expect(messages(tree)).toMatch(stating('6:', 'kernel', '../vmlinuz'))
  })
})

describe('platforms', () => {
  test('one tree may have two arches', () => {
    const tree = read(
      '[general]\narch = ppc\n[images-ppc]\nkernel = a\ninitrd = b\n[images-ppc64]\nkernel = c\ninitrd = d\n',
    )
    expect(Object.keys(tree.platforms)).toEqual(['ppc', 'ppc64'])
  })

  test('[images-lpae-armhfp] is the platform lpae', () => {
    const tree = read('[general]\narch = armhfp\n[images-lpae-armhfp]\nkernel = a\ninitrd = b\n')
    expect(tree.platforms.lpae).toMatchObject({ kernel: 'a' })
  })

  test('a platform that is listed and has no section is reported', () => {
    const tree = read(`${base}platforms = x86_64, xen\n${images}`)
    expect(Object.keys(tree.platforms)).toEqual(['x86_64'])
    expect(tree.problems).toHaveLength(1)
    expect(messages(tree)).toMatch(stating('5:', 'xen', '[images-xen]'))
  })

  test('an initrd without a kernel is kept and reported', () => {
    const tree = read(`${base}[images-x86_64]\ninitrd = images/pxeboot/initrd.img\n`)
    expect(tree.platforms.x86_64).toEqual({ initrd: 'images/pxeboot/initrd.img', others: {} })
    expect(tree.problems).toHaveLength(1)
    expect(messages(tree)).toMatch(stating('5:', '[images-x86_64]', 'kernel'))
  })

  test('an empty value counts as absent and is reported', () => {
    const tree = read(`${base}${images}zimage =\n[stage2]\nmainimage =\n`)
    expect(tree.platforms.x86_64).toEqual({ ...own, others: {} })
    expect(tree.stage2).toBeUndefined()
    expect(messages(tree)).toMatch(stating('8:', '"zimage"', '[images-x86_64]', 'empty'))
  })

  test.each([
    ['i686', 'i386'],
    ['i386', 'i586'],
    ['armhfp', 'armv7hl'],
    ['ppc', 'ppcppc'], // as some trees of Fedora say
    ['x86_64', 'amd64'],
  ])('arch %s finds the section of %s', (arch, section) => {
    const tree = read(`[general]\narch = ${arch}\n[images-${section}]\nkernel = a\ninitrd = b\n`)
    expect(tree.platforms[arch]).toMatchObject({ kernel: 'a', initrd: 'b' })
    expect(messages(tree)).toMatch(stating(`[images-${arch}]`, `[images-${section}]`))
  })

  test('x86_64_v2 is an arch of its own', () => {
    const tree = read('[general]\narch = x86_64_v2\n[images-x86_64_v2]\nkernel = a\ninitrd = b\n')
    expect(tree.platforms.x86_64_v2).toMatchObject({ kernel: 'a' })
    expect(messages(tree)).not.toContain('[images-')
  })

  test('names of Object.prototype are ordinary names', () => {
    const tree = read('[general]\narch = __proto__\n[images-__proto__]\nkernel = a\ninitrd = b\n')
    expect(Object.keys(tree.platforms)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(tree.platforms)).toBe(Object.prototype)
  })
})

describe('names and versions', () => {
  test('[general] wins over [release], and the difference is reported', () => {
    const tree = read(
      '[general]\nfamily = SUSE Linux Enterprise Server\nversion = 15.4\narch = ppc64le\n' +
        '[header]\nversion = 1.0\n[release]\nname = SUSE Linux Enterprise\nversion = 15 SP4\n',
    )
    expect([tree.family, tree.version, tree.variant]).toEqual(['SUSE Linux Enterprise Server', '15.4', ''])
    expect(messages(tree)).toMatch(stating('3:', '[general]', '"15.4"', '[release]', '"15 SP4"'))
  })

  test('a file without [general] is read from [release] and [tree]', () => {
    const tree = read(
      '[header]\ntype = productmd.treeinfo\nversion = 1.2\n[release]\nname = Fedora\nversion = 40\n' +
        `[tree]\narch = x86_64\nbuild_timestamp = 1713106800\nplatforms = x86_64\nvariants = Server\n${images}` +
        '[variant-Server]\nid = Server\nrepository = .\n',
    )
    expect(tree).toMatchObject({ family: 'Fedora', version: '40', arch: 'x86_64', variant: 'Server' })
    expect(tree).toMatchObject({ era: 'treeinfo-1.2', timestamp: 1713106800, platforms: { x86_64: own } })
  })

  test('without variant, version and arch, the only platform that is an arch gives the arch', () => {
    const tree = read(
      `[general]\nfamily = openSUSE Tumbleweed\nversion =\n${images}[images-xen]\nkernel = a\n`,
    )
    expect([tree.version, tree.variant, tree.arch]).toEqual(['', '', 'x86_64'])
  })

  test('an unknown version of the format is read as the newest, and reported', () => {
    const tree = read(`[header]\ntype = productmd.treeinfo\nversion = 2.7\n${base}${images}`)
    expect(tree.era).toBe('treeinfo-1.2')
    expect(messages(tree)).toMatch(stating('3:', 'header', '"2.7"'))
  })

  test('timestamps may have a fraction; the disc number and the count of discs are read', () => {
    const tree = read(`${base}timestamp = 1194015227.78\ndiscnum = 1\ntotaldiscs = 6\n${images}`)
    expect([tree.timestamp, tree.disc]).toEqual([1194015227.78, { number: 1, total: 6 }])
  })
})

describe('repositories', () => {
  test('variants may lie beside each other on a mirror', () => {
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
  ])('repository = %s is the folder %s', (written, path) => {
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

  test('a checksum of repomd.xml shows a repository that no section names', () => {
    const digest = 'a'.repeat(64)
    const tree = read(`${base}${images}[checksums]\nrepodata/repomd.xml = sha256:${digest}\n`)
    expect(tree.repositories.map(({ path }) => path)).toEqual(['.'])
  })

  test('a variant that is listed and has no section is reported', () => {
    const tree = read(`${base}variants = Server\n${images}`)
    expect(tree.problems).toHaveLength(1)
    expect(messages(tree)).toMatch(stating('5:', 'Server', '[variant-Server]'))
  })
})

describe('checksums', () => {
  test('may be absent', () => {
    expect(read(base + images).checksums).toEqual({})
  })

  test('the algorithm is read from its name or the length; a digest that fits neither is reported and left out', () => {
    const tree = read(
      `${base}${images}[checksums]\n/images/a.img = SHA256:${'A'.repeat(64)}\nb = sha1:${'b'.repeat(40)}\n` +
        `c = ${'c'.repeat(32)}\nd = sha256:abc\ne = sha256:${'e'.repeat(40)}\n`,
    )
    expect(tree.checksums).toEqual({
      'images/a.img': { algorithm: 'sha256', hex: 'a'.repeat(64) },
      b: { algorithm: 'sha1', hex: 'b'.repeat(40) },
      c: { algorithm: 'md5', hex: 'c'.repeat(32) },
    })
    expect(messages(tree)).toMatch(stating('12:', '"d"', '"sha256:abc"'))
  })

  test('paths keep their case', () => {
    const tree = read(
      `${base}${images}[checksums]\nLiveOS/X = md5:${'0'.repeat(32)}\nLiveOS/x = md5:${'1'.repeat(32)}\n`,
    )
    expect(Object.keys(tree.checksums)).toEqual(['LiveOS/X', 'LiveOS/x'])
  })
})

describe('a file that is not a treeinfo is not read:', () => {
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
