import { describe, expect, test } from 'vitest'
import { distroOf, distros } from '../../../server/core/distro/distro.ts'
import { isDistro } from '../../../server/core/distro/families.ts'
import { volumeRules } from '../../../server/core/distro/volume-rules.ts'
import { identifyVolume, type VolumeIds } from '../../../server/core/tree/volume-ids.ts'

/** What the rules say of volume descriptors. `discs.test.ts` reads many more of real discs. */

const nothing: VolumeIds = { volume: '', system: '', publisher: '', application: '' }
const read = (ids: Partial<VolumeIds>) => {
  const { family = '', version = '', variant = '', arch = '' } = identifyVolume({ ...nothing, ...ids }) ?? {}
  return [family, version, variant, arch].join(' | ')
}

describe('by the volume identifier', () => {
  test.each([
    // pungi and lorax
    ['Fedora-S-dvd-x86_64-40', 'Fedora | 40 | Server | x86_64'],
    ['Fedora-E-dvd-aarch64-rawh', 'Fedora | Rawhide | Everything | aarch64'],
    ['Fedora-WS-Live-41-1-4', 'Fedora | 41 | Workstation | '],
    ['Fedora-Live-WS-i686-23_B-1', 'Fedora | 23_Beta | Workstation | i686'],
    ['Fedora_20_ppc64', 'Fedora | 20 |  | ppc64'],
    ['Fedora 8 i386 DVD', 'Fedora | 8 |  | i686'],
    ['FC-6 x86_64 Disc 6', 'Fedora | 6 |  | x86_64'],
    ['FC/4 i386 ftp #1', 'Fedora | 4 |  | i686'],
    ['F10-x86_64-Live-KDE', 'Fedora | 10 |  | x86_64'],
    ['Fedora-ELN-BaseOS-x86_64', 'Fedora ELN | ELN |  | x86_64'],
    ['fedora-coreos-40.20240416.3.1', 'Fedora CoreOS | 40 |  | '],
    ['rhcos-416.94.202404301731-0', 'Red Hat CoreOS | 4.16 |  | '],
    ['rhcos-46.82.202010091720-0', 'Red Hat CoreOS | 4.6 |  | '],
    ['rhcos-9.6.20250523-0', 'Red Hat CoreOS | 9.6 |  | '],
    ['RHEL-9-4-0-BaseOS-x86_64', 'Red Hat Enterprise Linux | 9.4 |  | x86_64'],
    ['RHEL-8-10-0-BaseOS-s390x', 'Red Hat Enterprise Linux | 8.10 |  | s390x'],
    ['RHEL_7_6_Server_ppc64', 'Red Hat Enterprise Linux | 7.6 |  | ppc64'],
    ['RHEL/5.10 i386 DVD', 'Red Hat Enterprise Linux | 5.10 |  | i686'],
    ['RHEL/4-U8 i386', 'Red Hat Enterprise Linux | 4.8 |  | i686'],
    ['RHEL Atomic Host 7 x86_64', 'Red Hat Enterprise Linux | 7 |  | x86_64'],
    ['CentOS-Stream-9-BaseOS-x86_64', 'CentOS Stream | 9 |  | x86_64'],
    ['CentOS-Stream-BaseOS-aarch64', 'CentOS Stream | 8 |  | aarch64'],
    ['CentOS-8-2-2004-aarch64-dvd', 'CentOS | 8.2.2004 |  | aarch64'],
    ['CentOS_5.6_Final', 'CentOS | 5.6 |  | '],
    ['CentOS 7 x86_64', 'CentOS | 7 |  | x86_64'],
    ['CentOS', 'CentOS |  |  | '],
    ['AlmaLinux-Kitten-10-x86_64_v2', 'AlmaLinux | 10 |  | x86_64_v2'],
    ['AlmaLinux-8_10-x86_64-Live-Mini', 'AlmaLinux | 8.10 |  | x86_64'],
    ['Rocky-Workstation-Lite-9-0', 'Rocky Linux | 9.0 |  | '],
    ['OL-8-10-0-BaseOS-x86_64', 'Oracle Linux | 8.10 |  | x86_64'],
    ['OL6.10 i386 Disc 1 20180625', 'Oracle Linux | 6.10 |  | i686'],
    ['EL-9-0-x86_64-20220613-dvd', 'EuroLinux | 9.0 |  | x86_64'],
    ['Asianux Server 7 SP2 x86_64', 'Asianux | 7.2 |  | x86_64'],
    ['openEuler-22.03-LTS-SP3-x86_64', 'openEuler | 22.03-LTS-SP3 |  | x86_64'],
    ['SL-73-x86_64-LiveDVDkde', 'Scientific Linux | 7.3 |  | x86_64'],
    // debian-cd and ubuntu-cdimage
    ['Debian 13.1.0 p64el n', 'Debian | 13.1.0 |  | ppc64el'],
    ['Debian 12.0.0 armhf 1', 'Debian | 12.0.0 |  | armv7l'],
    ['Fedora-S-dvd-armhfp-33', 'Fedora | 33 | Server | armv7l'],
    ['alpine-std 3.22.0 armv7', 'Alpine Linux | 3.22.0 |  | armv7l'],
    ['Debian testing amd64 1', 'Debian | testing |  | amd64'],
    ['Debian squeeze 20131021-08:21', 'Debian | 6 |  | '],
    ['d-live 12.10.0 gn amd64', 'Debian | 12.10.0 |  | amd64'],
    ['Ubuntu-Server 24.04.2 LTS riscv', 'Ubuntu | 24.04.2 | Server | riscv64'],
    ['Ubuntu-Server 16.10 ppc64', 'Ubuntu | 16.10 | Server | ppc64el'],
    ['Ubuntu-Server 6.06 hppa', 'Ubuntu | 6.06 | Server | parisc'],
    ['Kubuntu 24.04 LTS amd64', 'Ubuntu | 24.04 |  | amd64'],
    ['Pop_OS 20.10 amd64 Nvidia', 'Pop!_OS | 20.10 |  | amd64'],
    // kiwi, without the application identifier
    ['SLE-15-SP6-Online-x86_6492.1.001', 'SUSE Linux Enterprise | 15.6 |  | '],
    ['openSUSE-Leap-15.3-2-NET-ppc64le', 'openSUSE | 15.3 |  | ppc64le'],
    ['openSUSE_Leap_15.6_KDE_Live', 'openSUSE | 15.6 |  | '],
    // others
    ['alpine-virt 3.21.0_rc2 x86', 'Alpine Linux | 3.21.0_rc2 |  | i686'],
    ['ARCH_202402', 'Arch Linux | 2024.02 |  | '],
    ['MANJARO_KDE_2003', 'Manjaro | 20.0.3 |  | '],
    ['Mageia-9-x86_64', 'Mageia | 9 |  | x86_64'],
    ['nixos-gnome-24.05-aarch64', 'NixOS | 24.05 |  | aarch64'],
  ])('%s', (volume, said) => {
    expect(read({ volume })).toBe(said)
  })

  test.each([
    '',
    'CDROM',
    'ROCKY_4',
    'ISOIMAGE',
    'ol_backup_3',
    'Circle 5',
    'EL',
    'F40',
    'Fedora',
    'WIN11',
    'OL',
  ])('nothing is known of %j', (volume) => {
    expect(identifyVolume({ ...nothing, volume, publisher: 'MICROSOFT CORPORATION' })).toBeUndefined()
  })
})

