import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse as parseYaml, stringify } from 'yaml'
import { formatCmdline, parseKernelArgs } from '../../server/core/boot/kernel-args.ts'
import { planTree } from '../../server/core/boot/plan-tree.ts'
import type { Guest } from '../../server/core/guest/guest.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import { networkData } from '../../server/render/network/network.ts'
import { formats, renderPlan } from '../../server/render/render.ts'
import { anyText } from '../support/any-text.ts'
import { debian12, fedora40, leap15, makeTree, rhel6, urls } from '../support/boot-inputs.ts'
import { guestOf, parse, refusal } from '../support/config.ts'
import { runs } from '../support/fuzz.ts'

const network = (keys: string) => `guests:\n  g:\n    mac: 52:54:00:aa:bb:01\n    network: ${keys}\n`
const many = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(', ')
const withServers = (list: string) => `{ address: 10.0.0.5/24, nameservers: [${list}] }`
const withGateway = (address: string, gateway: string) => `{ address: "${address}", gateway: "${gateway}" }`

/** What each is refused with: the key, and a word of the message or the remedy. */
const refused: readonly (readonly [keys: string, key: string, word: string])[] = [
  ['{ address: "fe80::1%eth0/64" }', 'address', 'prefix'],
  [withGateway('2001:db8::5/64', 'fe80::1%eth0'), 'gateway', 'zone'],
  [withServers('"fe80::1%eth0"'), 'nameservers[0]', 'zone'],
  [withServers('"fe80::1"'), 'nameservers[0]', 'link-local'],
  ['{ address: "::ffff:10.0.0.7/24" }', 'address', '10.0.0.7/24'],
  ['{ address: "::ffff:a00:7/24" }', 'address', '10.0.0.7/24'],
  [withGateway('10.0.0.5/24', '::ffff:10.0.0.1'), 'gateway', 'IP address'],
  ['{ address: 224.0.0.1/24 }', 'address', 'multicast'],
  ['{ address: "ff02::5/64" }', 'address', 'multicast'],
  ['{ address: 127.0.0.1/8 }', 'address', 'loopback'],
  ['{ address: "::1/128" }', 'address', 'loopback'],
  ['{ address: 0.0.0.5/8 }', 'address', 'unspecified'],
  ['{ address: "::/64" }', 'address', 'unspecified'],
  ['{ address: 255.255.255.255/32 }', 'address', 'broadcast'],
  ['{ address: 240.0.0.5/24 }', 'address', 'reserved'],
  ['{ address: "2001:db8::/64" }', 'address', 'the network itself'],
  [withGateway('10.0.0.5/24', '10.0.0.0'), 'gateway', 'the network itself'],
  [withGateway('10.0.0.5/24', '10.0.0.255'), 'gateway', 'broadcast'],
  [withGateway('2001:db8::5/64', 'ff02::2'), 'gateway', 'multicast'],
  [withGateway('2001:db8::5/64', '::'), 'gateway', 'unspecified'],
  [withServers('0.0.0.0'), 'nameservers[0]', 'unspecified'],
  [withServers('10.0.0.1, 224.0.0.1'), 'nameservers[1]', 'multicast'],
  [withServers('10.0.0.1, 10.0.0.1'), 'nameservers[1]', 'already'],
  [withServers(many(1000, (i) => `10.1.${i >> 8}.${i & 255}`)), 'nameservers', 'at most 16'],
  [`{ search: [${many(1000, (i) => `d${i}.example`)}] }`, 'search', 'at most 16'],
  ['{ bond: [] }', 'bond', 'an interface or more'],
  ['{ bond: { interfaces: [] } }', 'bond.interfaces', 'list'],
  [`{ bond: [${many(65, (i) => `eno${i}`)}] }`, 'bond', 'an interface or more'],
  ['{ interfaces: [{ mac: "ff:ff:ff:ff:ff:ff" }] }', 'interfaces[0].mac', 'one card'],
  ['{ interfaces: [{ mac: "01:00:5e:00:00:01" }] }', 'interfaces[0].mac', 'one card'],
  ['{ interface: "00:00:00:00:00:00" }', 'interface', 'MAC address'],
  ...[
    'lo',
    'all',
    'Default',
    'link',
    'auto',
    'dhcp',
    '1234',
    'a/b',
    'a b',
    "'a$(reboot)'",
    'é',
    'a%d',
    "''",
    '".."',
  ].map((name) => [`{ interface: ${name} }`, 'interface', 'eno1'] as const),
  [`{ interface: ${'a'.repeat(300)} }`, 'interface', 'eno1'],
  ['{ interface: "a\\nb" }', 'interface', 'eno1'],
  ["{ search: '$(reboot)' }", 'search', 'example.org'],
  ["{ search: 'a\"b' }", 'search', 'example.org'],
  ['{ address: "10.0.0.5/24 10.0.0.6/24" }', 'address', 'prefix'],
  [
    '{ interfaces: [{ vlan: 20, parent: enp0s31f6long0 }, { vlan: 20, parent: enp0s31f6long1 }] }',
    '',
    'vlan20',
  ],
  ['{ interfaces: [{ name: a.20 }, { vlan: 20, parent: a }] }', '', 'a.20'],
  ['{ interfaces: [{ name: b, bond: [a] }, { vlan: 3, parent: a }] }', '', 'part of a bond'],
  ['{ interfaces: [{ name: b, bond: [a], address: none }, { name: c, bond: [b] }] }', '', 'part of a bond'],
]

