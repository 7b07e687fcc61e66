import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bootImagesIn } from '../../../server/core/distro/layouts.ts'
import { sameArch } from '../../../server/core/tree/arch.ts'
import { concludeTree } from '../../../server/core/tree/conclude.ts'
import type { Description } from '../../../server/core/tree/tree.ts'
import { parseVersion } from '../../../server/core/tree/version.ts'
import { identifyVolume, type VolumeIds } from '../../../server/core/tree/volume-ids.ts'

/** Real discs, without any descriptor file: what their volume descriptors, boot files and names say. */

const fixture = join(import.meta.dirname, '../../fixtures/media/discs.tsv')
const [head = '', ...lines] = readFileSync(fixture, 'utf8').trimEnd().split('\n')

interface Disc {
  readonly distro: string
  readonly version: string
  readonly arch: string
  readonly kernel: string
  readonly initrd: string
  readonly file: string
  readonly ids: VolumeIds
}

const discs = lines.map((line): Disc => {
  const cells = line.split('\t')
  const of = (column: string) => cells[head.split('\t').indexOf(column)] ?? ''
  const [volume, system, publisher, application] = ['volume', 'system', 'publisher', 'application'].map(of)
  return {
    distro: of('distro'),
    version: of('version'),
    arch: of('arch'),
    kernel: of('kernel'),
    initrd: of('initrd'),
    file: of('file'),
    ids: {
      volume: volume ?? '',
      system: system ?? '',
      publisher: publisher ?? '',
      application: application ?? '',
    },
  }
})

/** osinfo-db's name of a distribution -> the families that its discs may have. */
const families: Readonly<Record<string, readonly string[]>> = {
  almalinux: ['AlmaLinux'],
  alpinelinux: ['Alpine Linux'],
  alt: ['ALT'],
  altlinux: ['ALT'],
  'android-x86': ['Android-x86'],
  anolis: ['Anolis OS'],
  asianux: ['Asianux'],
  caasp: ['SUSE CaaS Platform'],
  centos: ['CentOS', 'CentOS Stream'],
  circle: ['Circle Linux'],
  clearlinux: ['Clear Linux'],
  debian: ['Debian'],
  elementaryos: ['elementary OS'],
  // The discs that osinfo-db lists are Red Hat's own, before EuroLinux renamed them.
  eurolinux: ['Red Hat Enterprise Linux'],
  fedora: ['Fedora'],
  gnome: ['GNOME'],
  'guix-system': ['Guix'],
  hyperbola: ['Hyperbola'],
  mageia: ['Mageia'],
  miraclelinux: ['MIRACLE LINUX'],
  nixos: ['NixOS'],
  ol: ['Oracle Linux'],
  opensuse: ['openSUSE', 'openSUSE MicroOS'],
  popos: ['Pop!_OS'],
  pureos: ['PureOS'],
  rhel: ['Red Hat Enterprise Linux'],
  rocky: ['Rocky Linux'],
  slackware: ['Slackware'],
  sle: ['SUSE Linux Enterprise'],
  sled: ['SUSE Linux Enterprise Desktop'],
  slem: ['SUSE Linux Enterprise Micro'],
  sles: ['SUSE Linux Enterprise Server'],
  solus: ['Solus'],
  trisquel: ['Trisquel'],
  ubuntu: ['Ubuntu'],
  ucs: ['Univention Corporate Server'],
}

/** Where osinfo-db and the disc do not agree, or the disc does not say it: volume identifier -> reason. */
const otherVersion: Readonly<Record<string, string>> = {
  'ALT education/x86_64': 'names no version',
  ISOIMAGE: 'names no version',
  Server: 'names no version',
  '"Desktop"': 'names no version',
  'Android-x86 LiveCD': 'names no version',
  GUIX_IMAGE: 'names no version',
  SlackDVD: 'names no version since 15.0',
  'nixos-graphical-26.05-x86_64': 'osinfo-db calls the version that is being made "unstable"',
  'nixos-minimal-26.05-x86_64': 'osinfo-db calls the version that is being made "unstable"',
  'openSUSE-MicroOS-DVD-x86_64': 'osinfo-db repeats the name of the product, which rolls with Tumbleweed',
}
const otherArch: Readonly<Record<string, string>> = {
  RED_HAT: 'the kernel is that of 64-bit Macs',
  'SLE-15-Installer-DVD-ppc64le.001': 'osinfo-db says ppc64',
  'SLE-15-SP1-Installer-DVD-ppc.001': 'osinfo-db says ppc64',
  'SLE-15-SP6-Online-ppc64le92..001': 'osinfo-db says ppc64',
  'SLE-12-SP2-Server-DVD-ppc64le219': 'osinfo-db says ppc64',
  'SLE-12-SP4-Server-DVD-ppc64le045': 'osinfo-db says ppc64',
}

function conclude({ ids, kernel, initrd }: Disc, name: string): Description | undefined {
  const sizes = new Map([kernel, initrd].map((path): [string, number] => [path, 1]))
  return concludeTree({ name, volume: ids, descriptors: new Map(), sizes, modifiedMs: 0, problems: [] })
}

function isSameMajor(version: string, expected: string): boolean {
  const [one, other] = [parseVersion(version), parseVersion(expected)]
  return one.numbers[0] === other.numbers[0] && one.rolling === other.rolling
}

/** Whether only the header of its kernel tells the architecture of a disc. */
function saysNoArch({ ids, kernel, initrd }: Disc): boolean {
  return !identifyVolume(ids)?.arch && bootImagesIn([kernel, initrd], '').arch === ''
}

/** The volume identifiers of the discs for which a test fails, each once, without those whose reason is known. */
function failing(isRight: (disc: Disc, at: number) => boolean, known: readonly string[]): string[] {
  const wrong = discs.filter((disc, at) => !isRight(disc, at)).map(({ ids }) => ids.volume)
  return [...new Set(wrong)].filter((id) => !known.includes(id)).sort()
}

describe('790 real discs', () => {
  test('were read', () => {
    expect(discs).toHaveLength(790)
  })

  test.each([
    ['a neutral file name', (_disc: Disc, at: number) => `m${at}`, Object.keys(otherVersion)],
    // The file name tells the version of those which name none, unless it is of another release.
    [
      'their own file names',
      ({ file }: Disc, at: number) => `n${at}/${file.replace(/\.iso$/i, '')}`,
      Object.keys(otherVersion).filter((id) => /Android|nixos|MicroOS/.test(id)),
    ],
  ])('with %s: family, version and arch are right but for those named here', (_what, nameOf, versions) => {
    const concluded = discs.map((disc, at) => conclude(disc, nameOf(disc, at)))
    const hasFamily = ({ distro }: Disc, at: number) =>
      families[distro]?.includes(concluded[at]?.family ?? '') ?? false
    expect(failing(hasFamily, [])).toEqual([])
    const hasMajor = ({ version }: Disc, at: number) => isSameMajor(concluded[at]?.version ?? '', version)
    expect(failing(hasMajor, versions)).toEqual([])
    const hasArch = (disc: Disc, at: number) =>
      saysNoArch(disc) || sameArch(concluded[at]?.arch ?? '', disc.arch)
    expect(failing(hasArch, Object.keys(otherArch))).toEqual([])
    for (const isRight of [hasFamily, hasMajor, hasArch])
      expect(discs.filter(isRight).length / discs.length).toBeGreaterThanOrEqual(0.98)
  })

  test('fewer than one in ten leaves its architecture to the header of its kernel', () => {
    expect(discs.filter(saysNoArch).length).toBeLessThan(discs.length / 10)
  })
})
