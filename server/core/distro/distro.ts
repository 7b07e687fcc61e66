import { compareVersions } from '../tree/version.ts'

/** Which installer reads the answer file, and so how its arguments are spelled. */
export type Installer =
  | 'anaconda'
  | 'debian-installer'
  | 'subiquity'
  | 'autoyast'
  | 'agama'
  | 'drakx'
  | 'coreos'
  | 'unknown'

interface DistroFacts {
  /** As people write it. */
  readonly name: string
  readonly installer: Installer
  /** What a family in a descriptor looks like, lower case. The first distribution of the table that fits is it. */
  readonly family: RegExp
  /** Other names that people type, lower case, without spaces, dashes and underscores. */
  readonly aliases: readonly string[]
}

/** Order matters: `CentOS Stream` before `CentOS`, `Red Hat Enterprise Linux` before anything with `Linux Enterprise`. */
const table = {
  coreos: facts('Fedora CoreOS', 'coreos', /core ?os/, 'fedoracoreos', 'fcos', 'rhcos'),
  eln: facts('Fedora ELN', 'anaconda', /fedora.*\beln\b|^eln\b/, 'fedoraeln'),
  fedora: facts('Fedora', 'anaconda', /fedora/, 'fedoralinux', 'fedoracore', 'fc', 'f'),
  rhel: facts(
    'Red Hat Enterprise Linux',
    'anaconda',
    /red ?hat enterprise|\brhel\b/,
    'redhat',
    'redhatenterpriselinux',
    'el',
  ),
  'redhat-linux': facts('Red Hat Linux', 'anaconda', /red hat linux/, 'rhl'),
  'centos-stream': facts('CentOS Stream', 'anaconda', /\bcentos[ -]?stream/, 'stream', 'centosstreamlinux'),
  centos: facts('CentOS', 'anaconda', /\bcentos/, 'centoslinux'),
  rocky: facts('Rocky Linux', 'anaconda', /rocky/, 'rockylinux'),
  alma: facts('AlmaLinux', 'anaconda', /alma ?linux|\balma\b/, 'almalinux', 'almalinuxos', 'almalinuxkitten'),
  oracle: facts(
    'Oracle Linux',
    'anaconda',
    /oracle|^enterprise linux/,
    'oraclelinux',
    'ol',
    'oel',
    'oraclelinuxserver',
  ),
  scientific: facts('Scientific Linux', 'anaconda', /scientific/, 'scientificlinux', 'sl'),
  eurolinux: facts('EuroLinux', 'anaconda', /euro ?linux/),
  circle: facts('Circle Linux', 'anaconda', /circle/, 'circlelinux'),
  miracle: facts('MIRACLE LINUX', 'anaconda', /miracle|asianux/, 'miraclelinux', 'asianux'),
  navy: facts('Navy Linux', 'anaconda', /navy/, 'navylinux'),
  springdale: facts('Springdale Linux', 'anaconda', /springdale|puias/, 'springdalelinux', 'puias'),
  virtuozzo: facts('Virtuozzo Linux', 'anaconda', /virtuozzo|vzlinux|openvz/, 'virtuozzolinux', 'vzlinux'),
  alinux: facts('Alibaba Cloud Linux', 'anaconda', /alibaba|aliyun/, 'alibaba', 'alibabacloudlinux'),
  cloudlinux: facts('CloudLinux', 'anaconda', /cloud ?linux/, 'cloudlinuxos'),
  clearos: facts('ClearOS', 'anaconda', /clearos/),
  rels: facts('ROSA Enterprise Linux Server', 'anaconda', /\brels\b|\brosa\b/, 'rosa'),
  amazon: facts('Amazon Linux', 'anaconda', /amazon/, 'amazonlinux', 'amzn'),
  openeuler: facts('openEuler', 'anaconda', /open ?euler/, 'euler'),
  anolis: facts('Anolis OS', 'anaconda', /anolis/, 'anolisos'),
  tencentos: facts('TencentOS', 'anaconda', /tencent|opencloudos/, 'tencentosserver', 'opencloudos'),
  kylin: facts('Kylin', 'anaconda', /kylin|neokylin/, 'kylinlinux'),
  redstar: facts('Red Star OS', 'anaconda', /red ?star|붉은별/, 'redstaros'),
  xenserver: facts('XenServer', 'unknown', /xenserver|xcp-?ng|citrix/, 'xcpng', 'xcp', 'citrixhypervisor'),
  opensuse: facts(
    'openSUSE',
    'autoyast',
    /open ?suse/,
    'suse',
    'leap',
    'tumbleweed',
    'opensuseleap',
    'opensusetumbleweed',
  ),
  sled: facts(
    'SUSE Linux Enterprise Desktop',
    'autoyast',
    /enterprise[ -]desktop|\bsled\b|sle_?d/,
    'suselinuxenterprisedesktop',
  ),
  sles: facts(
    'SUSE Linux Enterprise Server',
    'autoyast',
    /enterprise[ -]server|\bsles|suse_sles/,
    'suselinuxenterpriseserver',
  ),
  sle: facts(
    'SUSE Linux Enterprise',
    'autoyast',
    /suse[ -]linux|\bsle\b|\bsuse\b|^sle_/,
    'suselinuxenterprise',
    'slefull',
  ),
  kali: facts('Kali Linux', 'debian-installer', /kali/, 'kalilinux'),
  devuan: facts('Devuan', 'debian-installer', /devuan/),
  proxmox: facts('Proxmox', 'unknown', /proxmox/, 'pve', 'proxmoxve'),
  ubuntu: facts(
    'Ubuntu',
    'subiquity',
    /ubuntu/,
    'xubuntu',
    'kubuntu',
    'lubuntu',
    'ubuntuserver',
    'ubuntulinux',
  ),
  debian: facts('Debian', 'debian-installer', /debian/, 'debiangnulinux', 'debianlinux'),
  mint: facts('Linux Mint', 'unknown', /\bmint\b/, 'linuxmint'),
  mageia: facts('Mageia', 'drakx', /mageia/),
  arch: facts('Arch Linux', 'unknown', /\barch ?linux\b/, 'archlinux'),
  alt: facts('ALT', 'unknown', /\balt\b/, 'altlinux', 'basealt'),
  alpine: facts('Alpine Linux', 'unknown', /alpine/, 'alpinelinux'),
  other: facts('other', 'unknown', /^$/),
} as const

