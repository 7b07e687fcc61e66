import { describe, expect, test } from 'vitest'
import { explainBoot } from '../../../server/core/boot/explain.ts'
import { formatCmdline } from '../../../server/core/boot/kernel-args.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import type { NetworkSettings } from '../../../server/core/guest/network.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import {
  debian12,
  fedora40,
  leap15,
  makeGuest,
  makeInputs,
  makeTree,
  rhel6,
  urls,
} from '../../support/boot-inputs.ts'

const web = 'http://192.0.2.1:8080'
const ubuntu = makeTree('u', {
  distro: 'ubuntu',
  version: '24.04',
  platforms: { x86_64: { kernel: 'casper/vmlinuz', initrd: 'casper/initrd', others: {} } },
})
const alpine = makeTree('alpine', {
  distro: 'alpine',
  platforms: { x86_64: { kernel: 'boot/vmlinuz-lts', initrd: 'boot/initramfs-lts', others: {} } },
})
const arch = makeTree('arch', {
  distro: 'arch',
  platforms: {
    x86_64: {
      kernel: 'arch/boot/x86_64/vmlinuz-linux',
      initrd: 'arch/boot/x86_64/initramfs-linux.img',
      others: {},
    },
  },
})
const mageia = makeTree('mga', { distro: 'mageia', version: '9' })
const coreos = makeTree('fcos', { distro: 'coreos' })
const sles11 = makeTree('sles11', { distro: 'sles', version: '11.4' })
const sles16 = makeTree('sles16', { distro: 'sles', version: '16.0' })

const byIpv6 = { http: 'http://[2001:db8::a]:8080', byIpv6: true } as const

/** What the installer of a tree is told of a network: the arguments that a guest without one does not get. */
function told(tree: Tree, network: NetworkSettings, more: Parameters<typeof makeGuest>[1] = {}): string {
  const cmdline = (wishes: Parameters<typeof makeGuest>[1]) => {
    const guest = makeGuest('web01', { template: 'x.ks', ...more, ...wishes })
    // What an installer is told, wherever treeboot is.
    const plan = planTree(tree, { urls: { ...urls, isGuess: true }, virt: 'hvm', guest })
    return plan.kind === 'install' ? plan.args : plan.why
  }
  const args = cmdline({ network })
  if (typeof args === 'string') return `refused: ${args}`
  const without = cmdline({})
  if (typeof without === 'string') throw new Error(without)
  const usual = new Set(without.map((arg) => formatCmdline([arg])))
  return formatCmdline(args.filter((arg) => !usual.has(formatCmdline([arg]))))
}

const common: NetworkSettings = {
  address: ['10.91.7.50/24'],
  gateway: ['10.91.7.254'],
  nameservers: ['10.91.7.1', '10.91.7.2'],
  search: ['lab.example'],
}

describe('a static address, for the card with the MAC of the guest', () => {
  test.each<[string, Tree, string]>([
    [
      'dracut',
      fedora40,
      'ip=10.91.7.50::10.91.7.254:255.255.255.0:web01:52-54-00-aa-bb-01:none nameserver=10.91.7.1 nameserver=10.91.7.2',
    ],
    [
      'Agama, by dracut',
      sles16,
      'ip=10.91.7.50::10.91.7.254:255.255.255.0:web01:52-54-00-aa-bb-01:none nameserver=10.91.7.1 nameserver=10.91.7.2',
    ],
    [
      'the loader of Enterprise Linux 6',
      rhel6,
      'ip=10.91.7.50 netmask=255.255.255.0 gateway=10.91.7.254 dns=10.91.7.1,10.91.7.2',
    ],
    [
      'netcfg',
      debian12,
      'interface=52:54:00:aa:bb:01 netcfg/disable_autoconfig=true netcfg/get_ipaddress=10.91.7.50 netcfg/get_netmask=255.255.255.0 netcfg/get_gateway=10.91.7.254 netcfg/get_nameservers="10.91.7.1 10.91.7.2" netcfg/confirm_static=true domain=lab.example',
    ],
    [
      'linuxrc',
      leap15,
      'ifcfg="52:54:00:aa:bb:01=10.91.7.50/24,10.91.7.254,10.91.7.1 10.91.7.2,lab.example"',
    ],
    [
      'linuxrc of SLE 11',
      sles11,
      'hostip=10.91.7.50/24 gateway=10.91.7.254 nameserver=10.91.7.1 netdevice=52:54:00:aa:bb:01',
    ],
    [
      'casper',
      ubuntu,
      'ip=10.91.7.50::10.91.7.254:255.255.255.0:web01::none:10.91.7.1:10.91.7.2 BOOTIF=01-52-54-00-aa-bb-01',
    ],
    [
      'Alpine',
      alpine,
      'ip=10.91.7.50::10.91.7.254:255.255.255.0:web01::none:10.91.7.1:10.91.7.2 BOOTIF=01-52-54-00-aa-bb-01',
    ],
    ['archiso', arch, 'ip=10.91.7.50::10.91.7.254:255.255.255.0 BOOTIF=01-52-54-00-aa-bb-01'],
    [
      'drakx',
      mageia,
      'automatic=method:http,interface:wired,network:static,ip:10.91.7.50,netmask:255.255.255.0,gateway:10.91.7.254,dns:10.91.7.1,server:192.0.2.1:8080,directory:/trees/mga',
    ],
  ])('%s', (_, tree, expected) => expect(told(tree, common)).toBe(expected))
})

