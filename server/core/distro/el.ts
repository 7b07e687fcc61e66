import { osinfoNames } from './osinfo.ts'
import type { DistroRecord, Family } from './record.ts'

/** The kernel of a live system has a number, since such a disc could hold several. */
const installer = [
  { installer: 'dmsquash-live', kernel: /^isolinux\/vmlinuz\d$/ },
  { installer: 'anaconda' },
] as const

/** The record of a distribution that is or was built from Enterprise Linux, and installs with anaconda. */
function clone<const More extends Partial<DistroRecord>>(
  name: string,
  family: RegExp,
  aliases: readonly string[] = [],
  more?: More,
) {
  return { name, family, aliases, installer, template: 'fedora.ks', osinfo, ...more } as const
}

/** That of Red Hat is the best known to osinfo-db, and its machines suit them all. Virtio came with 5.4. */
const osinfo = osinfoNames('rhel', ['3', '4.0', '5.0', '5.4', '6.0', '7.0', '8.0', '9.0'])

/** Fedora's macros name the folder after ID of os-release, and Red Hat's is `redhat`. */
const shimIn = <const Folder extends string>(folder: Folder) => ({ folder, shim: 'shim$cpu.efi' }) as const
const efi = <const Folder extends string>(folder: Folder) => ({ ...shimIn(folder), packaged: true }) as const

/**
 * For distributions whose version numbers do not compare with those of Enterprise Linux. All their versions
 * are newer than Enterprise Linux 6.
 */
const instPrefixSince = 'always'
const otherVersions = { instPrefixSince, osinfo: [['0', 'rhel8.0']] } as const

/**
 * Red Hat's distributions except Fedora, and the many that are built from their sources. More specific
 * patterns come first: CentOS Stream before CentOS, Red Hat Enterprise Linux before the bare `Enterprise
 * Linux`.
 */
export const el = {
  distros: {
    rhel: clone(
      'Red Hat Enterprise Linux',
      /red ?hat enterprise|\brhel\b/,
      ['redhat', 'redhatenterpriselinux', 'el'],
      { efi: efi('redhat') },
    ),
    'redhat-linux': clone('Red Hat Linux', /red hat linux/, ['rhl'], {
      instPrefixSince: 'never',
      osinfo: [],
    }),
    'centos-stream': clone('CentOS Stream', /\bcentos[ -]?stream/, ['stream', 'centosstreamlinux']),
    centos: clone('CentOS', /\bcentos/, ['centoslinux'], {
      // CentOS Linux ended with 8. From 9 on there is only Stream, whatever the descriptor calls it.
      exceptions: [
        { distro: 'centos-stream', version: /stream/ },
        { distro: 'centos-stream', since: '9' },
      ],
      covers: ['centos-stream'],
      efi: efi('centos'),
    }),
    rocky: clone('Rocky Linux', /rocky/, ['rockylinux'], { efi: efi('rocky') }),
    alma: clone(
      'AlmaLinux',
      /alma ?linux|\balma\b/,
      ['almalinux', 'almalinuxos', 'almalinuxkitten', 'kitten'],
      {
        efi: efi('almalinux'),
      },
    ),
    oracle: clone(
      'Oracle Linux',
      /oracle|^enterprise linux/,
      ['oraclelinux', 'ol', 'oel', 'oraclelinuxserver'],
      { efi: efi('oracle') },
    ),
    scientific: clone('Scientific Linux', /scientific/, ['scientificlinux', 'sl'], {
      efi: shimIn('scientific'),
    }),
    eurolinux: clone('EuroLinux', /euro ?linux/),
    circle: clone('Circle Linux', /circle/, ['circlelinux']),
    miracle: clone('MIRACLE LINUX', /miracle|asianux/, ['miraclelinux', 'asianux']),
    navy: clone('Navy Linux', /navy/, ['navylinux']),
    springdale: clone('Springdale Linux', /springdale|puias/, ['springdalelinux', 'puias']),
    virtuozzo: clone('Virtuozzo Linux', /virtuozzo|vzlinux|openvz/, ['virtuozzolinux', 'vzlinux'], {
      efi: shimIn('virtuozzo'),
    }),
    alinux: clone('Alibaba Cloud Linux', /alibaba|aliyun/, ['alibaba', 'alibabacloudlinux'], {
      ...otherVersions,
    }),
    cloudlinux: clone('CloudLinux', /cloud ?linux/, ['cloudlinuxos'], { efi: shimIn('cloudlinux') }),
    clearos: clone('ClearOS', /clearos/, [], otherVersions),
    rels: clone('ROSA Enterprise Linux Server', /\brels\b|\brosa\b/, ['rosa']),
    amazon: clone('Amazon Linux', /amazon/, ['amazonlinux', 'amzn'], {
      ...otherVersions,
      efi: shimIn('amzn'),
    }),
    openeuler: clone('openEuler', /open ?euler/, ['euler'], { efi: shimIn('openEuler') }),
    anolis: clone('Anolis OS', /anolis/, ['anolisos'], { efi: shimIn('anolis') }),
    tencentos: clone('TencentOS', /tencent|opencloudos/, ['tencentosserver', 'opencloudos'], {
      ...otherVersions,
    }),
    kylin: clone('Kylin', /kylin|neokylin/, ['kylinlinux'], otherVersions),
    redstar: clone('Red Star OS', /red ?star|붉은별/, ['redstaros']),
    // Built on CentOS, with an installer of its own that reads no kickstart.
    xenserver: {
      name: 'XenServer',
      aliases: ['xcpng', 'xcp', 'citrixhypervisor'],
      family: /xenserver|xcp-?ng|citrix/,
      installer: 'unknown',
    },
  },
} as const satisfies Family
