import { describe, expect, test } from 'vitest'
import { requesterOf, requestPath } from '../../../../server/protocols/tftp/wire/request.ts'

describe('the path of a file name', () => {
  test.each([
    ['x', '/x'],
    ['/x', '/x'],
    ['//x', '/x'],
    ['\\EFI\\BOOT\\grubx64.efi', '/EFI/BOOT/grubx64.efi'],
    ['a b%20c', '/a b%20c'],
    ['../../etc/passwd', '/etc/passwd'],
    ['..\\..\\etc\\passwd', '/etc/passwd'],
    ['A', '/A'],
  ])('%j is %s', (name, path) => {
    expect(requestPath(name)).toBe(path)
  })
})

test('the requester has plain addresses, and none of ours when the socket has a wildcard address', () => {
  expect(requesterOf('::ffff:192.0.2.7', '192.0.2.1')).toEqual({
    protocol: 'tftp',
    address: '192.0.2.7',
    localAddress: '192.0.2.1',
  })
  expect(requesterOf('fe80::7%eth0', '::')).toEqual({ protocol: 'tftp', address: 'fe80::7' })
})
