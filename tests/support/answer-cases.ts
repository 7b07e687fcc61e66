import { centos7, debian12, guestWith, leap15, rocky9, treeWith, ubuntu2404 } from './answers.ts'

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4x admin "at" home'
const everything = {
  hostname: 'web01.example',
  timezone: 'Europe/Berlin',
  disk: 'vda',
  root_password: 'correct horse',
  ssh_keys: [key],
  users: [
    { name: 'ann', gecos: 'Ann "A" Other', groups: ['wheel'], password: 'pw', ssh_keys: [key] },
    { name: 'bob' },
  ],
  packages: ['vim-enhanced', 'tmux'],
  post: 'echo "a $HOME" > /etc/motd\necho "it\'s ]]> done"',
}

/**
 * A guest and a tree for each template that treeboot ships, with the least settings (`plain`) and with the most
 * (`full`). `pykickstart` is the version of the kickstart syntax by which ksvalidator judges the result.
 */
export const answerCases = [
  { golden: 'fedora-40-plain.ks', guest: guestWith('fedora.ks'), tree: treeWith({}), pykickstart: 'F40' },
  {
    golden: 'fedora-40-full.ks',
    guest: guestWith('fedora.ks', everything),
    tree: treeWith({}),
    pykickstart: 'F40',
  },
  {
    golden: 'fedora-21-keys.ks',
    guest: guestWith('fedora.ks', { ssh_keys: [key] }),
    tree: treeWith({ id: 'fedora-21', version: '21' }),
    pykickstart: 'F21',
  },
  {
    golden: 'rocky-9-static.ks',
    guest: guestWith(
      'fedora.ks',
      {
        gateway: '10.0.0.1',
        nameservers: ['10.0.0.2', '10.0.0.3'],
        filesystem: 'plain',
        selinux: 'permissive',
      },
      { ip: '10.0.0.7' },
    ),
    tree: rocky9,
    pykickstart: 'RHEL9',
  },
  {
    golden: 'rocky-9-ipv6.ks',
    guest: guestWith(
      'fedora.ks',
      { gateway: '2001:db8:5::1', nameservers: ['2001:db8:5::53'] },
      { ip: '2001:db8:5::17' },
    ),
    tree: rocky9,
    pykickstart: 'RHEL9',
  },
  {
    golden: 'alma-10-plain.ks',
    guest: guestWith('fedora.ks'),
    tree: { ...rocky9, id: 'alma-10', distro: 'alma' as const, family: 'AlmaLinux', version: '10.0' },
    pykickstart: 'RHEL10',
  },
  {
    golden: 'centos-7-full.ks',
    guest: guestWith('fedora.ks', everything),
    tree: centos7,
    pykickstart: 'RHEL7',
  },
  {
    golden: 'stream-8-partitions.ks',
    guest: guestWith('fedora.ks', {
      partitions: ['part /boot --fstype=xfs --size=1024', 'part / --fstype=xfs --grow --size=4096'],
    }),
    tree: {
      ...rocky9,
      id: 'stream-8',
      distro: 'centos-stream' as const,
      family: 'CentOS Stream',
      version: '8',
    },
    pykickstart: 'RHEL8',
  },
  { golden: 'debian-12-plain.preseed', guest: guestWith('debian.preseed'), tree: debian12 },
  { golden: 'debian-12-full.preseed', guest: guestWith('debian.preseed', everything), tree: debian12 },
  {
    golden: 'debian-12-crypto.preseed',
    guest: guestWith('debian.preseed', { filesystem: 'crypto', crypto_passphrase: 'correct horse' }),
    tree: debian12,
  },
  { golden: 'ubuntu-24.04-plain.user-data', guest: guestWith('ubuntu.user-data'), tree: ubuntu2404 },
  {
    golden: 'ubuntu-24.04-full.user-data',
    guest: guestWith('ubuntu.user-data', everything),
    tree: ubuntu2404,
  },
  { golden: 'leap-15.6-plain.autoyast.xml', guest: guestWith('suse.autoyast.xml'), tree: leap15 },
  { golden: 'leap-15.6-full.autoyast.xml', guest: guestWith('suse.autoyast.xml', everything), tree: leap15 },
]
