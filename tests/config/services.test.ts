import { describe, expect, test } from 'vitest'
import { keysForRestart } from '../../server/config/restart-keys.ts'
import type { Config } from '../../server/config/schema.ts'
import { type ServiceRecord, serviceNames, serviceTable } from '../../server/core/services.ts'
import { parse } from '../support/config.ts'

const configOf = (text: string): Config => parse(text).config

/** For each key of a section, a value other than its default. */
const values: Readonly<Record<string, string>> = {
  enabled: 'false',
  bind: '127.0.0.9',
  port: '1234',
  'fast-path': 'false',
  'connections-per-client': '7',
  'requests-per-client': '7',
  'trusted-proxies': '[10.0.0.7, "fd00::/8"]',
  'passive-ports': '30000-30009',
  'public-address': '192.0.2.1',
  tls: '{ certificate: a.pem, key: b.pem }',
  mode: 'proxy',
  interfaces: '[br0]',
  'known-only': 'true',
  loader: 'grub',
}

describe.each(serviceNames)('config.yaml section %s', (name) => {
  const { keys, defaultPort }: ServiceRecord = serviceTable[name]

  test('has a default port', () => {
    expect(configOf('')[name].port).toBe(defaultPort)
  })

  test.each(Object.entries(keys))('key %s takes effect %s', (key, effect) => {
    const changed = configOf(`${name}: { ${key}: ${values[key]} }\n`)
    const waiting = keysForRestart(configOf(''), changed)
    expect(waiting.includes(`${name}.${key}`)).toBe(effect === 'at-restart')
  })

  test.each(['bind', 'port'])('key %s takes effect at the next start', (key) => {
    const changed = configOf(`${name}: { ${key}: ${values[key]} }\n`)
    expect(keysForRestart(configOf(''), changed)).toEqual([`${name}.${key}`])
  })
})

// With one service: for DHCP, which is off by default, it would be no change.
test('switching a service off takes effect at the next start', () => {
  expect(keysForRestart(configOf(''), configOf('ftp: { enabled: false }\n'))).toEqual(['ftp.enabled'])
})
