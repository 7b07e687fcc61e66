import { versionOfCodename } from '../tree/version.ts'

/**
 * How the volume descriptors of discs name what is on them: a rule for each form that those who master discs use.
 * docs/formats/volume-descriptor.md says where the facts are from.
 */
export interface VolumeRule {
  /** What `Description.family` says of such a disc. */
  readonly family: string
  /** The identifier that `pattern` is for. Left out: the volume identifier. */
  readonly from?: 'volume' | 'application'
  /**
   * Matches the identifier, in which a blank stands in the place of each architecture. Groups: `version` and
   * `variant`.
   */
  readonly pattern: RegExp
  /** A further condition: this must match the publisher. */
  readonly publisher?: RegExp
  /** Makes the version of what the group `version` has; '' where the disc has no such group. */
  readonly readVersion?: (found: string) => string
  /** What the group `variant` stands for. */
  readonly variants?: Readonly<Record<string, string>>
  /** Architectures that only these discs spell so, in lower case. */
  readonly archs?: Readonly<Record<string, string>>
}

/**
 * The versions of discs of Enterprise Linux: `9-4-0` of RHEL-9-4-0-BaseOS-x86_64, `8_10`, `7.9`. They have a dash for
 * each dot, and `_` on POWER. RHEL and Oracle Linux count a third number that no other text of theirs has.
 */
function dotted(found: string): string {
  return found.replace(/[-_]/g, '.').replace(/^(\d+\.\d+)\.0$/, '$1')
}

/** `SLE-15-SP4` is 15.4, as its `.treeinfo` says. */
function servicePack(found: string): string {
  return found.replace(/[ -]?SP/i, '.')
}

/**
 * A rule for discs of a distribution built from Enterprise Linux. Words
 * may stand between name and version: `Rocky-KDE-9-0`.
 */
function el(family: string, name: string, more: Partial<VolumeRule> = {}): VolumeRule {
  const version = '(?<version>\\d{1,2}(?:[-_.]\\d{1,4}){0,2})(?!\\d)'
  const pattern = new RegExp(`^(?:${name})(?:[-_/ ]\\D*)?${version}`)
  return { family, pattern, readVersion: dotted, ...more }
}

const enterpriseLinux: readonly VolumeRule[] = [
  {
    family: 'Red Hat Enterprise Linux',
    pattern: /^RHEL\/(?<version>\d-U\d)/,
    readVersion: (found) => found.replace('-U', '.'),
  },
  el('Red Hat Enterprise Linux', 'RHEL|Red Hat Enterprise Linux'),
  // Atomic Host, all of them 7, filled the 32 characters with its name.
  {
    family: 'Red Hat Enterprise Linux',
    pattern: /^Red Hat Enterprise Linux Atomic/i,
    readVersion: () => '7',
  },
  // Red Hat's first preview for ARM servers: its version 1.5 became RHEL 7.
  el('Red Hat Enterprise Linux', 'RHELSA', {
    readVersion: (found) => (found.startsWith('1') ? '7.0' : dotted(found)),
  }),
  el('Oracle Linux', 'OL(?=-?\\d)'),
  // The first discs of CentOS Stream have no version, and all of them are 8.
  { family: 'CentOS Stream', pattern: /^CentOS[-_]Stream[-_]BaseOS/i, readVersion: () => '8' },
  el('CentOS Stream', 'CentOS[-_ ]Stream'),
  el('CentOS', 'CentOS[-_ ]Linux|CentOS(?![-_ ]Stream)'),
  { family: 'CentOS', pattern: /^CentOS$/i },
  el('Rocky Linux', 'Rocky(?=-)'),
  el('AlmaLinux', 'AlmaLinux'),
  el('Circle Linux', 'Circle(?=-\\d)'),
  el('EuroLinux', 'EL(?=-\\d)|EuroLinux'),
  el('MIRACLE LINUX', 'MIRACLE[- ]LINUX'),
  {
    family: 'Asianux',
    pattern: /^Asianux[- ]Server[- ](?<version>\d+(?:\.\d+| SP\d)?)/i,
    readVersion: servicePack,
  },
  el('Anolis OS', 'anolis|AnolisOS'),
  // SL-73-x86_64-LiveDVDkde
  {
    family: 'Scientific Linux',
    pattern: /^SL-(?<version>\d\d)-/,
    readVersion: (found) => `${found[0]}.${found[1]}`,
  },
  { family: 'openEuler', pattern: /^openEuler-(?<version>\d+\.\d+(?:-LTS)?(?:-SP\d)?)/i },
]

/** The short names of Fedora's variants on its discs. */
const fedoraVariants = {
  S: 'Server',
  E: 'Everything',
  WS: 'Workstation',
  C: 'Cloud',
  SB: 'Silverblue',
  AW: 'AtomicWorkstation',
  WSOstree: 'WorkstationOstree',
  KDE: 'KDE',
}

