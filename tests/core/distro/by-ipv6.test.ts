import { describe, expect, test } from 'vitest'
import { explainBoot } from '../../../server/core/boot/explain.ts'
import { formatCmdline } from '../../../server/core/boot/kernel-args.ts'
import type { ServerUrls } from '../../../server/core/boot/plan.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import type { NetworkSettings } from '../../../server/core/guest/network.ts'
import { notesOf } from '../../../server/core/lookup/result.ts'
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

const byIpv6: ServerUrls = { http: 'http://[2001:db8::a]:8080', byIpv6: true }
const treeOf = (id: string, kernel: string, initrd: string, more: Partial<Tree> = {}) =>
  makeTree(id, {
    distro: id,
    platforms: { x86_64: { kernel, initrd, others: {} } },
    ...more,
  } as Partial<Tree>)
const iso = { kind: 'iso', path: '/srv/trees/u.iso', name: 'u.iso', size: 1 } as const
const ubuntu = treeOf('ubuntu', 'casper/vmlinuz', 'casper/initrd', { version: '24.04', origin: iso })
const alpine = treeOf('alpine', 'boot/vmlinuz-lts', 'boot/initramfs-lts')
const arch = treeOf('arch', 'arch/boot/x86_64/vmlinuz-linux', 'arch/boot/x86_64/initramfs-linux.img')
const debianLive = treeOf('debian', 'live/vmlinuz', 'live/initrd.img', { stage2: 'live/filesystem.squashfs' })
const mageia = makeTree('mga', { distro: 'mageia', version: '9' })
const sles11 = makeTree('sles11', { distro: 'sles', version: '11.4' })
const sles16 = makeTree('sles16', { distro: 'sles', version: '16.0' })
const coreos = makeTree('fcos', { distro: 'coreos' })

function planned(tree: Tree, at: ServerUrls, network?: NetworkSettings) {
  const guest = makeGuest('web01', { template: 'x.ks', ...(network && { network }) })
  return planTree(tree, { urls: at, virt: 'hvm', guest })
}

/** What the installer is told of its network only because the machine came by IPv6. */
function told(tree: Tree, network?: NetworkSettings): string {
  const [plan, usual] = [planned(tree, byIpv6, network), planned(tree, { ...urls, isGuess: true }, network)]
  if (plan.kind !== 'install') return `refused: ${plan.why}`
  const known = usual.kind === 'install' ? usual.args.map((arg) => formatCmdline([arg])) : []
  const more = plan.args.filter((arg) => !arg.value?.includes('//'))
  return formatCmdline(more.filter((arg) => !known.includes(formatCmdline([arg]))))
}

describe('a machine that reaches treeboot by IPv6', () => {
  test.each<[string, Tree, string]>([
    ['dracut', fedora40, 'ip=auto6'],
    ['Agama, by dracut', sles16, 'ip=auto6'],
    ['CoreOS, by dracut', coreos, 'ip=auto6'],
    ['linuxrc', leap15, 'ipv6only=1'],
    ['linuxrc of SLE 11', sles11, 'ipv6only=1'],
    ['netcfg, which takes both families by itself', debian12, ''],
    ['casper', ubuntu, 'ip=off ip6=dhcp'],
  ])('%s is told so, and nothing is in doubt', (_, tree, expected) => {
    expect(told(tree)).toBe(expected)
    expect(planned(tree, byIpv6)).toHaveProperty('doubts', [])
  })

  test.each<[string, Tree]>([
    ['Alpine', alpine],
    ['Arch', arch],
    ['live-boot', debianLive],
    ['the loader of Enterprise Linux 6', rhel6],
  ])('%s asks for IPv4 alone: the plan, the lookup and explain say so', (_, tree) => {
    const plan = planned(tree, byIpv6)
    if (plan.kind !== 'install') throw new Error(plan.why)
    const [doubt] = plan.doubts
    expect(doubt?.why).toMatch(/IPv4 address alone.*\[2001:db8::a\]/)
    expect(notesOf(plan)).toContain(doubt?.why)
    const guest = makeGuest('web01', { tree })
    const lines = explainBoot({ name: 'web01' }, { ...makeInputs([tree], [guest]), urls: byIpv6 })
    expect(lines).toContainEqual({ what: 'warning', value: 'needs IPv4', from: doubt?.why })
    expect(planned(tree, urls)).toHaveProperty('doubts', [])
  })

  test('drakx, which can never connect to an IPv6 address, is refused', () => {
    expect(told(mageia)).toMatch(/^refused: .*IPv4 alone.*server\.url/)
    // A name may have an IPv4 address, too.
    const plan = planned(mageia, { http: 'http://mirror:8080', byIpv6: true })
    expect(plan).toMatchObject({ kind: 'install', doubts: [{ why: expect.stringContaining('IPv4') }] })
  })

  test('nothing is said of an initrd that nobody here knows', () => {
    expect(planned(makeTree('x', { distro: 'other' }), byIpv6)).toHaveProperty('doubts', [])
  })

  test.each<[string, Tree, NetworkSettings, string]>([
    ['linuxrc, IPv6 alone', leap15, { address: ['2001:db8::7/64'] }, 'ipv6only=1'],
    ['linuxrc, DHCPv6', leap15, { address: ['dhcp6'] }, 'ipv6only=1'],
    ['linuxrc, two families', leap15, { address: ['2001:db8::7/64', '10.0.0.7/24'] }, ''],
    ['casper, two families', ubuntu, { address: ['dhcp', 'dhcp6'] }, 'ip=off ip6=dhcp'],
    ['netcfg, two families', debian12, { address: ['dhcp', 'dhcp6'] }, ''],
  ])('with network: %s', (_, tree, network, expected) => expect(told(tree, network)).toBe(expected))
})
