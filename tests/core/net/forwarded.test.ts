import { describe, expect, test } from 'vitest'
import { forwardedClient } from '../../../server/core/net/forwarded.ts'

describe('the client behind trusted proxies', () => {
  const proxies = ['10.0.0.0/8']
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.9, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.9,192.0.2.1 , 10.0.0.1,10.0.0.2', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:db8:0::1', '2001:db8::1'],
    ['10.0.0.1', undefined],
    ['192.0.2.1, unknown', undefined],
    ['', undefined],
    [`192.0.2.1${', 10.0.0.1'.repeat(1000)}`, undefined],
  ])('%s: %s', (header, client) => {
    expect(forwardedClient(header, proxies)).toBe(client)
  })

  test('is not named without the header', () => {
    expect(forwardedClient(undefined, proxies)).toBeUndefined()
  })
})
