import { describe, expect, test } from 'vitest'
import { canonicalNetwork, isInNetworks } from '../../../server/core/net/network.ts'

describe('networks', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    [' 10.0.0.7 ', '10.0.0.7'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['FD00:0::/8', 'fd00::/8'],
    ['10.0.0.0/08', '10.0.0.0/8'],
  ])('%s is %s', (text, network) => {
    expect(canonicalNetwork(text)).toBe(network)
  })

  test.each(['', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/', '10.0.0.0/8/8', 'fd00::/129', 'localhost', '/8'])(
    '%j is none',
    (text) => {
      expect(canonicalNetwork(text)).toBeUndefined()
    },
  )

  test('hold the addresses of their family alone', () => {
    const networks = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8']
    for (const inside of ['10.255.0.1', '::ffff:10.1.1.1', '192.0.2.7', 'fd12::1'])
      expect([inside, isInNetworks(inside, networks)]).toEqual([inside, true])
    for (const outside of ['11.0.0.1', '192.0.2.8', 'fe80::1', '', 'x', '::'])
      expect([outside, isInNetworks(outside, networks)]).toEqual([outside, false])
    expect(isInNetworks('::1', ['0.0.0.0/0'])).toBe(false)
  })
})
