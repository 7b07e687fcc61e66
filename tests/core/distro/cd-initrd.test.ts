import { describe, expect, test } from 'vitest'
import { cdInitrd } from '../../../server/core/distro/cd-initrd.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import { fakeTree } from '../../support/trees.ts'

const bookworm = { family: 'Debian GNU/Linux', version: '12.5.0', arch: 'amd64' }

function netbootOf(said: { family: string; version: string; arch: string }, initrd: string) {
  const kernel = initrd.replace(/initrd\.gz$/, 'vmlinuz')
  const platforms = { [said.arch]: { kernel, initrd, others: {} } }
  const found = cdInitrd(fakeTree({ id: 't', ...said, platforms }))
  return found && (found.netbootUrl ?? 'no URL')
}

describe('the initrd of a disc, and where the images for network boot are', () => {
  const debian = 'https://deb.debian.org/debian/dists/bookworm/main'
  test.each<[{ family: string; version: string; arch: string }, string, string | undefined]>([
    [bookworm, 'install.amd/initrd.gz', `${debian}/installer-amd64/current/images/netboot/netboot.tar.gz`],
    [
      bookworm,
      'install.amd/gtk/initrd.gz',
      `${debian}/installer-amd64/current/images/netboot/netboot.tar.gz`,
    ],
    [
      { ...bookworm, arch: 'arm64' },
      'install.a64/initrd.gz',
      `${debian}/installer-arm64/current/images/netboot/netboot.tar.gz`,
    ],
    [
      { ...bookworm, version: '9.13' },
      'install.amd/initrd.gz',
      'http://archive.debian.org/debian/dists/stretch/main/installer-amd64/current/images/netboot/netboot.tar.gz',
    ],
    [
      { family: 'Kali', version: '2024.1', arch: 'amd64' },
      'install.amd/initrd.gz',
      'http://http.kali.org/kali/dists/kali-rolling/main/installer-amd64/current/images/netboot/netboot.tar.gz',
    ],
    [
      { family: 'Ubuntu', version: '18.04', arch: 'amd64' },
      'install/initrd.gz',
      'http://archive.ubuntu.com/ubuntu/dists/bionic/main/installer-amd64/current/images/netboot/netboot.tar.gz',
    ],
    // Its archive is another one.
    [{ family: 'Ubuntu', version: '18.04', arch: 'arm64' }, 'install/initrd.gz', 'no URL'],
    [{ ...bookworm, version: '' }, 'install.amd/initrd.gz', 'no URL'],
    [bookworm, 'debian-installer/amd64/initrd.gz', undefined],
    [bookworm, 'images/netboot/debian-installer/amd64/initrd.gz', undefined],
    [
      { family: 'Ubuntu', version: '18.04', arch: 'amd64' },
      'install/netboot/ubuntu-installer/amd64/initrd.gz',
      undefined,
    ],
    // Another installer: it fetches its parts from the network.
    [{ family: 'Fedora', version: '40', arch: 'x86_64' }, 'install/initrd.gz', undefined],
  ])('%j %s: %s', (said, initrd, url) => {
    expect(netbootOf(said, initrd)).toBe(url)
  })
})

test('a tree is named that is ready, of the same release and arch, and boots from the network', () => {
  const of = (id: string, said: Partial<typeof bookworm>, initrd: string) => {
    const arch = said.arch ?? bookworm.arch
    const kernel = initrd.replace(/initrd\.gz$/, 'linux')
    return fakeTree({ id, ...bookworm, ...said, platforms: { [arch]: { kernel, initrd, others: {} } } })
  }
  const disc = of('dvd', {}, 'install.amd/initrd.gz')
  const netboot = 'debian-installer/amd64/initrd.gz'
  const named = (...trees: Tree[]) => cdInitrd(disc, { trees: [disc, ...trees] })?.netbootTree
  const images = of('images', { version: '12' }, netboot)
  expect(named(images)).toBe('images')
  expect(named(images, of('dvd-netboot', {}, netboot))).toBe('dvd-netboot')
  expect(
    named(
      { ...images, state: 'incoming' },
      of('trixie', { version: '13' }, netboot),
      of('arm', { arch: 'arm64' }, 'debian-installer/arm64/initrd.gz'),
      of('other-disc', {}, 'install.amd/initrd.gz'),
    ),
  ).toBeUndefined()
})
