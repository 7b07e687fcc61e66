import { describe, expect, test } from 'vitest'
import { distroOf } from '../../../../server/core/distro/distro.ts'
import { readDescriptor } from '../../../../server/core/tree/descriptors/descriptor.ts'
import { readCorpus } from '../../../support/treeinfo-corpus.ts'

const corpus = readCorpus()
const trees = corpus.filter(({ file }) => file.startsWith('trees/'))

describe('real .treeinfo files', () => {
  test.each(trees)('$file', ({ file, bytes, family, version, arch, kernel, initrd, notes }) => {
    const description = readDescriptor(file, bytes)
    const images = description.platforms[description.arch]
    expect({
      family: description.family,
      version: description.version,
      arch: description.arch,
      kernel: images?.kernel,
      initrd: images?.initrd,
      era: description.era,
      stage2: description.stage2,
    }).toEqual({
      family,
      version,
      arch,
      kernel,
      initrd,
      era: `treeinfo-${/format=([\d.]+)/.exec(notes)?.[1]}`,
      stage2: /(?:^|; )stage2=([^;]+)/.exec(notes)?.[1],
    })
    // `xen=same`: the platform xen boots the same images as the tree's own arch.
    expect('xen' in description.platforms).toBe(/xen=same|xen_kernel=/.test(notes))
    expect(Object.keys(description.checksums).length > 0).toBe(!notes.includes('no checksums'))
  })

  test('every tree but that of SugonOS is of a known distribution', () => {
    const unknown = trees.filter(({ file, bytes }) => distroOf(readDescriptor(file, bytes)) === 'other')
    expect(unknown.map(({ family }) => family)).toEqual(['SugonOS'])
  })
})

describe('other real descriptors', () => {
  /** First part of a file's name -> its era. */
  const eras: Readonly<Record<string, string>> = {
    discinfo: 'discinfo',
    diskinfo: 'disk-info',
    content: 'suse-content',
    MANIFEST: 'manifest',
    media: 'suse-media',
    products: 'suse-media',
  }
  const others = corpus.filter(({ file }) => file.startsWith('other/'))

  test.each(others)('$file', ({ file, bytes, family, version, arch }) => {
    const kind = /^other\/([A-Za-z]+)__/.exec(file)?.[1] ?? ''
    const description = readDescriptor(file, bytes)
    expect(description.era).toBe(eras[kind])
    if (arch !== undefined) expect(description.arch).toBe(arch)
    if (kind === 'diskinfo') expect([description.family, description.version]).toEqual([family, version])
    if (kind === 'discinfo')
      expect([description.family, description.version].join(' ').trim()).toBe(
        // Fedora 7 quotes the version; Red Star has a suffix that means "edition".
        family?.replace(/"/g, '').replace(/판$/, ''),
      )
  })

  test('the content file names the images', () => {
    const leap = others.find(({ file }) => file.includes('42.3'))
    if (!leap) throw new Error('the fixture of Leap 42.3 is gone')
    expect(readDescriptor('content', leap.bytes)).toMatchObject({
      family: 'openSUSE Leap',
      version: '42.3',
      arch: 'x86_64',
      platforms: {
        x86_64: { kernel: 'boot/x86_64/loader/linux', initrd: 'boot/x86_64/loader/initrd' },
        xen: { kernel: 'boot/x86_64/vmlinuz-xen', initrd: 'boot/x86_64/initrd-xen' },
      },
    })
  })

  test('MANIFEST names the netboot kernel when its path has the arch', () => {
    const focal = others.find(({ file }) => file.includes('MANIFEST'))
    if (!focal) throw new Error('the fixture of focal is gone')
    expect(readDescriptor('installer-amd64/current/images/MANIFEST', focal.bytes).platforms).toMatchObject({
      amd64: { kernel: 'current/images/netboot/ubuntu-installer/amd64/linux' },
      xen: { kernel: 'current/images/netboot/xen/vmlinuz' },
    })
  })
})