/**
 * The distributions that treeboot tells apart, as `distro:` in config.yaml and in a lookup. The name decides
 * spelling of installer arguments and defaults; `other` is any tree that boots but that nobody taught us about.
 */
export type Distro = keyof typeof table

export const distros = Object.keys(table) as readonly Distro[]

function facts(name: string, installer: Installer, family: RegExp, ...aliases: string[]): DistroFacts {
  return { name, installer, family, aliases }
}

/** Which distribution a tree is, by what its descriptor says of itself. */
export function distroOf(tree: { family: string; version: string; variant: string }): Distro {
  const family = tree.family.trim().toLowerCase()
  if (family === '') return 'other'
  const version = tree.version.trim().toLowerCase()
  for (const distro of distros) {
    if (!table[distro].family.test(family)) continue
    if (distro === 'fedora' && version === 'eln') return 'eln'
    if (distro === 'fedora' && /core ?os/i.test(tree.variant)) return 'coreos'
    // CentOS Linux ended with 8; from 9 on there is only Stream, whatever the descriptor calls it.
    if (distro === 'centos' && (version.includes('stream') || compareVersions(version, '9') >= 0))
      return 'centos-stream'
    return distro
  }
  return 'other'
}

/**
 * The installer that a tree starts. Ubuntu changed to Subiquity with its live-server images and SUSE to Agama with
 * 16; the kernel's path settles Ubuntu's years with both (`casper/` is Subiquity).
 */
export function installerOf(distro: Distro, version: string, kernel?: string): Installer {
  if (distro === 'ubuntu') {
    if (kernel) return /(^|\/)casper\//.test(kernel) ? 'subiquity' : 'debian-installer'
    return compareVersions(version, '20.04') < 0 ? 'debian-installer' : 'subiquity'
  }
  if (distro === 'opensuse' || distro === 'sles' || distro === 'sled' || distro === 'sle') {
    // openSUSE Leap once counted 42.1 to 42.3, before 15.0.
    const agama = /^\d/.test(version) && compareVersions(version, '16') >= 0 && !version.startsWith('42')
    return agama ? 'agama' : 'autoyast'
  }
  return table[distro].installer
}

export function distroName(distro: Distro): string {
  return table[distro].name
}

const byAlias = new Map<string, Distro>()
for (const distro of distros)
  for (const alias of [squeeze(distro), squeeze(table[distro].name), ...table[distro].aliases])
    byAlias.set(alias, byAlias.get(alias) ?? distro)

function squeeze(text: string): string {
  return text.toLowerCase().replace(/[\s_.-]+/g, '')
}

/** The distribution that an operator means: `Fedora`, `redhat`, `Alma Linux`, `suse`; undefined when we know none of that name. */
export function parseDistro(text: string): Distro | undefined {
  return byAlias.get(squeeze(text))
}
