import {
  centos7,
  debian12,
  guestWith,
  leap15,
  leap16,
  rocky9,
  treeWith,
  ubuntu2404,
  withNetwork,
} from './answers.ts'

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4x admin "at" home'
const everything = {
  hostname: 'web01.example',
  timezone: 'Europe/Berlin',
  disk: 'vda',
  root_password: 'correct horse',
  ssh_keys: [key],
  users: [
    { name: 'ann', gecos: 'Ann "A" Other', groups: ['wheel'], password: 'pw', ssh_keys: [key], sudo: true },
    { name: 'bob', sudo: 'nopasswd' },
    { name: 'eve' },
  ],
  packages: ['vim-enhanced', 'tmux'],
  post: 'echo "a $HOME" > /etc/motd\necho "it\'s ]]> done"',
}

/** Every kind of interface, two families, name servers and search domains. */
const everyInterface = {
  nameservers: ['10.91.7.1', '2001:db8::53'],
  search: ['lab.example', 'example'],
  interfaces: [
    {
      vlan: 20,
      parent: 'bond0',
      address: ['10.91.20.7/25', '2001:db8:20::7/64'],
      gateway: ['10.91.20.1', 'fe80::1'],
    },
    { name: 'bond0', bond: { interfaces: ['eno1', '52:54:00:aa:bb:02'], mode: '802.3ad' as const } },
    { name: 'stor', mac: '52:54:00:aa:bb:03', address: ['192.168.5.7/24'] },
    { name: 'eno9', address: ['dhcp', 'auto6'] },
  ],
}
const oneAddress = {
  address: ['10.91.7.50/24'],
  gateway: ['10.91.7.254'],
  nameservers: ['10.91.7.1', '10.91.7.2'],
}
const oneIpv6 = {
  interface: 'eno1',
  address: ['2001:db8::7/64'],
  gateway: ['2001:db8::1'],
  search: ['lab.example'],
}

/**
 * A guest and a tree for each template that treeboot ships, with the least settings (`plain`) and with the most
 * (`full`). `syntax` is the version of kickstart's syntax, or of Agama's profile, by which the result is judged.
 */
export const answerCases = [
  { golden: 'fedora-40-plain.ks', guest: guestWith('fedora.ks'), tree: treeWith({}), syntax: 'F40' },
  {
    golden: 'fedora-40-full.ks',
    guest: guestWith('fedora.ks', everything),
    tree: treeWith({}),
    syntax: 'F40',
  },
  {
    golden: 'fedora-21-keys.ks',
    guest: guestWith('fedora.ks', { ssh_keys: [key] }),
    tree: treeWith({ id: 'fedora-21', version: '21' }),
    syntax: 'F21',
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
    syntax: 'RHEL9',
  },
  {
    golden: 'rocky-9-ipv6.ks',
    guest: guestWith(
      'fedora.ks',
      { gateway: '2001:db8:5::1', nameservers: ['2001:db8:5::53'] },
      { ip: '2001:db8:5::17' },
    ),
    tree: rocky9,
    syntax: 'RHEL9',
  },
  {
    golden: 'alma-10-plain.ks',
    guest: guestWith('fedora.ks'),
    tree: { ...rocky9, id: 'alma-10', distro: 'alma' as const, family: 'AlmaLinux', version: '10.0' },
    syntax: 'RHEL10',
  },
  {
    golden: 'centos-7-full.ks',
    guest: guestWith('fedora.ks', everything),
    tree: centos7,
    syntax: 'RHEL7',
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
    syntax: 'RHEL8',
  },
  { golden: 'debian-12-plain.preseed', guest: guestWith('debian.preseed'), tree: debian12 },
  { golden: 'debian-12-full.preseed', guest: guestWith('debian.preseed', everything), tree: debian12 },
  {
    golden: 'debian-12-crypto.preseed',
    guest: guestWith('debian.preseed', { filesystem: 'crypto', crypto_passphrase: 'correct horse' }),
    tree: debian12,
  },
  {
    golden: 'debian-12-https.preseed',
    guest: guestWith('debian.preseed', {
      mirror_url: 'https://deb.debian.org/debian',
      proxy: 'http://proxy.example:3128',
      // As YAML's block text ends.
      ssh_keys: [`${key}\n`],
    }),
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
  {
    golden: 'fedora-40-network.ks',
    guest: withNetwork(guestWith('fedora.ks'), everyInterface),
    tree: treeWith({}),
    syntax: 'F40',
  },
  {
    golden: 'rocky-9-network.ks',
    guest: withNetwork(guestWith('fedora.ks'), oneAddress),
    tree: rocky9,
    syntax: 'RHEL9',
  },
  {
    golden: 'debian-12-network.preseed',
    guest: withNetwork(guestWith('debian.preseed'), { ...oneAddress, search: ['lab.example'] }),
    tree: debian12,
  },
  {
    golden: 'debian-12-ipv6.preseed',
    guest: withNetwork(guestWith('debian.preseed'), oneIpv6),
    tree: debian12,
  },
  {
    golden: 'ubuntu-24.04-network.user-data',
    guest: withNetwork(guestWith('ubuntu.user-data'), everyInterface),
    tree: ubuntu2404,
  },
  {
    golden: 'ubuntu-24.04-ipv6.user-data',
    guest: withNetwork(guestWith('ubuntu.user-data'), oneIpv6),
    tree: ubuntu2404,
  },
  {
    golden: 'leap-15.6-network.autoyast.xml',
    guest: withNetwork(guestWith('suse.autoyast.xml'), everyInterface),
    tree: leap15,
  },
  {
    golden: 'leap-15.6-static.autoyast.xml',
    guest: withNetwork(guestWith('suse.autoyast.xml'), oneAddress),
    tree: leap15,
  },
  { golden: 'leap-16.0-plain.agama.json', guest: guestWith('suse.agama.json'), tree: leap16, syntax: '16.0' },
  {
    golden: 'leap-16.0-full.agama.json',
    guest: guestWith('suse.agama.json', { ...everything, filesystem: 'xfs', ssh_keys: [key, `${key} too`] }),
    tree: leap16,
    syntax: '16.0',
  },
  {
    golden: 'sles-16.1-network.agama.json',
    guest: withNetwork(guestWith('suse.agama.json', { proxy: 'http://proxy.example:3128' }), everyInterface),
    tree: treeWith({ ...leap16, distro: 'sles', family: 'SLES', version: '16.1' }),
    syntax: '16.1',
  },
  {
    golden: 'leap-16.0-static.agama.json',
    guest: withNetwork(guestWith('suse.agama.json'), { ...oneAddress, search: ['lab.example'] }),
    tree: leap16,
    syntax: '16.0',
  },
]