describe('by the other identifiers', () => {
  test('the application identifier of SUSE is whole where the volume identifier is cut', () => {
    const application = 'SLE-15-SP1-Installer-DVD-ppc64le-Build228.2-Media1'
    const sle = 'SUSE Linux Enterprise | 15.1 |  | ppc64le'
    expect(read({ volume: 'SLE-15-SP1-Installer-DVD-ppc.001', application })).toBe(sle)
    expect(read({ volume: 'any', application })).toBe(sle)
    expect(
      read({ volume: 'Install-SUSE-SLE-16-s390x', application: 'SLES-16.0-Online-s390x-Build135.5' }),
    ).toBe('SUSE Linux Enterprise Server | 16.0 |  | s390x')
    // No version before 12.3, but the build.
    expect(read({ application: 'openSUSE-DVD-x86_64-Build0039-Media' })).toBe('openSUSE | 12.1 |  | x86_64')
    expect(read({ application: 'openSUSE-DVD-x86_64-Build0040-Media' })).toBe('openSUSE |  |  | x86_64')
  })

  test('the name of the program that wrote the image says nothing', () => {
    const application = 'MKISOFS ISO 9660/HFS FILESYSTEM BUILDER & CDRECORD CD-R/DVD CREATOR (C) 1993 i386'
    expect(read({ volume: 'CentOS 7 x86_64', application })).toBe('CentOS | 7 |  | x86_64')
    expect(read({ volume: 'CentOS-7', application })).toBe('CentOS | 7 |  | ')
  })

  test('the publisher tells ALT, and the others add the version', () => {
    const alt = { publisher: 'BASEALT LTD' }
    expect(read({ ...alt, volume: 'Workstation K', application: '8.0/I586' })).toBe('ALT | 8.0 |  | i686')
    expect(read({ ...alt, volume: 'ALT p10 builder/i586' })).toBe('ALT | p10 |  | i686')
    expect(read({ ...alt, volume: 'ALT regular-xfce/x86_64' })).toBe('ALT | sisyphus |  | x86_64')
    // The date in the application identifier is not a version.
    expect(read({ ...alt, volume: 'ALT Education', application: 'ALT EDUCATION  AARCH64 2024-11-25' })).toBe(
      'ALT |  |  | aarch64',
    )
    expect(read({ volume: 'Workstation K', application: '8.0/I586' })).toBe(' |  |  | ')
  })

  test('Slackware says it in the application identifier alone', () => {
    expect(read({ volume: 'SlackDVD', application: 'Slackware64 14.1 DVD' })).toBe(
      'Slackware | 14.1 |  | x86_64',
    )
    expect(read({ volume: 'S12_1d1', publisher: 'Slackware Linux, Inc.' })).toBe('Slackware | 12.1 |  | ')
  })
})