describe('what each installer can be told', () => {
  const ipv6: NetworkSettings = {
    address: ['2001:db8::7/64'],
    gateway: ['fe80::1'],
    nameservers: ['2001:db8::53'],
  }
  const vlan: NetworkSettings = { address: ['10.0.0.5/25'], interface: 'eno1', vlan: 10 }
  const bonded: NetworkSettings = {
    interfaces: [
      {
        name: 'bond0',
        bond: { interfaces: ['eno1', 'eno2'], mode: '802.3ad' },
        address: ['10.0.0.5/24', '2001:db8::5/64'],
        gateway: ['10.0.0.1'],
      },
      { mac: '52:54:00:00:00:09', name: 'stor', address: ['192.168.0.5/24'] },
    ],
  }
  test.each<[string, Tree, NetworkSettings, string]>([
    [
      'dracut: IPv6',
      fedora40,
      ipv6,
      'ip=[2001:db8::7]::[fe80::1]:64:web01:52-54-00-aa-bb-01:none nameserver=2001:db8::53',
    ],
    [
      'netcfg: IPv6',
      debian12,
      ipv6,
      'interface=52:54:00:aa:bb:01 netcfg/disable_autoconfig=true netcfg/get_ipaddress=2001:db8::7/64 netcfg/get_gateway=fe80::1 netcfg/get_nameservers=2001:db8::53 netcfg/confirm_static=true',
    ],
    ['linuxrc: IPv6', leap15, ipv6, 'ifcfg=52:54:00:aa:bb:01=2001:db8::7/64,fe80::1,2001:db8::53'],
    ['dracut: a VLAN', fedora40, vlan, 'vlan=eno1.10:eno1 ip=10.0.0.5:::255.255.255.128:web01:eno1.10:none'],
    [
      'dracut: a VLAN on the card with a MAC, which needs a name',
      fedora40,
      { address: ['10.0.0.5/24'], vlan: 4094 },
      'ifname=net0:52:54:00:aa:bb:01 vlan=net0.4094:net0 ip=10.0.0.5:::255.255.255.0:web01:net0.4094:none',
    ],
    ['linuxrc: a VLAN', leap15, vlan, 'ifcfg=eno1.10=10.0.0.5/25'],
    [
      'the loader of Enterprise Linux 6: a VLAN',
      rhel6,
      vlan,
      'ip=10.0.0.5 netmask=255.255.255.128 ksdevice=eno1 vlanid=10',
    ],
    [
      'dracut: a bond, of two families IPv4, and the names for the answer file',
      fedora40,
      bonded,
      'ifname=stor:52:54:00:00:00:09 bond=bond0:eno1,eno2:mode=802.3ad,miimon=100 ip=10.0.0.5::10.0.0.1:255.255.255.0:web01:bond0:none',
    ],
    [
      'CoreOS, whose Ignition sets up no network: all interfaces',
      coreos,
      bonded,
      'ifname=stor:52:54:00:00:00:09 bond=bond0:eno1,eno2:mode=802.3ad,miimon=100 ip=10.0.0.5::10.0.0.1:255.255.255.0:web01:bond0:none ip=192.168.0.5:::255.255.255.0:web01:stor:none bootdev=bond0',
    ],
    [
      'netcfg, which knows no bond: the first card that it can install by, and no gateway',
      debian12,
      bonded,
      'interface=52:54:00:00:00:09 netcfg/disable_autoconfig=true netcfg/get_ipaddress=192.168.0.5 netcfg/get_netmask=255.255.255.0 netcfg/get_gateway=none netcfg/get_nameservers=none netcfg/confirm_static=true',
    ],
    ['DHCP on one of several cards', fedora40, { interface: 'eno2' }, 'ip=eno2:dhcp'],
    ['DHCP on one of several cards, netcfg', debian12, { interface: 'eno2' }, 'interface=eno2'],
    ['DHCP on one of several cards, linuxrc', leap15, { interface: 'eno2' }, 'ifcfg=eno2=dhcp'],
    ['DHCP, archiso', arch, { address: ['dhcp'] }, 'BOOTIF=01-52-54-00-aa-bb-01'],
    ['DHCP on one of several cards, klibc', ubuntu, { interface: 'eno2' }, 'ip=::::web01:eno2:dhcp'],
    ['router advertisements', fedora40, { address: ['auto6'] }, 'ip=52-54-00-aa-bb-01:auto6'],
    ['DHCPv6', fedora40, { address: ['dhcp6'] }, 'ip=52-54-00-aa-bb-01:dhcp6'],
    ['DHCPv6, casper', ubuntu, { address: ['dhcp6'] }, 'ip=off ip6=dhcp BOOTIF=01-52-54-00-aa-bb-01'],
    ['DHCPv6, linuxrc', leap15, { address: ['dhcp6'] }, 'ifcfg=52:54:00:aa:bb:01=dhcp6'],
  ])('%s', (_, tree, network, expected) => expect(told(tree, network)).toBe(expected))

  test.each<[string, Tree, NetworkSettings, string]>([
    ['a VLAN', debian12, vlan, 'VLAN'],
    ['a VLAN', ubuntu, vlan, 'VLAN'],
    ['IPv6', ubuntu, ipv6, 'IPv6'],
    ['IPv6', mageia, ipv6, 'IPv6'],
    ['IPv6', arch, ipv6, 'IPv6'],
    ['a card by its name', arch, { interface: 'eno2' }, 'without its MAC'],
    ['IPv6', rhel6, ipv6, 'IPv6'],
    ['a bond', leap15, { address: ['10.0.0.5/24'], bond: { interfaces: ['eno1', 'eno2'] } }, 'bond'],
  ])('%s that an installer cannot be told is refused: %#', (_, tree, network, word) => {
    expect(told(tree, network)).toMatch(new RegExp(`^refused: .*${word}.*config\\.yaml:21`))
  })

  test('without a MAC, a name and a tree of its own, the only card is meant', () => {
    expect(told(fedora40, common, { macs: [] })).toMatch(
      /^ip=10\.91\.7\.50::10\.91\.7\.254:255\.255\.255\.0:web01::none /,
    )
    expect(told(debian12, common, { macs: [] })).toContain('netcfg/get_ipaddress')
    expect(told(leap15, common, { macs: [] })).toContain('ifcfg="*=10.91.7.50/24,')
  })
  test('of two families, the one by which the guest reaches us is told', () => {
    const guest = makeGuest('web01', {
      network: { address: ['10.0.0.5/24', '2001:db8::5/64'], gateway: ['10.0.0.1', '2001:db8::1'] },
    })
    const plan = planTree(fedora40, { urls: byIpv6, virt: 'hvm', guest })
    expect(plan.kind === 'install' && formatCmdline(plan.args)).toContain(
      'ip=[2001:db8::5]::[2001:db8::1]:64:',
    )
  })
  test('a host name that no argument can hold is left out', () => {
    expect(told(fedora40, common, { vars: { hostname: 'a b:c' } })).toContain(':255.255.255.0::52-54-')
  })
})

