import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requireClient } from '../support/clients.ts'

/** Each DHCP server reads the configuration that we print for it. */

const golden = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../golden/dhcp-config', name), 'utf8')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'treeboot-dhcp-config-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function accepted(program: string, args: readonly string[], text: string): void {
  const file = join(folder, 'config')
  writeFileSync(file, text)
  execFileSync(program, [...args, file], { stdio: ['ignore', 'pipe', 'pipe'] })
}

test('dnsmasq --test', () => {
  const program = requireClient('dnsmasq')
  accepted(program, ['--test', '-C'], golden('dnsmasq.conf'))
  accepted(program, ['--test', '-C'], golden('pxelinux.conf'))
  expect(() => accepted(program, ['--test', '-C'], `${golden('dnsmasq.conf')}nonsense=1\n`)).toThrow()
})

test('dnsmasq --test, DHCPv6 alone and beside DHCPv4', () => {
  const program = requireClient('dnsmasq')
  const ranges = 'dhcp-range=2001:db8::100,2001:db8::1ff\n'
  accepted(program, ['--test', '-C'], ranges + golden('dnsmasq6.conf'))
  accepted(program, ['--test', '-C'], ranges + golden('dnsmasq.conf') + golden('dnsmasq6.conf'))
})

test('dhcpd -6 -t', () => {
  const program = requireClient('dhcpd')
  const subnet = 'subnet6 2001:db8::/64 { range6 2001:db8::100 2001:db8::1ff; }\n'
  accepted(program, ['-6', '-t', '-cf'], subnet + golden('dhcpd6.conf'))
  expect(() => accepted(program, ['-6', '-t', '-cf'], `${golden('dhcpd6.conf')}subnet6 nonsense {`)).toThrow()
})

test('dhcpd -t', () => {
  const program = requireClient('dhcpd')
  const subnet = 'subnet 192.0.2.0 netmask 255.255.255.0 { range 192.0.2.100 192.0.2.199; }\n'
  accepted(program, ['-t', '-cf'], subnet + golden('dhcpd.conf'))
  accepted(program, ['-t', '-cf'], subnet + golden('pxelinux-dhcpd.conf'))
  expect(() => accepted(program, ['-t', '-cf'], `${golden('dhcpd.conf')}subnet nonsense {`)).toThrow()
})

test('kea-dhcp4 -t', () => {
  const program = requireClient('kea-dhcp4')
  const whole = (name: string) => {
    const config = JSON.parse(golden(name))
    Object.assign(config.Dhcp4, {
      'interfaces-config': { interfaces: [] },
      'lease-database': { type: 'memfile', persist: false },
      subnet4: [{ subnet: '192.0.2.0/24', pools: [{ pool: '192.0.2.100-192.0.2.199' }] }],
    })
    return config
  }
  accepted(program, ['-t'], JSON.stringify(whole('pxelinux-kea-dhcp4.json')))
  const config = whole('kea-dhcp4.json')
  accepted(program, ['-t'], JSON.stringify(config))
  config.Dhcp4['client-classes'][0].test = 'nonsense('
  expect(() => accepted(program, ['-t'], JSON.stringify(config))).toThrow()
})

test('kea-dhcp6 -t', () => {
  const program = requireClient('kea-dhcp6')
  const config = JSON.parse(golden('kea-dhcp6.json'))
  Object.assign(config.Dhcp6, {
    'interfaces-config': { interfaces: [] },
    'lease-database': { type: 'memfile', persist: false },
    subnet6: [{ subnet: '2001:db8::/64', pools: [{ pool: '2001:db8::100-2001:db8::1ff' }] }],
  })
  accepted(program, ['-t'], JSON.stringify(config))
  config.Dhcp6['client-classes'][0].test = 'nonsense('
  expect(() => accepted(program, ['-t'], JSON.stringify(config))).toThrow()
})
