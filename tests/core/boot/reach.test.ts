import { describe, expect, test } from 'vitest'
import { explainBoot } from '../../../server/core/boot/explain.ts'
import type { ServerUrls } from '../../../server/core/boot/plan.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import type { VarValue } from '../../../server/core/guest/guest.ts'
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
} from '../../support/boot-inputs.ts'

const named: ServerUrls = { http: 'http://mirror.lan:8080' }
const four: ServerUrls = { http: 'http://192.0.2.1:8080' }
const six: ServerUrls = { http: 'http://[2001:db8::a]:8080', byIpv6: true }
const mapped: ServerUrls = { http: 'http://[::ffff:c000:201]:8080' }
const ubuntu = makeTree('ubuntu', {
  distro: 'ubuntu',
  version: '24.04',
  platforms: { x86_64: { kernel: 'casper/vmlinuz', initrd: 'casper/initrd', others: {} } },
  origin: { kind: 'iso', path: '/srv/trees/u.iso', name: 'u.iso', size: 1 },
} as Partial<Tree>)
const mageia = makeTree('mga', { distro: 'mageia', version: '9' })
const coreos = makeTree('fcos', { distro: 'coreos' })

interface Said {
  readonly tree?: Tree
  readonly network?: NetworkSettings
  readonly args?: readonly string[]
  readonly removals?: readonly string[]
  readonly ip?: string
  readonly vars?: Readonly<Record<string, VarValue>>
  readonly source?: 'nfs' | 'ftp'
}

/** `fine`, `doubt: ...` or `refuse: ...`. */
function outcome(urls: ServerUrls, { tree = fedora40, removals = [], ...said }: Said): string {
  const from = 'guest a (config.yaml:21)'
  const guest = makeGuest('a', {
    template: 'x.ks',
    ...said,
    removals: removals.map((value) => ({ value, from })),
  })
  const plan = planTree(tree, { urls, virt: 'hvm', guest })
  if (plan.kind === 'refuse') return `refuse: ${plan.why}`
  return plan.doubts.length === 0 ? 'fine' : `doubt: ${plan.doubts.map(({ why }) => why).join()}`
}

const still = (address: string[], more: Partial<NetworkSettings> = {}): NetworkSettings => ({
  address,
  ...more,
})
const alone = still(['10.0.0.12/24'])
const routed = still(['10.0.0.12/24'], { gateway: ['10.0.0.1'] })
const sixAlone = still(['2001:db8::3/64'])

describe('a name in the URL', () => {
  test.each([
    ['dracut', fedora40],
    ['the loader of Enterprise Linux 6', rhel6],
    ['linuxrc', leap15],
    ['casper', ubuntu],
    ['CoreOS', coreos],
    ['netcfg', debian12],
    ['drakx', mageia],
  ])('without a name server is refused: %s', (_, tree) => {
    const why = outcome(named, { tree, network: alone })
    expect(why).toMatch(/^refuse: .*mirror\.lan.*no name server.*network of guest a.*network\.nameservers/)
  })

  test.each<[string, RegExp, Said]>([
    ['a name server', /^fine$/, { network: { ...alone, nameservers: ['10.0.0.2'] } }],
    ['one behind a gateway', /^fine$/, { network: { ...routed, nameservers: ['192.0.2.53'] } }],
    ['DHCP', /^fine$/, { network: still(['dhcp']) }],
    ['an advertisement', /^fine$/, { network: still(['auto6']) }],
    ['one in args', /^fine$/, { network: alone, args: ['nameserver=10.0.0.2'] }],
    ['a proxy', /^fine$/, { network: alone, args: ['inst.proxy=http://10.0.0.9:3128'] }],
    ['an address in args', /^fine$/, { network: alone, args: ['ip=dhcp'] }],
    ['our address removed', /^fine$/, { network: alone, removals: ['-ip'] }],
    [
      'other places in args',
      /^fine$/,
      { network: alone, args: ['inst.repo=http://10.0.0.9/ inst.ks=hd:LABEL=a'] },
    ],
    ['the gateway, which netcfg asks', /^doubt: .*no name server/, { tree: debian12, network: routed }],
    ['DHCP of the other family', /^doubt: .*no name server/, { network: still(['10.0.0.12/24', 'dhcp6']) }],
    [
      'DHCP on a second interface',
      /^doubt: .*no name server/,
      { network: { interfaces: [{ name: 'lan0', address: ['10.0.0.12/24'] }, { name: 'lan1' }] } },
    ],
    [
      'a server out of reach',
      /^refuse: .*none of its name servers 192\.0\.2\.53/,
      { network: { ...alone, nameservers: ['192.0.2.53'] } },
    ],
    [
      'a server of the other family',
      /^doubt: .*none of its name servers 2001:db8::53/,
      { network: { ...alone, nameservers: ['2001:db8::53'] } },
    ],
    [
      'vars alone',
      /^refuse: .*no name server/,
      { ip: '10.0.0.12', vars: { gateway: '10.0.0.1', prefix: 24 } },
    ],
    [
      'vars with a server',
      /^fine$/,
      { ip: '10.0.0.12', vars: { gateway: '10.0.0.1', prefix: 24, nameservers: ['10.0.0.2'] } },
    ],
  ])('%s', (_, expected, said) => expect(outcome(named, said)).toMatch(expected))
})

