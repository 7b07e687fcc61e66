import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../server/config/load.ts'
import { ConfigError } from '../../server/config/problems.ts'
import { networkOf } from '../../server/core/guest/resolve-network.ts'

const load = (text: string) => parseConfig(text, 'config.yaml', '/srv/treeboot')
const guestOf = (text: string, name = 'g') => {
  const guest = load(text).guests.find((each) => each.name === name)
  if (!guest) throw new Error(`no guest ${name}`)
  return guest
}
const network = (keys: string, more = 'mac: 52:54:00:aa:bb:01') =>
  `guests:\n  g:\n    ${more}\n    network: ${keys}\n`

/** The first problem of a configuration: its place, key and words. */
function problem(text: string): string {
  try {
    load(text)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems
      .map(({ where, message, remedy }) => `${where} ${message}; ${remedy ?? ''}`)
      .join('\n')
  }
  return 'no problem'
}

describe('network: of a guest', () => {
  test('the short form is the card with the first MAC of the guest', () => {
    const guest = guestOf(
      network(
        '{ address: 10.91.7.50/24, gateway: 10.91.7.254, nameservers: [10.91.7.1], search: lab.example }',
      ),
    )
    const card = {
      mac: '52:54:00:aa:bb:01',
      ipv4: { address: '10.91.7.50', prefix: 24, gateway: '10.91.7.254' },
    }
    expect(networkOf(guest)).toEqual({
      interfaces: [card],
      main: card,
      nameservers: ['10.91.7.1'],
      search: ['lab.example'],
      from: 'network of guest g (config.yaml:4)',
    })
  })
  test('several interfaces; parts come first, and have no address unless they say so', () => {
    const guest = guestOf(`
guests:
  g:
    network:
      interfaces:
        - { vlan: 20, parent: bond0, address: [10.0.0.5/24, "2001:db8::5/64"], gateway: [10.0.0.1, "fe80::1"] }
        - { name: bond0, bond: [eno1, "52:54:00:00:00:02"] }
        - { mac: 52-54-00-00-00-03, name: stor, address: 192.168.0.5/24 }
        - { name: eno9, address: none }`)
    const found = networkOf(guest)
    expect(found?.interfaces).toEqual([
      { name: 'eno1' },
      { name: 'net5', mac: '52:54:00:00:00:02' },
      { name: 'bond0', bond: { members: ['eno1', 'net5'], mode: 'active-backup' } },
      {
        name: 'bond0.20',
        vlan: { id: 20, parent: 'bond0' },
        ipv4: { address: '10.0.0.5', prefix: 24, gateway: '10.0.0.1' },
        ipv6: { address: '2001:db8::5', prefix: 64, gateway: 'fe80::1' },
      },
      { name: 'stor', mac: '52:54:00:00:00:03', ipv4: { address: '192.168.0.5', prefix: 24 } },
      { name: 'eno9' },
    ])
    expect(found?.main.name).toBe('bond0.20')
  })
  test('profiles and guests add up key by key, and each key keeps its origin', () => {
    const guest = guestOf(`
profiles:
  lan: { network: { gateway: 10.0.0.1, nameservers: [10.0.0.2] } }
guests:
  g: { profile: lan, mac: 52:54:00:aa:bb:01, network: { address: 10.0.0.5/24 } }`)
    expect(guest.settings.network).toEqual({
      gateway: { value: ['10.0.0.1'], from: 'profile lan (config.yaml:3)' },
      nameservers: { value: ['10.0.0.2'], from: 'profile lan (config.yaml:3)' },
      address: { value: ['10.0.0.5/24'], from: 'guest g (config.yaml:5)' },
    })
    expect(networkOf(guest)?.main.ipv4).toEqual({ address: '10.0.0.5', prefix: 24, gateway: '10.0.0.1' })
  })
  test.each([
    [
      'a list replaces an inherited interface',
      'address: 10.0.0.9/24',
      'interfaces: [{ name: a, address: 10.0.0.5/24 }]',
      ['interfaces', 'search'],
    ],
    [
      'one interface replaces an inherited list',
      'interfaces: [{ name: a }]',
      'address: 10.0.0.5/24',
      ['address', 'search'],
    ],
  ])('%s', (_, above, own, keys) => {
    const guest = guestOf(`
profiles: { p: { network: { search: lab.example, ${above} } } }
guests: { g: { profile: p, mac: 52:54:00:aa:bb:01, network: { ${own} } } }`)
    expect(Object.keys(guest.settings.network ?? {}).sort()).toEqual(keys)
    expect(networkOf(guest)?.main.ipv4).toMatchObject({ address: '10.0.0.5' })
  })
  test('ip identifies the machine as before, and an address of the network does not', () => {
    expect(guestOf(network('{ address: 10.0.0.5/24 }')).ip).toBeUndefined()
    expect(guestOf(network('{ address: 10.0.0.5/24 }', 'ip: 10.0.0.5')).ip).toBe('10.0.0.5')
  })
})