describe('is refused with its place and what to do', () => {
  test.each(refused)('%.60s', (keys, key, word) => {
    const path = `guests.g.network${key === '' ? '' : `.${key}`}`
    const line =
      refusal(network(keys))
        .split('\n')
        .find((each) => each.includes(`${path}:`)) ?? refusal(network(keys))
    expect(line).toMatch(/config\.yaml:4:\d+ /)
    expect(line).toContain(`${path}:`)
    expect(line).toContain(word)
    expect(line).toMatch(/[;,] \S/)
  })

  test('the MAC of a guest is that of one card, too', () => {
    expect(refusal('guests: { g: { mac: "ff:ff:ff:ff:ff:ff" } }')).toMatch(/g\.mac: .*one card/)
  })
})

test.each([
  withServers('127.0.0.53'),
  withServers(many(16, (i) => `10.1.0.${i}`)),
  '{ address: 10.0.0.5/31, gateway: 10.0.0.4 }',
  '{ address: "2001:db8::/127", gateway: "2001:db8::1" }',
  '{ address: "2001:db8::5/64", gateway: "fe80::1" }',
  '{ address: 169.254.1.5/16 }',
])('is no mistake: %s', (keys) => expect(refusal(network(keys))).toBe('accepted'))

test('a card without a name gets one that nobody has', () => {
  const keys =
    '{ interfaces: [{ name: net1 }, { mac: "52:54:00:00:00:09", address: none }, { vlan: 7, parent: "52:54:00:00:00:09" }] }'
  const { interfaces } = networkData(guestOf(parse(network(keys)), 'g'), undefined) as {
    interfaces: { name: string }[]
  }
  expect(interfaces.map(({ name }) => name)).toEqual(['net1', 'net2', 'net2.7'])
})

/** A tree for each way in which installers read their network. */
const trees: readonly Tree[] = [
  fedora40,
  rhel6,
  debian12,
  leap15,
  makeTree('sles11', { distro: 'sles', version: '11.4' }),
  makeTree('mga', { distro: 'mageia', version: '9' }),
  makeTree('fcos', { distro: 'coreos' }),
  ...['casper/vmlinuz casper/initrd ubuntu', 'boot/vmlinuz-lts boot/initramfs-lts alpine'].map((text) => {
    const [kernel = '', initrd = '', distro = ''] = text.split(' ')
    return makeTree(distro, {
      distro,
      platforms: { x86_64: { kernel, initrd, others: {} } },
    } as Partial<Tree>)
  }),
]

const nasty = fc.oneof(
  anyText({ maxLength: 6 }),
  fc.constantFrom(
    'a b',
    'a"b',
    "a'b",
    'a\nb',
    '$(reboot)',
    '`id`',
    '%n',
    'ä',
    '${x}',
    '<x>',
    '&amp;',
    'a,b',
    'a=b',
    '\\',
  ),
)
const sometimes = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })
const octet = fc.integer({ min: 1, max: 254 })
const ipv4 = octet.map((last) => `10.0.0.${last}`)
const ipv6 = octet.map((last) => `2001:db8::${last.toString(16)}`)
const addresses = fc.oneof(
  fc.tuple(ipv4.map((ip) => `${ip}/24`)),
  fc.tuple(
    ipv4.map((ip) => `${ip}/24`),
    ipv6.map((ip) => `${ip}/64`),
  ),
  fc.tuple(fc.constantFrom('dhcp', 'auto6', 'dhcp6', 'none')),
)
const mac = octet.map((last) => `52:54:00:00:00:${last.toString(16).padStart(2, '0')}`)
const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,5}$/)
const card = fc.oneof(name, mac)
const common = {
  address: sometimes(addresses),
  gateway: sometimes(fc.array(fc.constantFrom('10.0.0.1', 'fe80::1'), { maxLength: 2 })),
}
const optional = { requiredKeys: [] as [] }
const interfaces = fc.array(
  fc.record(
    {
      ...common,
      name: sometimes(name),
      mac: sometimes(mac),
      vlan: sometimes(fc.integer({ min: -1, max: 4096 })),
      parent: sometimes(card),
      bond: sometimes(fc.array(card, { maxLength: 3 })),
    },
    optional,
  ),
  { minLength: 1, maxLength: 4 },
)
const others = {
  nameservers: sometimes(fc.array(fc.oneof(ipv4, ipv6), { maxLength: 4 })),
  search: sometimes(fc.array(fc.domain(), { maxLength: 3 })),
}
const settings = fc.oneof(
  fc.record(
    {
      ...common,
      ...others,
      interface: sometimes(card),
      vlan: sometimes(fc.integer({ min: 0, max: 4095 })),
      bond: sometimes(fc.array(card, { maxLength: 3 })),
    },
    optional,
  ),
  fc.record({ ...others, interfaces }, optional),
)