/** 23_B is the beta of 23, and `rawh` is all that fits of Rawhide. */
function fedoraVersion(found: string): string {
  return /^rawh/i.test(found) ? 'Rawhide' : found.replace(/_B$/i, '_Beta')
}

const fedora: readonly VolumeRule[] = [
  { family: 'Fedora CoreOS', pattern: /^fedora-coreos-(?<version>\d+)/i },
  // RHEL CoreOS counted versions of OpenShift until 4.18: 416.94 is 4.16.
  {
    family: 'Red Hat CoreOS',
    pattern: /^rhcos-(?<version>4\d\d?(?=\.\d\d\.)|\d+\.\d+)/i,
    readVersion: (found) => found.replace(/^4(?!\.)/, '4.'),
  },
  { family: 'Fedora ELN', pattern: /^Fedora-(?<version>ELN)\b/i },
  {
    family: 'Fedora',
    pattern:
      /^Fedora[-_ ](?:Live[-_ ])?(?:(?<variant>[A-Z]+[a-z]*)-)?(?:[^\d]*?[-_ ])?(?<version>\d+(?:_B)?(?![\d.])|rawh\w*)/i,
    readVersion: fedoraVersion,
    variants: fedoraVariants,
  },
  { family: 'Fedora', pattern: /^FC[-/]?(?<version>\d+)\b/ },
  { family: 'Fedora', pattern: /^F(?<version>\d+)-.*Live/ },
  // Fedora Core for POWER says it here alone.
  { family: 'Fedora', from: 'application', pattern: /^FC[-/](?<version>\d+)\b/ },
]

const debian: readonly VolumeRule[] = [
  // Long names are shortened to 32 characters: p64el is ppc64el.
  {
    family: 'Debian',
    pattern: /^(?:Debian|d-live) (?<version>\d+(?:\.\d+)*|[a-z]{3,})\b/,
    readVersion: (found) => versionOfCodename(found) ?? found,
    archs: { p64el: 'ppc64el' },
  },
  { family: 'Univention Corporate Server', pattern: /^UCS (?<version>\d+\.\d+)/ },
  { family: 'PureOS', pattern: /^PureOS (?<version>\d+(?:\.\d+)?)/ },
  {
    family: 'Endless OS',
    pattern: /^Endless-OS-(?<version>\d+-\d+-\d+)/,
    readVersion: (found) => found.replaceAll('-', '.'),
  },
]

const ubuntu: readonly VolumeRule[] = [
  // An architecture is cut to five characters.
  {
    family: 'Ubuntu',
    pattern: /^(?:[A-Z][a-z]?|Ed)?[uU]buntu(?:[- ](?<variant>[A-Z]\w+))*[- ](?<version>\d+\.\d+(?:\.\d+)*)/,
    variants: { Server: 'Server' },
    archs: { ppc64: 'ppc64el', riscv: 'riscv64', sparc: 'sparc64' },
  },
  { family: 'Pop!_OS', pattern: /^Pop_OS (?<version>\d+\.\d+)/ },
  { family: 'elementary OS', pattern: /^elementary OS (?<version>\d+(?:\.\d+)*)/ },
  { family: 'Trisquel', pattern: /^trisk?q?u?el(?:-\w+)? (?<version>\d+(?:\.\d+)*)/i },
]

/** The products of SUSE, as its discs name them: in the volume identifier, and whole in the other. */
function suseProduct(family: string, pattern: RegExp, readVersion = servicePack): VolumeRule[] {
  return (['application', 'volume'] as const).map((from) => ({ family, from, pattern, readVersion }))
}

/** The DVDs of openSUSE before 12.3 name only their build. These were released. */
const openSuseBuilds: Readonly<Record<string, string>> = {
  '0702': '11.3',
  '0024': '11.4',
  '0039': '12.1',
  '0167': '12.2',
}

