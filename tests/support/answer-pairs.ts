import type { VarValue } from '../../server/core/guest/guest.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import { centos7, debian12, leap15, rocky9, treeWith, ubuntu2404 } from './answers.ts'

/** The shipped templates with every var that they read, for tests of every var alone and of all pairs. */

type Vars = Readonly<Record<string, VarValue>>

export interface AnswerFamily {
  readonly template: string
  /** With the version of the kickstart syntax, for kickstarts. */
  readonly trees: readonly {
    readonly tree: Tree
    readonly syntax: string
    /** What this version does not have. */
    readonly without?: string
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
      },
      { name: 'bob', password_hash: '$6$salt$hash', groups: [], ssh_keys: [] },
    ],
  },
  'users, empty': { users: [] },
  packages: { packages: ['tmux', 'vim'] },
  'packages, empty': { packages: [] },
  post: { post: 'echo "a $HOME" > /etc/motd\necho "it\'s ]]> done" \\\n  again\n' },
}

const fedora = (version: string): Tree => treeWith({ id: `fedora-${version}`, version })

export const answerFamilies: readonly AnswerFamily[] = [
  {
    template: 'fedora.ks',
    trees: [
      { tree: fedora('21'), syntax: 'F21' },
      { tree: fedora('40'), syntax: 'F40' },
      { tree: centos7, syntax: 'RHEL7' },
      { tree: { ...rocky9, version: '8.10' }, syntax: 'RHEL8', without: 'btrfs' },
      { tree: rocky9, syntax: 'RHEL9', without: 'btrfs' },
      { tree: { ...rocky9, version: '10.0' }, syntax: 'RHEL10', without: 'btrfs' },
    ],
    settings: {
      ...common,
      disk: { disk: 'disk/by-id/ata-a_b' },
      'filesystem plain': { filesystem: 'plain' },
      'filesystem btrfs': { filesystem: 'btrfs' },
      partitions: { partitions: ['part / --fstype=xfs --grow --size=4096'] },
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
      },
    ],
    settings: {
      ...common,
      'filesystem direct': { filesystem: 'direct' },
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
      product: { product: 'SLE_HPC' },
    },
  },
]

/** No setting, each alone, and all pairs. Of a pair that sets one var twice, the second holds. */
export function combinations({ settings }: AnswerFamily): readonly { name: string; vars: Vars }[] {
  const all = Object.entries(settings)
  return [
    { name: 'no var', vars: {} },
    ...all.map(([name, vars]) => ({ name, vars })),
    ...all.flatMap(([name, vars], at) =>
      all.slice(at + 1).map(([other, more]) => ({ name: `${name} + ${other}`, vars: { ...vars, ...more } })),
    ),
  ]
}