/** With one of the texts in it changed: something put in its place, or behind it. */
function withOne(
  wanted: object,
  { at, text, behind }: { at: number; text: string; behind: boolean },
): unknown {
  const texts = JSON.stringify(wanted).match(/"(?:[^"\\]|\\.)*"(?!:)/g) ?? []
  const chosen = texts.length === 0 ? -1 : at % texts.length
  let i = 0
  return JSON.parse(JSON.stringify(wanted), (_, value: unknown) => {
    if (typeof value !== 'string' || i++ !== chosen) return value
    return behind ? value + text : text
  })
}
const change = fc.record({ at: fc.nat(20), text: nasty, behind: fc.boolean() })

/** What may stand in the value of an argument, and the two whose lists have blanks, which the kernel wants in quotes. */
const plain = /^[A-Za-z0-9.:;[\]/,=_*-]*$/
const lists = new Set(['netcfg/get_nameservers', 'ifcfg'])

describe('a network that is accepted', () => {
  test('puts no blank, quote or newline of its own into a kernel argument or a rendered file', () => {
    let accepted = 0
    fc.assert(
      fc.property(settings, fc.option(change), (good, one) => {
        const wanted = one === null ? good : withOne(good, one)
        const config = stringify({
          guests: { g: { mac: '52:54:00:aa:bb:01', template: 'x', network: wanted } },
        })
        if (refusal(config) !== 'accepted') return
        accepted++
        const guest = guestOf(parse(config), 'g')
        for (const tree of trees) checkPlan(guest, tree)
        checkAnswers(guest)
      }),
      { numRuns: runs(2000) },
    )
    expect(accepted).toBeGreaterThan(runs(2000) / 20)
  })
})

function checkPlan(guest: Guest, tree: Tree): void {
  for (const at of [urls, { ...urls, http: 'http://[2001:db8::a]:8080', byIpv6: true } as const]) {
    const plan = planTree(tree, { urls: at, virt: 'hvm', guest })
    if (plan.kind !== 'install') {
      expect(plan.why).not.toMatch(/[\u0000-\u001f]/)
      continue
    }
    for (const { key, value = '' } of plan.args) {
      expect(key).toMatch(/^[\w./-]+$/)
      expect(lists.has(key) ? value.replaceAll(/(?<=\S) (?=\S)/g, '') : value).toMatch(plain)
    }
    // The kernel reads the line as these arguments and no others.
    expect(parseKernelArgs(formatCmdline(plan.args))).toEqual(plan.args)
    for (const as of formats) expect(controls(renderPlan(plan, as))).toEqual([])
  }
}

/** Control characters other than line ends. */
function controls(text: string): readonly string[] {
  return [...text.matchAll(/[\u0000-\u0009\u000b-\u001f\u007f]/g)].map(([found]) => found)
}

function checkAnswers(guest: Guest): void {
  const data = networkData(guest, fedora40)
  if (data === undefined) throw new Error('it has no network')
  const lines = (key: string): readonly string[] => data[key] as string[]
  for (const line of lines('kickstart'))
    expect(line).toMatch(/^network( --[a-z0-9-]+(=[A-Za-z0-9.:/,=_-]+)?)+$/)
  for (const line of lines('preseed'))
    expect(line).toMatch(/^d-i netcfg\/[a-z_]+ (string|select|boolean) [A-Za-z0-9.:/ _-]+$/)
  expectElements(lines('autoyast').join('\n'))
  for (const key of ['netplan', 'agama']) {
    const text = stringify(data[key])
    expect(parseYaml(text)).toEqual(JSON.parse(JSON.stringify(data[key])))
    expect(text).toMatch(/^[\w\s.:/,='"{}[\]*-]*$/)
  }
}

/** Each element of the text is closed by its own end, and what is between two tags has no special character. */
function expectElements(text: string): void {
  const open: string[] = []
  const rest = text.replaceAll(
    /<(\/?)([\w-]+)( config:type="(?:list|boolean)")?>/g,
    (_, end: string, tag: string) => {
      if (end === '') open.push(tag)
      else expect(open.pop()).toBe(tag)
      return ''
    },
  )
  expect(open).toEqual([])
  expect(rest).toMatch(/^[\w\s.:/{}=-]*$/)
}