describe('an address in the URL', () => {
  test.each<[string, ServerUrls, RegExp, Said]>([
    ['IPv4, and IPv6 alone', four, /^refuse: .*192\.0\.2\.1.*IPv6 address alone/, { network: sixAlone }],
    ['mapped IPv4, and IPv6 alone', mapped, /^refuse: .*IPv6 address alone/, { network: sixAlone }],
    [
      'IPv4, and IPv6 alone by vars',
      four,
      /^refuse: .*IPv6 address alone/,
      {
        ip: '2001:db8:5::17',
        vars: { gateway: '2001:db8:5::1', prefix: 64, nameservers: ['2001:db8:5::53'] },
      },
    ],
    ['IPv4, and both', four, /^fine$/, { network: still(['2001:db8::3/64', 'dhcp']) }],
    ['IPv4, and an advertisement', four, /^doubt: .*IPv6 address alone/, { network: still(['auto6']) }],
    ['IPv6, and IPv4 alone', six, /^doubt: .*2001:db8::a.*IPv4 address alone/, { network: alone }],
    ['IPv6 in the prefix', six, /^fine$/, { network: sixAlone }],
    ['IPv6 outside', six, /^doubt: .*outside.*no gateway/, { network: still(['2001:db8:1::3/64']) }],
    ['IPv4 outside', four, /^refuse: .*192\.0\.2\.1.*10\.0\.0\.12\/24.*network\.gateway/, { network: alone }],
    [
      'IPv4 outside, by NFS',
      { ...four, nfs: { host: '192.0.2.1', options: 'nfsvers=3' } },
      /^refuse: .*outside/,
      { network: alone, source: 'nfs' },
    ],
    ['IPv4 outside, Mageia', four, /^refuse: .*outside/, { tree: mageia, network: alone }],
    [
      'IPv4 outside, a route in args',
      four,
      /^fine$/,
      { network: alone, args: ['rd.route=192.0.2.0/24:10.0.0.1'] },
    ],
    ['IPv4 behind a gateway', four, /^fine$/, { network: routed }],
    ['mapped IPv4 behind a gateway', mapped, /^fine$/, { network: routed }],
    ['IPv4 in the prefix', four, /^fine$/, { network: still(['192.0.2.9/24']) }],
    [
      'IPv4 outside of a guessed prefix',
      four,
      /^doubt: .*outside/,
      { ip: '192.0.3.9', vars: { bootproto: 'static' } },
    ],
    [
      'IPv4 by another interface',
      four,
      /^doubt: .*lan1 reaches and lan0 does not/,
      { network: { interfaces: [{ name: 'lan0', address: ['10.0.0.12/24'] }, { name: 'lan1' }] } },
    ],
    [
      'IPv4 by another interface that is set up as well',
      four,
      /^fine$/,
      {
        tree: coreos,
        network: { interfaces: [{ name: 'lan0', address: ['10.0.0.12/24'] }, { name: 'lan1' }] },
      },
    ],
    ['a guess of our own', { ...four, isGuess: true }, /^fine$/, { network: sixAlone }],
  ])('%s', (_, urls, expected, said) => expect(outcome(urls, said)).toMatch(expected))

  test('a guest without a network, and a tree whose installer nobody knows, are not judged', () => {
    expect(outcome(named, {})).toBe('fine')
    expect(outcome(named, { tree: makeTree('x', { distro: 'other' }), network: alone })).toBe('fine')
  })
})

test('explain says why', () => {
  const guest = (network: NetworkSettings) => makeGuest('a', { tree: fedora40, network })
  const lines = (network: NetworkSettings, urls: ServerUrls) =>
    explainBoot({ name: 'a' }, { ...makeInputs([fedora40], [guest(network)]), urls })
  expect(lines(alone, named).at(-1)).toMatchObject({
    what: 'plan',
    value: 'refuse',
    from: expect.stringContaining('name server'),
  })
  expect(lines(alone, six)).toContainEqual({
    what: 'warning',
    value: 'network',
    from: expect.stringContaining('IPv4 address alone'),
  })
})
