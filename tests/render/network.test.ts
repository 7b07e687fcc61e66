import { describe, expect, test } from 'vitest'
import { planBoot } from '../../server/core/boot/plan-boot.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { machineOf } from '../../server/render/machine.ts'
import { networkData } from '../../server/render/network/network.ts'
import { guestWith, snapshotWith, treeWith, urls, withNetwork } from '../support/answers.ts'
import { fedora40, makeGuest, makeInputs } from '../support/boot-inputs.ts'
import { sharedRenderer } from '../support/renderer.ts'

const bonded = {
  nameservers: ['10.0.0.53'],
  interfaces: [
    { name: 'bond0', bond: { interfaces: ['eno1'] }, address: ['10.0.0.7/24'], gateway: ['10.0.0.1'] },
    { name: 'stor', mac: '52:54:00:00:00:09', address: ['auto6'] },
    { mac: '52:54:00:00:00:08' },
    { vlan: 9, parent: 'stor' },
  ],
}

test('Agama gets what its schema can say: cards by MAC or name, and no VLAN on a card known by its MAC', () => {
  expect(networkData(withNetwork(guestWith('x'), bonded), undefined)?.agama).toEqual({
    connections: [
      { id: 'eno1', interface: 'eno1', method4: 'disabled', method6: 'disabled' },
      {
        id: 'bond0',
        interface: 'bond0',
        method4: 'manual',
        method6: 'disabled',
        addresses: ['10.0.0.7/24'],
        gateway4: '10.0.0.1',
        nameservers: ['10.0.0.53'],
        bond: { mode: 'active-backup', options: 'miimon=100', ports: ['eno1'] },
      },
      { id: 'stor', macAddress: '52:54:00:00:00:09', method4: 'disabled', method6: 'auto' },
      { id: '52:54:00:00:00:08', macAddress: '52:54:00:00:00:08', method4: 'auto', method6: 'disabled' },
    ],
  })
  const vlan = { search: ['lab.example'], interfaces: [{ vlan: 9, parent: 'eno1' }, { name: 'eno1' }] }
  expect(networkData(withNetwork(guestWith('x'), vlan), undefined)?.agama).toMatchObject({
    connections: [{ id: 'eno1' }, { vlan: { id: 9, parent: 'eno1' }, dnsSearchlist: ['lab.example'] }],
  })
})

test('a host name reaches each file through its quoting function', () => {
  const guest = withNetwork(guestWith('x', { hostname: 'a"<b>\\ c' }), { address: ['10.0.0.7/24'] })
  const data = networkData(guest, treeWith({}))
  expect(data?.kickstart).toEqual([expect.stringContaining('--hostname="a\\"<b>\\\\ c"')])
  expect(data?.autoyast).toContainEqual(expect.stringContaining('<hostname>a&quot;&lt;b&gt;\\ c</hostname>'))
  const broken = withNetwork(guestWith('x', { hostname: 'a\nrootpw x' }), { address: ['10.0.0.7/24'] })
  expect(() => networkData(broken, treeWith({}))).toThrow(/control character 10/)
})

describe('a template', () => {
  const render = (guest: ReturnType<typeof guestWith>) => {
    const snapshot = snapshotWith([guest], new Map([['x', '{{ network.interface | default(network) }}']]))
    const facts = () => ({ tree: treeWith({}), urls })
    const options = { snapshot: () => snapshot, renderer: sharedRenderer, machines: noMachines, facts }
    return renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
  }
  test('keeps a var with the name network where config.yaml says no network', async () => {
    expect((await render(guestWith('x', { network: 'mine' }))).text).toBe('mine')
    const vars = { network: 'mine', gateway: '10.0.0.1' }
    expect((await render(guestWith('x', vars, { ip: '10.0.0.7' }))).text).toBe('mine')
  })
  test('gets the network of config.yaml before such a var, and a message says so', async () => {
    const { text, problems } = await render(
      withNetwork(guestWith('x', { network: 'mine' }), { interface: 'eno1' }),
    )
    expect(text).toBe('eno1')
    expect(problems).toEqual([expect.stringContaining('vars.network')])
  })
})

test('a virtual machine has a card for each MAC of the guest and of its network', () => {
  const guest = makeGuest('a', { tree: fedora40, network: bonded })
  const plan = planBoot({ name: 'a' }, makeInputs([fedora40], [guest]))
  if (plan.kind !== 'install') throw new Error(plan.kind)
  expect(machineOf(plan).macs).toEqual(['52:54:00:aa:bb:01', '52:54:00:00:00:09', '52:54:00:00:00:08'])
})
