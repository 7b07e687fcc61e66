import { expect, test } from 'vitest'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import { defined } from '../../../server/core/defined.ts'
import { mayBeOurs } from '../../../server/core/distro/argument-keys.ts'
import { distros, recordOf } from '../../../server/core/distro/families.ts'
import type { NetworkSettings } from '../../../server/core/guest/network.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import { makeGuest, makeTree, urls } from '../../support/boot-inputs.ts'

const networks: readonly (NetworkSettings | undefined)[] = [
  undefined,
  { address: ['10.0.0.5/24'], gateway: ['10.0.0.1'], nameservers: ['10.0.0.1'], search: ['lab.example'] },
  { interface: 'eno1' },
  {
    interfaces: [
      { name: 'lan', mac: '52:54:00:00:00:01', address: ['10.0.0.5/24'] },
      { vlan: 7, parent: 'lan' },
      { name: 'bond0', bond: { interfaces: ['a', 'b'] } },
    ],
  },
  { address: ['10.0.0.5/24'], vlan: 7 },
]
const kernels = [
  'images/pxeboot/vmlinuz',
  'casper/vmlinuz',
  'boot/vmlinuz-lts',
  'arch/boot/x86_64/vmlinuz-linux',
]

const layouts: readonly Partial<Tree>[] = [
  ...kernels.map((kernel) => ({ platforms: { x86_64: { kernel, initrd: 'i', others: {} } } })),
  { upstream: 'https://up.example/' },
  { origin: { kind: 'iso', path: '/x', name: 'x.iso' }, distro: 'ubuntu', version: '24.04' },
]

function keysOf(tree: Tree, network: NetworkSettings | undefined): readonly string[] {
  const guest = makeGuest('g', { template: 'x', ...defined({ network }) })
  const plan = planTree(tree, { urls, virt: 'hvm', guest })
  return plan.kind === 'install' ? plan.args.map(({ key }) => key) : []
}

function regExpText(_: string, value: unknown): unknown {
  return value instanceof RegExp ? value.source : value
}

test('the list of our own arguments has the keys of every distribution, version, layout and network', () => {
  // Distributions that differ in neither have the same arguments.
  const different = new Map(
    distros.map((distro) => {
      const { installer, bootArgs, instPrefixSince } = recordOf(distro)
      return [JSON.stringify([installer, bootArgs?.toString(), instPrefixSince], regExpText), distro]
    }),
  )
  const trees = [...different.values()].flatMap((distro) =>
    ['', '5', '11', '16'].flatMap((version) =>
      layouts.map((layout) => makeTree('t', { distro, version, ...layout })),
    ),
  )
  const keys = new Set(trees.flatMap((tree) => networks.flatMap((network) => keysOf(tree, network))))
  expect([...keys].filter((key) => !mayBeOurs(`-${key}`))).toEqual([])
  expect(keys.size).toBeGreaterThan(40)
})
