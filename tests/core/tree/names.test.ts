import { describe, expect, test } from 'vitest'
import {
  distroName,
  distroOf,
  distros,
  installerOf,
  parseDistro,
} from '../../../server/core/distro/distro.ts'
import {
  archIn,
  canonicalArch,
  isKnownArch,
  platformFor,
  sameArch,
  withoutArchs,
} from '../../../server/core/tree/arch.ts'
import { compareVersions, parseVersion, versionMatcher } from '../../../server/core/tree/version.ts'

/** How versions, architectures and distributions are named, in descriptors and by operators. */

describe('versions', () => {
  test('are sorted from oldest to newest', () => {
    const oldestFirst = [
      '8-stream',
      '9.0 Beta',
      '9.0',
      '9.9',
      '9.10',
      '15',
      '15 SP4',
      '15.5',
      '21_Alpha',
      '21_Beta',
      '21 Beta 2',
      '21 Beta 10',
      '21_TC1',
      '21',
      '22.04.3 LTS',
      '40_RC1',
      '40_RC2',
      '40',
      // Numbers are compared exactly, at any length.
      '20240210123456789012345',
      '20240210123456789012346',
      'ELN',
      'testing',
      'Tumbleweed',
      'Rawhide',
    ]
    expect(oldestFirst.toReversed().sort(compareVersions)).toEqual(oldestFirst)
  })

  test.each([
    ['15 SP4', '15.4'],
    ['9', '9.0'],
    ['08.04', '8.4'],
    ['22.04 LTS', '22.04'],
    ['bookworm', '12'],
    [' Bookworm ', '12'],
    ['12 bookworm', '12'],
    ['009', '9.0.0'],
    ['21 Candidate 1', '21-rc1'],
    ['21 nightly', '21 Alpha'],
    ['21 snapshot', '21.dev'],
    ['21 pre', '21 test'],
    ['2024', '2024 GA'],
  ])('%s is %s', (a, b) => {
    expect(compareVersions(a, b)).toBe(0)
  })

  test.each([
    ['9', '9.4', true],
    ['9', '90', false],
    ['9.4', '9', false],
    ['15.4', '15 SP4', true],
    ['rawhide', 'Rawhide', true],
    ['rawhide', '41', false],
    ['41', 'Rawhide', false],
    ['8', '8-stream', true],
    ['21', '21_Alpha', true],
    ['21_Alpha', '21', false],
    ['', '7', true],
    ['latest', '7', true],
    ['bookworm', '12.5.0', true],
    ['jammy', '22.04.3', true],
    ['newest', 'rawhide', true],
    ['any', '7', true],
    [' * ', '7', true],
    ['nonsense', '7', false],
    ['nonsense', 'Nonsense', true],
    ['9.4', '9.4.1', true],
    ['9.4', '9.5', false],
    ['40_RC', '40_RC1', true],
    ['40_RC1', '40_RC1', true],
    ['40_RC1', '40 rc 1', true],
    ['40_RC1', '40_RC2', false],
    ['40_RC', '40_Beta', false],
    ['40_RC', '40', false],
    ['testing', 'sid', false],
    ['unstable', 'sid', true],
  ])('%j means the version %j: %s', (wanted, version, fits) => {
    expect(versionMatcher(wanted)(parseVersion(version))).toBe(fits)
  })
})

test('a version is its numbers, its stage and the number of that', () => {
  expect(parseVersion(' 21.05 Beta 2 ')).toEqual({
    text: '21.05 beta 2',
    rolling: 0,
    numbers: ['21', '5'],
    stage: 1,
    stageNumber: '2',
  })
  // A number after that of the stage is one of the version: a date, for one.
  expect(parseVersion('21_rc1.20240210').numbers).toEqual(['21', '20240210'])
  expect(parseVersion('0').numbers).toEqual(['0'])
})

