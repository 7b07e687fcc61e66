import { describe, expect, test } from 'vitest'
import { machineNames, whyForeignHost } from '../../../server/core/net/own-names.ts'

const names = {
  machine: machineNames('mirror', ['lab.example']),
  url: 'https://boot.example:8443',
  configured: ['pxe.example.'],
}

describe('a Host', () => {
  test.each([
    undefined,
    '',
    '192.0.2.1',
    '192.0.2.1:8080',
    '[2001:db8::1]:8080',
    '[::1]',
    '127.0.0.1:80',
    'localhost:8080',
    'mirror',
    'MIRROR.',
    'mirror.local:8080',
    'mirror.lab.example',
    'boot.example',
    'pxe.example:1',
  ])('%s is of this server', (host) => expect(whyForeignHost(host, names)).toBeUndefined())

  test.each([
    'evil.example',
    'evil.example:8080',
    'mirror.evil.example',
    'xmirror',
    '192.0.2.1.evil.example',
    '0x7f.1',
  ])('%s is not, and the reason has the line to add', (host) => {
    expect(whyForeignHost(host, names)).toContain(`names: [${host.replace(/:.*/, '')}]`)
  })
})

test('a machine without a name has none', () => {
  expect(machineNames('', ['lab.example'])).toEqual([])
  expect(machineNames('a.b.example', ['lab.example'])).toEqual([
    'a.b.example',
    'a',
    'a.local',
    'a.lab.example',
  ])
})