describe('the rules', () => {
  /** Their discs have a descriptor file, or no volume descriptor of theirs is known to us: they are read as names. */
  const byNameAlone = [
    ...['devuan', 'proxmox', 'kali', 'mint'],
    ...[
      'redhat-linux',
      'springdale',
      'navy',
      'virtuozzo',
      'alinux',
      'cloudlinux',
      'clearos',
      'rels',
      'amazon',
    ],
    ...['tencentos', 'kylin', 'redstar', 'xenserver'],
    ...['flatcar', 'grml', 'harvester', 'lmde', 'talos'],
  ].filter(isDistro)

  test('know every distribution, but for those that are named here', () => {
    const known = new Set(volumeRules.map(({ family }) => distroOf({ family, version: '', variant: '' })))
    const unknown = distros.filter((distro) => distro !== 'other' && !known.has(distro))
    expect([...unknown].sort()).toEqual(byNameAlone.sort())
  })

  test('take no time for hostile identifiers', () => {
    for (const part of ['a', '1', '-', ' ', 'Fedora-', 'RHEL-', 'x86_64 ', '1.', 'openSUSE-DVD-Build'])
      for (const lead of ['', 'Fedora-', 'RHEL-', 'Ubuntu ', 'openSUSE-DVD-', 'ALT '])
        read({ volume: lead + part.repeat(40), publisher: 'ALT Linux', application: lead + part.repeat(128) })
  })
})
