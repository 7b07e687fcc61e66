import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseVersion } from '../../server/core/tree/version.ts'
import type { VolumeIds } from '../../server/core/tree/volume-ids.ts'

/** Real discs, as osinfo-db describes them. */

const fixture = join(import.meta.dirname, '../fixtures/media/discs.tsv')
const [head = '', ...lines] = readFileSync(fixture, 'utf8').trimEnd().split('\n')

export interface Disc {
  /** As osinfo-db spells them. */
  readonly distro: string
  readonly version: string
  readonly arch: string
  readonly kernel: string
  readonly initrd: string
  readonly file: string
  readonly ids: VolumeIds
}

export const discs: readonly Disc[] = lines.map((line): Disc => {
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

export function isOfFamily({ distro }: Disc, family: string): boolean {
  return families[distro]?.includes(family) ?? false
}

/** Where osinfo-db and the disc do not agree, or the disc does not say it: volume identifier -> reason. */
export const otherVersion: Readonly<Record<string, string>> = {
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
export const otherArch: Readonly<Record<string, string>> = {
  RED_HAT: 'the kernel is that of 64-bit Macs',
  'SLE-15-Installer-DVD-ppc64le.001': 'osinfo-db says ppc64',
  'SLE-15-SP1-Installer-DVD-ppc.001': 'osinfo-db says ppc64',
  'SLE-15-SP6-Online-ppc64le92..001': 'osinfo-db says ppc64',
  'SLE-12-SP2-Server-DVD-ppc64le219': 'osinfo-db says ppc64',
  'SLE-12-SP4-Server-DVD-ppc64le045': 'osinfo-db says ppc64',
}

export function isSameMajor(version: string, expected: string): boolean {
  const [one, other] = [parseVersion(version), parseVersion(expected)]
  return one.numbers[0] === other.numbers[0] && one.rolling === other.rolling
}
