import { expect, test } from 'vitest'
import { networkMeant, virtNetworkOf } from '../../../server/core/guest/virt-network.ts'

test.each([
  ['bridge=br0', { kind: 'bridge', name: 'br0' }],
  ['network=default,model=e1000', { kind: 'network', name: 'default', model: 'e1000' }],
  ['user', { kind: 'user', name: '' }],
])('%s', (written, network) => {
  expect(virtNetworkOf(written)).toEqual({ ...network, written })
})

test.each([
  ['br0', 'bridge=br0 for a bridge of the host, or network=br0 for'],
  ['br0,model=virtio', 'bridge=br0,model=virtio for'],
  ['bridge:br0', 'bridge=br0 for'],
  ['brige=br0', 'bridge=br0 for'],
  ['lan.20', 'bridge=lan.20 for'],
  ['bridge=', 'write bridge=NAME, network=NAME or user'],
  ['', 'write bridge=NAME'],
  ['type=direct,source=eth0', 'write bridge=NAME'],
])('%j is no network: %s', (written, meant) => {
  expect(virtNetworkOf(written)).toBeUndefined()
  expect(networkMeant(written)).toContain(meant)
})