describe('mistakes are named with line, key and remedy', () => {
  test.each<[string, string, string, string]>([
    ['a prefix that is none', '{ address: 10.0.0.5/33 }', '4:25 guests.g.network.address', 'prefix'],
    ['no prefix', '{ address: 10.0.0.5 }', '4:25 guests.g.network.address', '10.0.0.7/24'],
    ['a mask for a prefix', '{ address: 10.0.0.5/255.255.255.0 }', '4:25 guests.g.network.address', 'prefix'],
    [
      'an IPv6 prefix that is none',
      '{ address: "2001:db8::5/129" }',
      '4:25 guests.g.network.address',
      'prefix',
    ],
    ['the network itself', '{ address: 10.0.0.0/24 }', '4:25 guests.g.network.address', 'the network itself'],
    ['the broadcast address', '{ address: 10.0.0.255/24 }', '4:25 guests.g.network.address', 'broadcast'],
    [
      'a gateway outside',
      '{ address: 10.0.0.5/24, gateway: 10.0.1.1 }',
      '4:47 guests.g.network.gateway',
      '10.0.0.0/24',
    ],
    [
      'a gateway of the other family',
      '{ address: 10.0.0.5/24, gateway: "2001:db8::1" }',
      '4:47 guests.g.network.gateway',
      'IPv6',
    ],
    [
      'a gateway that is the guest',
      '{ address: 10.0.0.5/24, gateway: 10.0.0.5 }',
      '4:47 guests.g.network.gateway',
      'the guest itself',
    ],
    ['a gateway without an address', '{ gateway: 10.0.0.1 }', '4:25 guests.g.network.gateway', 'static'],
    [
      'two gateways',
      '{ address: 10.0.0.5/24, gateway: [10.0.0.1, 10.0.0.2] }',
      '4:47 guests.g.network.gateway',
      'more than one IPv4 gateway',
    ],
    [
      'two addresses',
      '{ address: [10.0.0.5/24, 10.0.0.6/24] }',
      '4:25 guests.g.network.address',
      'more than one IPv4 address',
    ],
    [
      'an address beside dhcp',
      '{ address: [10.0.0.5/24, dhcp] }',
      '4:25 guests.g.network.address',
      'more than one IPv4 address',
    ],
    ['none beside an address', '{ address: [none, 10.0.0.5/24] }', '4:25 guests.g.network.address', 'none'],
    ['VLAN 0', '{ address: 10.0.0.5/24, vlan: 0 }', '4:44 guests.g.network.vlan', '1 to 4094'],
    ['VLAN 4095', '{ address: 10.0.0.5/24, vlan: 4095 }', '4:44 guests.g.network.vlan', '1 to 4094'],
    [
      'a name that is too long',
      '{ interface: enp0s31f6interface }',
      '4:27 guests.g.network.interface',
      'eno1',
    ],
    ['a name that is a command', "{ interface: 'a;reboot' }", '4:27 guests.g.network.interface', 'eno1'],
    [
      'a name server that is none',
      '{ nameservers: [dns.example] }',
      '4:30 guests.g.network.nameservers[0]',
      'IP address',
    ],
    ['a search domain that is none', "{ search: 'a b' }", '4:24 guests.g.network.search', 'domain'],
    [
      'a bond mode that is none',
      '{ bond: { interfaces: [a, b], mode: lacp } }',
      '4:50 guests.g.network.bond.mode',
      '802.3ad',
    ],
    ['both forms', '{ vlan: 7, interfaces: [{ name: a }] }', '4:14 guests.g.network', 'either interfaces'],
    ['nothing that has an address', '{ address: none }', '4:14 guests.g.network', 'dhcp'],
    ['a mistyped key', '{ adress: 10.0.0.5/24 }', '4:16 guests.g.network.adress', "did you mean 'address'?"],
    [
      'two names',
      '{ interfaces: [{ name: a }, { name: a }] }',
      '4:50 guests.g.network.interfaces[1].name',
      'already',
    ],
    [
      'two MACs',
      '{ interfaces: [{ mac: 525400000009 }, { mac: "52:54:00:00:00:09" }] }',
      '4:59 guests.g.network.interfaces[1].mac',
      'already',
    ],
    [
      'one address twice',
      '{ interfaces: [{ name: a, address: 10.0.0.5/24 }, { name: b, address: 10.0.0.5/16 }] }',
      '4:84 guests.g.network.interfaces[1].address',
      'already',
    ],
    [
      'two default gateways',
      '{ interfaces: [{ name: a, address: 10.0.0.5/24, gateway: 10.0.0.1 }, { name: b, address: 10.1.0.5/24, gateway: 10.1.0.1 }] }',
      '4:125 guests.g.network.interfaces[1].gateway',
      'second default gateway',
    ],
    [
      'a card without a name',
      '{ interfaces: [{ name: a }, { address: 10.0.0.5/24 }] }',
      '4:42 guests.g.network.interfaces[1]',
      'which card',
    ],
    [
      'a VLAN on nothing',
      '{ interfaces: [{ vlan: 7 }] }',
      '4:37 guests.g.network.interfaces[0].vlan',
      'parent',
    ],
    [
      'a parent without a VLAN',
      '{ interfaces: [{ name: a, parent: b }] }',
      '4:48 guests.g.network.interfaces[0].parent',
      'vlan',
    ],
    [
      'a name without the number of the VLAN',
      '{ interfaces: [{ name: web, vlan: 7, parent: a }] }',
      '4:37 guests.g.network.interfaces[0].name',
      'vlan7',
    ],
    [
      'a card twice in bonds',
      '{ interfaces: [{ name: bond0, bond: [a, b] }, { name: bond1, bond: [b, c] }] }',
      '4:81 guests.g.network.interfaces[1].bond',
      'more than one bond',
    ],
    [
      'an address on a part of a bond',
      '{ interfaces: [{ name: a, address: dhcp }, { name: bond0, bond: [a, b] }] }',
      '4:14 guests.g.network',
      'part of a bond',
    ],
    [
      'a circle',
      '{ interfaces: [{ name: v.7, vlan: 7, parent: v.8, address: dhcp }, { name: v.8, vlan: 8, parent: v.7 }] }',
      '4:14 guests.g.network',
      'made of itself',
    ],
    [
      "a name that is the kernel's",
      '{ interfaces: [{ name: eth0, mac: 525400000009 }] }',
      '4:37 guests.g.network.interfaces[0].name',
      'lan0',
    ],
  ])('%s', (_, keys, where, word) => {
    const found = problem(network(keys))
    expect(
      found
        .split('\n')
        .find((line) => line.startsWith(`config.yaml:${where}:`) || line.startsWith(`config.yaml:${where} `)),
      found,
    ).toBeDefined()
    expect(found).toContain(word)
  })
  test('what two guests cannot share', () => {
    const two = (first: string, second: string) =>
      problem(
        `guests:\n  a: { mac: 52:54:00:00:00:01, ${first} }\n  b: { mac: 52:54:00:00:00:02, ${second} }`,
      )
    expect(two('ip: 10.0.0.5', 'network: { address: 10.0.0.5/24 }')).toMatch(
      /b\.network: 10\.0\.0\.5 belongs to guest a/,
    )
    expect(two('network: { address: 10.0.0.5/24 }', 'network: { address: 10.0.0.5/24 }')).toMatch(
      /belongs to guest a/,
    )
    expect(two('ip: 10.0.0.5', 'network: { interfaces: [{ mac: "52:54:00:00:00:01" }] }')).toMatch(
      /52:54:00:00:00:01 belongs to guest a/,
    )
    expect(two('ip: 10.0.0.5', 'network: { address: 10.0.0.6/24 }')).toBe('no problem')
  })
  test('what a profile says is named with its place', () => {
    expect(
      problem(`
profiles: { p: { network: { gateway: 10.0.9.1 } } }
guests: { g: { profile: p, mac: 52:54:00:aa:bb:01, network: { address: 10.0.0.5/24 } } }`),
    ).toContain('(profile p (config.yaml:2))')
  })
})

test('the vars of before are hinted at, with what to write', () => {
  const { problems } = load(`guests:
  g:
    ip: 10.91.7.50
    vars: { gateway: 10.91.7.254, nameservers: [10.91.7.1] }
  h:
    ip: 10.91.7.51
    vars: { nameservers: [10.91.7.1] }
  i:
    ip: 10.91.7.52
    network: { address: 10.91.7.52/24 }
    vars: { gateway: 10.91.7.254 }`)
  expect(problems).toEqual([
    {
      severity: 'warning',
      where: 'config.yaml:4:13',
      message: expect.stringContaining('guests.g'),
      remedy:
        'write it as network: { address: 10.91.7.50/24, gateway: 10.91.7.254, nameservers: [10.91.7.1] }',
    },
  ])
})

test.each(['-ip', '-ip=dhcp', '-inst.ks', '-netcfg/get_gateway'])(
  'a removal of an argument that treeboot itself adds is no mistake: %s',
  (removal) => expect(load(`guests: { g: { args: [${removal}] } }`).problems).toEqual([]),
)