const suse: readonly VolumeRule[] = [
  ...suseProduct('SUSE Linux Enterprise Micro', /^(?:SLE?-Micro|SUSE-MicroOS)-(?<version>\d+\.\d+)/),
  ...suseProduct(
    'SUSE Linux Enterprise Desktop',
    /^SLED?-(?<version>\d+(?:-SP\d)?)(?:(?<=^SLED.*)|-Desktop)/,
  ),
  ...suseProduct(
    'SUSE Linux Enterprise Server',
    /^SLES?-(?<version>\d+(?:-SP\d|\.\d+)?)(?:(?<=^SLES.*)|-Server)/,
  ),
  ...suseProduct('SUSE Linux Enterprise', /^(?:Install-SUSE-)?SLE-(?<version>\d+(?:-SP\d|\.\d+)?)/),
  ...suseProduct('SUSE CaaS Platform', /^SUSE-CaaS-Platform-(?<version>\d+\.\d+)/),
  ...suseProduct('openSUSE MicroOS', /^openSUSE-(?<version>MicroOS)\b/, () => 'tumbleweed'),
  ...suseProduct('openSUSE', /^openSUSE[-_ ](?<version>Tumbleweed|Kubic)\b/, () => 'tumbleweed'),
  ...suseProduct(
    'openSUSE',
    /^(?:Install-)?(?:openSUSE[-_ ])?(?:Leap[-_ ])(?:Micro[-_ ])?(?<version>\d+\.\d+)/,
  ),
  ...suseProduct('openSUSE', /^openSUSE[-_ ](?<version>\d+\.\d+)/),
  {
    family: 'openSUSE',
    from: 'application',
    pattern: /^openSUSE-DVD-.*Build(?<version>\d{4})/,
    readVersion: (found) => openSuseBuilds[found] ?? '',
  },
]

/** The version of ALT stands in either identifier: `ALT Server 10.0 aarch64`, `8.2.0/I586`, `ALT p10 builder/i586`. */
const altVersion = /(?:^|[ /])(?<version>\d{1,2}\.\d+(?:\.\d+)?|p\d+|regular(?=-))/i
const altPublisher = /^"?(?:ALT ?Linux|BASEALT)/i
const readAlt = (found: string): string => (/^regular$/i.test(found) ? 'sisyphus' : found)

const alt: readonly VolumeRule[] = [
  { family: 'ALT', pattern: altVersion, publisher: altPublisher, readVersion: readAlt },
  { family: 'ALT', from: 'application', pattern: altVersion, publisher: altPublisher },
  { family: 'ALT', pattern: /^/, publisher: altPublisher },
]

/** Manjaro writes its version without dots: 2003 is 20.0.3. */
function manjaroVersion(found: string): string {
  return [found.slice(0, 2), ...found.slice(2)].join('.')
}

const others: readonly VolumeRule[] = [
  {
    family: 'Alpine Linux',
    pattern: /^alpine-(?<variant>\w+) (?<version>\d+\.\d+(?:\.\d+)?(?:_\w+)?)/,
    archs: { x86: 'x86' },
  },
  {
    family: 'Arch Linux',
    pattern: /^ARCH_(?<version>20\d{4})/,
    readVersion: (found) => `${found.slice(0, 4)}.${found.slice(4)}`,
  },
  { family: 'Manjaro', pattern: /^MANJARO_[A-Z]+_(?<version>\d{3,4})/, readVersion: manjaroVersion },
  { family: 'Mageia', pattern: /^Mageia-(?:[a-z]+-)?(?<version>\d+(?:\.\d+)?)/i },
  { family: 'Mageia', pattern: /^(?:Livecd-)?(?<version>\d+)-/, publisher: /^Mageia/i },
  { family: 'NixOS', pattern: /^nixos-\w+-(?<version>\d+\.\d+)/ },
  { family: 'Guix', pattern: /^GUIX_(?:\W*-?LINUX_(?<version>\d+(?:\.\d+)+)?|IMAGE)/ },
  { family: 'Hyperbola', pattern: /^HYPER_v0(?<version>\d)/, readVersion: (found) => `0${found}` },
  {
    family: 'Slackware',
    from: 'application',
    pattern: /^Slackware(?:64)? (?<version>\d+\.\d+)/,
    archs: { slackware: 'i586', slackware64: 'x86_64' },
  },
  {
    family: 'Slackware',
    publisher: /^Slackware Linux/,
    pattern: /^S(?:lack)?(?<version>\d+(?:[._]\d+)?)(?:d\d|DVD)$/,
    readVersion: (found) => found.replace('_', '.'),
  },
  { family: 'Slackware', pattern: /^SlackDVD$/ },
  { family: 'Gentoo', pattern: /^gentoo[- ]/i, archs: { x86: 'x86' } },
  { family: 'Void Linux', pattern: /^VOID_LIVE$/ },
  { family: 'Clear Linux', pattern: /^CLR_ISO$/ },
  { family: 'Solus', pattern: /^SolusLive/ },
  { family: 'Android-x86', pattern: /^Android-x86/ },
  {
    family: 'GNOME',
    pattern: /^GNOME(?<version>\d\d)-LiveCD/,
    readVersion: (found) => `${found[0]}.${found[1]}`,
  },
]

/** Of all families. The order counts within one: the first rule of a family says what later ones may not change. */
export const volumeRules: readonly VolumeRule[] = [
  ...fedora,
  ...enterpriseLinux,
  ...debian,
  ...ubuntu,
  ...suse,
  ...alt,
  ...others,
]