describe('architectures', () => {
  test.each([
    ['amd64', 'x86_64'],
    ['X86-64', 'x86_64'],
    ['i686', 'i386'],
    ['arm64', 'aarch64'],
    ['armv7hl', 'armhfp'],
    ['ppc64el', 'ppc64le'],
    ['ppcppc', 'ppc'], // as some trees of Fedora say
    ['x86_64_v2', 'x86_64_v2'],
    ['m68k', 'm68k'],
  ])('%s is %s', (spelling, name) => {
    expect(canonicalArch(spelling)).toBe(name)
  })

  test('x86_64_v2 does not match a request for x86_64', () => {
    expect(sameArch('x86_64', 'x86_64_v2')).toBe(false)
  })

  test.each([
    ['dists/bookworm/main/installer-amd64/current', 'amd64'],
    ['Fedora-40-x86_64-Build1', 'x86_64'],
    ['alma-10-x86_64_v2', 'x86_64_v2'],
    ['installer-ppc64el', 'ppc64el'],
    ['alpha-release-arm-things', undefined],
    ['lab/x86/i386.img', 'i386'],
    ['AMD64', 'AMD64'],
    ['xamd64', undefined],
    ['amd64x', undefined],
    // Any separator inside, and any around.
    ['Fedora.x86.64.40', 'x86_64'],
    ['my x86 64 disc', 'x86_64'],
    ['alma_x86_64_9', 'x86_64'],
    ['rhel+aarch64+9', 'aarch64'],
    ['sle (ppc64le)', 'ppc64le'],
    ['ubuntu-6.06-hppa', 'hppa'],
  ])('%s names %s', (text, arch) => {
    expect(archIn(text)).toBe(arch)
  })

  test('a text without its architectures keeps all else', () => {
    expect(withoutArchs('x86_64/alma-10-x86_64_v2.iso')).toBe(' /alma-10- .iso')
    expect(withoutArchs('Fedora.x86_64.40')).toBe('Fedora. .40')
    expect(withoutArchs('xamd64/arm')).toBe('xamd64/arm')
  })

  test('known names are known in any case, with blanks around them', () => {
    for (const name of [' AMD64 ', 'riscv64', 's390', 'alpha']) expect(isKnownArch(name), name).toBe(true)
    for (const name of ['', 'm68k', 'constructor']) expect(isKnownArch(name), name).toBe(false)
    expect(canonicalArch(' M68K ')).toBe('m68k')
    expect(sameArch('m68k', 'M68K')).toBe(true)
  })

  test('a platform is found by any spelling', () => {
    expect(platformFor({ i386: 1, xen: 1 }, 'i686')).toBe('i386')
    expect(platformFor({ i386: 1 }, 'constructor')).toBeUndefined()
    // The exact name before another spelling of it.
    expect(platformFor({ amd64: 1, x86_64: 1 }, 'x86_64')).toBe('x86_64')
    expect(platformFor({ i386: 1 }, 'x86_64')).toBeUndefined()
  })
})

describe('distributions', () => {
  test.each([
    ['Fedora', '40', '', 'fedora'],
    ['Fedora-Server', '21', '', 'fedora'],
    ['Fedora', 'ELN', '', 'eln'],
    ['Fedora CoreOS', '40', '', 'coreos'],
    ['Red Hat Enterprise Linux Server', '5.5', '', 'rhel'],
    ['CentOS', '7', '', 'centos'],
    ['CentOS Linux', '9', '', 'centos-stream'],
    ['CentOS Stream', '8', '', 'centos-stream'],
    ['Scientific Linux-6.9', '6.9', '', 'scientific'],
    ['Oracle Linux Server', '6.10', '', 'oracle'],
    ['AlmaLinux Kitten', '10', '', 'alma'],
    ['SUSE Linux Enterprise Server', '15.4', '', 'sles'],
    ['openSUSE Leap', '15.5', '', 'opensuse'],
    ['Debian GNU/Linux', '12', '', 'debian'],
    ['Ubuntu', '22.04', 'Server', 'ubuntu'],
    ['Arch Linux', '', '', 'arch'],
    [' Fedora\n', '1', '', 'fedora'],
    ['Search Engine', '1', '', 'other'],
    ['  ', '1', '', 'other'],
    ['', '1', '', 'other'],
  ])('%s %s %s is %s', (family, version, variant, distro) => {
    expect(distroOf({ family, version, variant })).toBe(distro)
  })

  test.each([
    ['Fedora', 'fedora'],
    ['redhat', 'rhel'],
    ['Alma Linux', 'alma'],
    ['rocky-linux', 'rocky'],
    ['suse', 'opensuse'],
    ['OL', 'oracle'],
    ['centos_stream', 'centos-stream'],
    ['centos .-_ Stream', 'centos-stream'],
    ['beos', undefined],
    ['constructor', undefined],
  ])('%s is the name of %s', (text, distro) => {
    expect(parseDistro(text)).toBe(distro)
  })

  test('every distribution is found by its own id and by its display name', () => {
    for (const distro of distros) {
      expect(parseDistro(distro)).toBe(distro)
      expect(parseDistro(distroName(distro))).toBe(distro)
      if (distro !== 'other')
        expect(distroOf({ family: distroName(distro), version: '8', variant: '' })).toBe(distro)
    }
  })

  test.each([
    ['fedora', '40', undefined, 'anaconda'],
    ['debian', '12', undefined, 'debian-installer'],
    ['ubuntu', '22.04', undefined, 'subiquity'],
    ['ubuntu', '18.04', undefined, 'debian-installer'],
    ['ubuntu', '20.04', 'netboot/ubuntu-installer/amd64/linux', 'debian-installer'],
    ['ubuntu', '18.04', 'casper/vmlinuz', 'subiquity'],
    ['opensuse', '42.3', undefined, 'autoyast'],
    ['opensuse', 'Tumbleweed', undefined, 'autoyast'],
    ['sles', '15 SP4', undefined, 'autoyast'],
    ['sles', '16.0', undefined, 'agama'],
    ['mageia', '9', undefined, 'drakx'],
    ['arch', '', undefined, 'unknown'],
  ] as const)('%s %s (%s) installs with %s', (distro, version, kernel, installer) => {
    expect(installerOf(distro, version, kernel)).toBe(installer)
  })
})
