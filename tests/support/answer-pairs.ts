import type { VarValue } from '../../server/core/guest/guest.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import { centos7, debian12, leap15, leap16, rocky9, treeWith, ubuntu2404 } from './answers.ts'

/** The shipped templates with every var that they read, for tests of every var alone and of all pairs. */

type Vars = Readonly<Record<string, VarValue>>

export interface AnswerFamily {
  readonly template: string
  /** With the version of the kickstart syntax, for kickstarts. */
  readonly trees: readonly {
    readonly tree: Tree
    readonly syntax: string
    /** Settings with a value that this version does not have: their files are refused. */
    readonly refuses?: readonly string[]
  }[]
  /** One entry for each var, or for each value of it that leads to other text; some vars need others. */
  readonly settings: Readonly<Record<string, Vars>>
}

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4x "ann"\'s key\n'

const common: AnswerFamily['settings'] = {
  hostname: { hostname: 'web01.example.org' },
  timezone: { timezone: 'Europe/Berlin' },
  lang: { lang: 'de_DE.UTF-8' },
  keyboard: { keyboard: 'de' },
  root_password_hash: { root_password_hash: '$6$salt$hash' },
  root_password: { root_password: 'correct "horse" \\ $x' },
  // One: pykickstart warns of a second key for one user, and takes it.
  ssh_keys: { ssh_keys: [key] },
  'ssh_keys, empty': { ssh_keys: [] },
  users: {
    users: [
      {
        name: 'ann',
        gecos: 'Ann "A" <Other> & Co',
        groups: ['adm', 'sudo'],
        password: 'p"w',
        ssh_keys: [key],
        sudo: true,
      },
      { name: 'bob', password_hash: '$6$salt$hash', groups: [], ssh_keys: [], sudo: 'nopasswd' },
    ],
  },
  'users, empty': { users: [] },
  packages: { packages: ['tmux', 'vim'] },
  'packages, empty': { packages: [] },
  post: { post: 'echo "a $HOME" > /etc/motd\necho "it\'s ]]> done" \\\n  again\n' },
}

const fedora = (version: number) => ({
  tree: treeWith({ id: `fedora-${version}`, version: String(version) }),
  syntax: `F${version}`,
})

const el = (version: string) => ({
  tree: { ...rocky9, version },
  syntax: `RHEL${version.split('.')[0]}`,
  refuses: ['filesystem btrfs', 'partitions btrfs'],
})

export const answerFamilies: readonly AnswerFamily[] = [
  {
    template: 'fedora.ks',
    trees: [
      // Each version since 18 whose syntax changed something that the template writes, and the newest.
      { ...fedora(18), refuses: ['filesystem thinp'] },
      ...[20, 21, 22, 28, 34, 40, 44].map(fedora),
      { tree: centos7, syntax: 'RHEL7' },
      ...['8.10', '9.4', '10.0'].map(el),
    ],
    settings: {
      ...common,
      disk: { disk: 'disk/by-id/ata-a_b' },
      'filesystem plain': { filesystem: 'plain' },
      'filesystem thinp': { filesystem: 'thinp' },
      'filesystem btrfs': { filesystem: 'btrfs' },
      partitions: { partitions: ['part / --fstype=xfs --grow --size=4096'] },
      'partitions btrfs': { partitions: ['part / --fstype=btrfs --grow --size=4096'] },
      gateway: { gateway: '10.0.0.1' },
      prefix: { prefix: 20 },
      nameservers: { nameservers: ['10.0.0.2', '10.0.0.3'] },
      'bootproto dhcp': { bootproto: 'dhcp' },
      services: { services: ['chronyd'] },
      selinux: { selinux: 'permissive' },
      after_install: { after_install: 'poweroff' },
    },
  },
  {
    template: 'debian.preseed',
    trees: [
      { tree: debian12, syntax: '' },
      { tree: treeWith({ ...debian12, id: 'debian-9', version: '9', codename: 'stretch' }), syntax: '' },
    ],
    settings: {
      ...common,
      domain: { domain: 'example.org' },
      disk: { disk: '/dev/nvme0n1' },
      'filesystem lvm': { filesystem: 'lvm' },
      'filesystem crypto': { filesystem: 'crypto', crypto_passphrase: 'correct # "horse"' },
      tasks: { tasks: [] },
      'mirror_url http': { mirror_url: 'http://deb.debian.org/debian' },
      'mirror_url https': { mirror_url: 'https://deb.debian.org/debian' },
      proxy: { proxy: 'http://proxy.example:3128' },
      suite: { suite: 'trixie' },
    },
  },
  {
    template: 'ubuntu.user-data',
    trees: [
      { tree: ubuntu2404, syntax: '' },
      {
        tree: treeWith({ ...ubuntu2404, id: 'ubuntu-20.04', version: '20.04', codename: 'focal' }),
        syntax: '',
        refuses: ['filesystem zfs'],
      },
    ],
    settings: {
      ...common,
      disk: { disk: 'nvme0n1' },
      'filesystem direct': { filesystem: 'direct' },
      'filesystem zfs': { filesystem: 'zfs' },
      mirror_url: { mirror_url: 'https://archive.ubuntu.com/ubuntu' },
      after_install: { after_install: 'poweroff' },
    },
  },
  {
    template: 'suse.autoyast.xml',
    trees: [
      { tree: leap15, syntax: '' },
      {
        tree: treeWith({ ...leap15, id: 'sles-15', distro: 'sles', family: 'SLES', version: '15.6' }),
        syntax: '',
      },
    ],
    settings: {
      ...common,
      disk: { disk: 'vda' },
      filesystem: { filesystem: 'xfs' },
      patterns: { patterns: [] },
      proxy: { proxy: 'http://proxy.example:3128/' },
      product: { product: 'SLE_HPC' },
    },
  },
  {
    template: 'suse.agama.json',
    trees: [
      { tree: leap16, syntax: '16.0', refuses: ['proxy'] },
      { tree: { ...leap16, id: 'leap-16.1', version: '16.1' }, syntax: '16.1' },
      {
        tree: treeWith({ ...leap16, id: 'sles-16', distro: 'sles', family: 'SLES' }),
        syntax: '16.0',
        refuses: ['proxy'],
      },
    ],
    settings: {
      ...common,
      'ssh_keys, two': { ssh_keys: [key, `${key.trim()} at home`] },
      disk: { disk: 'disk/by-id/ata-a_b' },
      filesystem: { filesystem: 'xfs' },
      patterns: { patterns: [] },
      proxy: { proxy: 'http://proxy.example:3128/' },
      product: { product: 'SLES_SAP' },
    },
  },
]

export interface Combination {
  readonly name: string
  readonly vars: Vars
  /** Those of its settings that hold. */
  readonly settings: readonly string[]
}

/** No setting, each alone, and all pairs. Of a pair that sets one var twice, the second holds. */
export function combinations({ settings }: AnswerFamily): readonly Combination[] {
  const all = Object.entries(settings)
  return [
    { name: 'no var', vars: {}, settings: [] },
    ...all.map(([name, vars]) => ({ name, vars, settings: [name] })),
    ...all.flatMap(([name, vars], at) =>
      all.slice(at + 1).map(([other, more]) => ({
        name: `${name} + ${other}`,
        vars: { ...vars, ...more },
        settings: Object.keys(vars).every((key) => Object.hasOwn(more, key)) ? [other] : [name, other],
      })),
    ),
  ]
}