test('the vars of before make the same arguments', () => {
  const guest = makeGuest('web01', {
    ip: '10.91.7.50',
    vars: { gateway: '10.91.7.254', nameservers: ['10.91.7.1'] },
  })
  const plan = planTree(fedora40, { urls, virt: 'hvm', guest })
  expect(plan.kind === 'install' && formatCmdline(plan.args)).toBe(
    `inst.repo=${web}/trees/fedora/40/x86_64 ip=10.91.7.50::10.91.7.254:255.255.255.0:web01:52-54-00-aa-bb-01:none nameserver=10.91.7.1`,
  )
})

test('the prefix of the vars counts', () => {
  const guest = makeGuest('web01', { ip: '10.91.7.50', vars: { gateway: '10.91.4.1', prefix: 22 } })
  const plan = planTree(fedora40, { urls, virt: 'hvm', guest })
  expect(plan.kind === 'install' && formatCmdline(plan.args)).toContain(
    'ip=10.91.7.50::10.91.4.1:255.255.252.0:',
  )
})

test.each([
  [{ gateway: '10.91.7.254', bootproto: 'dhcp' }, '10.91.7.50'],
  [{ gateway: '10.91.7.254' }, undefined],
  [{ nameservers: ['10.91.7.1'], prefix: 24 }, '10.91.7.50'],
  [{ gateway: '10.91.4.1' }, '10.91.7.50'],
  [{ gateway: 'router.example' }, '10.91.7.50'],
  [{ gateway: '10.91.7.254', prefix: '255.255.255.0' }, '10.91.7.50'],
])('vars that mean no static address change nothing: %o', (vars, ip) => {
  const guest = makeGuest('web01', { vars, ...(ip !== undefined && { ip }) })
  const plan = planTree(fedora40, { urls, virt: 'hvm', guest })
  expect(plan.kind === 'install' && formatCmdline(plan.args)).toContain(' ip=dhcp')
})

describe('the operator', () => {
  const guest = makeGuest('web01', {
    tree: fedora40,
    network: common,
    args: [{ value: 'ip=eno1:dhcp', from: 'guest web01 (config.yaml:21)' }],
  })
  test('replaces our arguments, and explain shows the network with its origin', () => {
    const lines = explainBoot({ name: 'web01' }, makeInputs([fedora40], [guest]))
    const origin = 'network of guest web01 (config.yaml:21)'
    expect(lines.filter(({ what }) => what === 'network')).toEqual([
      { what: 'network', value: '52:54:00:aa:bb:01: 10.91.7.50/24 gateway 10.91.7.254', from: origin },
      { what: 'network', value: 'name servers 10.91.7.1, 10.91.7.2', from: 'guest web01 (config.yaml:21)' },
      { what: 'network', value: 'search lab.example', from: 'guest web01 (config.yaml:21)' },
    ])
    expect(lines.filter(({ what }) => what === 'dropped argument')).toEqual([
      expect.objectContaining({ from: `${origin}, overruled by guest web01 (config.yaml:21)` }),
    ])
    expect(lines).toContainEqual({ what: 'argument', value: 'nameserver=10.91.7.1', from: origin })
  })
})

test('linuxrc would take the end of such a name for a VLAN: another card is told, or none', () => {
  const card = { name: 'lan.7', address: ['10.0.0.5/24'] }
  expect(told(leap15, { interfaces: [card] })).toMatch(/^refused: .*a card with the name lan\.7/)
  expect(told(leap15, { interfaces: [card, { name: 'eno2' }] })).toBe('ifcfg=eno2=dhcp')
  expect(told(leap15, { interfaces: [{ ...card, mac: '52:54:00:00:00:09' }] })).toBe(
    'ifcfg=52:54:00:00:00:09=10.0.0.5/24',
  )
  expect(told(fedora40, { interfaces: [card] })).toContain(':lan.7:none')
})

describe('live-boot, which takes its address by DHCP alone', () => {
  const live = makeTree('live', {
    distro: 'debian',
    platforms: { amd64: { kernel: 'live/vmlinuz', initrd: 'live/initrd.img', others: {} } },
    stage2: 'live/filesystem.squashfs',
  })
  test('is told the card, by its name or its MAC, and name servers', () => {
    expect(told(live, { interface: 'eno2', nameservers: ['10.0.0.53', '10.0.0.54'] })).toBe(
      'ethdevice=eno2 dns=10.0.0.53,10.0.0.54',
    )
    expect(told(live, { nameservers: ['10.0.0.53'] })).toBe('BOOTIF=01-52-54-00-aa-bb-01 dns=10.0.0.53')
  })
  test('is not started with an address that it cannot take, whatever ip= says', () => {
    const args = [{ value: 'ip=eno1:10.0.0.5:255.255.255.0:10.0.0.1', from: 'guest web01 (config.yaml:21)' }]
    expect(told(live, common, { args })).toMatch(/^refused: .*a static address/)
    expect(told(live, { address: ['dhcp6'] })).toMatch(/^refused: .*an IPv6 address/)
    const other = { interfaces: [{ name: 'eno1', address: ['10.0.0.5/24'] }, { name: 'eno2' }] }
    expect(told(live, other)).toBe('ethdevice=eno2')
  })
})
