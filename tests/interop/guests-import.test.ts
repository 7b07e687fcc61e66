import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseDnsmasqHosts } from '../../server/definitions/import/dnsmasq.ts'
import type { FoundEntry } from '../../server/definitions/import/entries.ts'
import { parseIscHosts } from '../../server/definitions/import/isc-dhcpd.ts'
import { parseKeaReservations } from '../../server/definitions/import/kea.ts'
import { requireClient } from '../support/clients.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/** The readers of other programs' files call faulty what the program itself refuses, and nothing else. */

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../fixtures/guests-to-import', name), 'utf8')

const isRight = (entries: readonly FoundEntry[]): boolean =>
  entries.every(({ result }) => result !== 'faulty')

function accepts(program: string, args: readonly string[]): (text: string) => boolean {
  const file = join(temporaryFolder(), 'config')
  return (text) => {
    writeFileSync(file, text)
    try {
      execFileSync(program, [...args, file], { stdio: ['ignore', 'pipe', 'pipe'] })
      return true
    } catch {
      return false
    }
  }
}

const dnsmasqHosts = [
  ...['52:54:00:aa:bb:01,web01', '52:54:00:aa:bb:*,10.0.0.1', '06-52:54:00:aa:bb:01,web01', '1:2:3:4:5:6,a'],
  ...[
    '52:54:00:aa:bb,short',
    '52:54:00:aa:bb:zz,bad',
    '52:54:00:aa:bb:01,we_b01',
    '52:54:00:aa:bb:01,web 01',
  ],
  ...['52:54:00:aa:bb:01,10.0.0.300', '52:54:00:aa:bb:01,[fd00::1]', '52:54:00:aa:bb:01,[fd00::zz]'],
  ...['52:54:00:aa:bb:01,[fd00::10/126],web', 'id:01:52:54:00:aa:bb:01,web', 'id:*,web', 'web01,10.0.0.1'],
  ...['52:54:00:aa:bb:01,set:a,tag:b,10.0.0.1,web,12h', '52:54:00:aa:bb:01,ignore', '', 'web.example.com'],
  ...['52-54-00-aa-bb-01,w', '52:54:00:aa:bb:01,web,extra', '52:54:00:aa:bb:01,10.0.0.1,10.0.0.2'],
  ...['52:54:00:aa:bb:01,-web', '52:54:00:aa:bb:01, 10.0.0.1 , web # c', '52:54:00:aa:bb:01,300'],
  ...['52:54:00:aa:bb:01,"web"', '52:54:00:aa:bb:01,3x', '52:54:00:aa:bb:01,,web', 'fd00::1,web'],
  ...['52:54:00:aa:bb:01:02:03,web', 'net:a,52:54:00:aa:bb:01', '52:54:00:aa:bb:01,web#c', '*:*:*:*:*:*,a'],
  ...['52:54:00:aa:bb:01,ümlaut', '52:5*:00:aa:bb:01,a', '52:54:00:aa:bb:01,web01.', '52:54:00:aa:bb:01,1d'],
  ...['52:54:00:aa:bb:01,a..b', '52:54:00:aa:bb:01,[fd00::1', 'web-,52:54:00:aa:bb:01', '5254.00aa.bb01,web'],
]

test('dnsmasq --test', () => {
  const isTaken = accepts(requireClient('dnsmasq'), ['--test', '-C'])
  const lines = [...dnsmasqHosts.map((host) => `dhcp-host=${host}`), 'dhcp-host', '  dhcp-host = a']
  const verdicts = lines.map((line) => `${isRight(parseDnsmasqHosts(line))} ${line}`)
  expect(verdicts).toEqual(lines.map((line) => `${isTaken(`${line}\n`)} ${line}`))
  const faulty = new Set(parseDnsmasqHosts(fixture('dnsmasq.conf')).flatMap(lineOfFaulty))
  const text = fixture('dnsmasq.conf').split('\n')
  expect([text, text.filter((_, at) => !faulty.has(at + 1))].map((each) => isTaken(each.join('\n')))).toEqual(
    [false, true],
  )
  for (const line of faulty) expect(isTaken(`${text[line - 1]}\n`)).toBe(false)
})

const lineOfFaulty = ({ result, line }: FoundEntry): number[] => (result === 'faulty' ? [line] : [])

const mac = 'hardware ethernet 52:54:00:aa:bb:01;'
const iscHosts = [
  'host a { hardware ethernet 52:54:0:aa:bb:1; fixed-address 10.0.0.1, 10.0.0.2; }',
  'host a { hardware ethernet 52:54:00:aa:bb; }',
  'host a { hardware ethernet 52:54:00:aa:bb:zz; }',
  'host a { hardware ethernet 52:54:00:aa:bb:01 fixed-address 10.0.0.1; }',
  'host a { fixed-address 10.0.0.1; }',
  'host a { }',
  `host "a b" { ${mac} }`,
  `host a.example.com { ${mac} }`,
  `host 10a { ${mac} }`,
  `host a { ${mac} fixed-address localhost; }`,
  `host a { ${mac} fixed-address 10.0.0.300; }`,
  'host a { hardware token-ring 52:54:00:aa:bb:01; }',
  'host a { hardware foo 52:54:00:aa:bb:01; }',
  'host a { hardware ethernet "52:54:00:aa:bb:01"; }',
  'host a { hardware ethernet 52-54-00-aa-bb-01; }',
  'host a { option host-name "web"; option dhcp-client-identifier 01:52:54:00:aa:bb:01; }',
  `host a { ${mac} } host a { hardware ethernet 52:54:00:aa:bb:02; }`,
  `host a { ${mac} } host b { ${mac} }`,
  `group { host a { ${mac} } }`,
  `group { host a { ${mac} }`,
  `host a { ${mac} } }`,
  `host a { ${mac} ${mac} }`,
  `host a { ${mac} if known { filename "a"; } else { filename "b"; } }`,
  'host a { deleted; }',
  `host { ${mac} }`,
  `HOST a { ${mac.toUpperCase()} }`,
  `# host x { hardware ethernet 1; }\noption domain-name "host y { }"; host a { ${mac} }`,
  `host a { ${mac}; }`,
]

test('dhcpd -t', () => {
  const isTaken = accepts(requireClient('dhcpd'), ['-t', '-cf'])
  const subnet = 'subnet 10.0.0.0 netmask 255.0.0.0 {}\n'
  const verdicts = iscHosts.map((host) => `${isRight(parseIscHosts(host))} ${host}`)
  expect(verdicts).toEqual(iscHosts.map((host) => `${isTaken(`${subnet}${host}\n`)} ${host}`))
  const text = fixture('dhcpd.conf').replace('rtr-224.lab.example', '10.17.224.1')
  const mended = text.replace('46:81 fixed', '46:81; fixed')
  expect([text, mended].map(isTaken)).toEqual([false, true])
  expect([text, mended].map((each) => isRight(parseIscHosts(each)))).toEqual([false, true])
})

const keaReservations = [
  '{ "hw-address": "1a:1b:1c:1d:1e:1f", "ip-address": "192.0.2.202" }',
  '{ "hw-address": "1a:1b:1c:1d:1e:zz", "ip-address": "192.0.2.202" }',
  '{ "hw-address": "1a:1b:1c:1d:1e:1f", "duid": "01:02:03", "hostname": "a" }',
  '{ "ip-address": "192.0.2.202" }',
  '{ "hw-address": "1a:1b:1c:1d:1e:1f", "ip-address": "192.0.2.300" }',
  '{ "duid": "01:02:03:04:05:06", "hostname": "a" }',
  '{ "client-id": "01:11:22:33:44:55:66", "hostname": "a" }',
  `{ "circuit-id": "'charter950'", "hostname": "a" }`,
  '{ "hw-address": "", "hostname": "a" }',
  '5',
]

test('kea-dhcp4 -t', () => {
  const isTaken = accepts(requireClient('kea-dhcp4'), ['-t'])
  const config = (reservation: string) => `{ "Dhcp4": { "interfaces-config": { "interfaces": [] },
    "lease-database": { "type": "memfile", "persist": false }, // in memory
    "subnet4": [{ "subnet": "192.0.2.0/24", "reservations": [ ${reservation} ] }] } }`
  const verdicts = keaReservations.map((each) => `${isRight(parseKeaReservations(config(each)))} ${each}`)
  expect(verdicts).toEqual(keaReservations.map((each) => `${isTaken(config(each))} ${each}`))
  const text = fixture('kea-dhcp4.json')
  const mended = text.replace('"client-id": "01:52:54:00:0a:0b:0e", "hw-address"', '"hw-address"')
  expect([text, mended].map(isTaken)).toEqual([false, true])
  expect([text, mended].map((each) => isRight(parseKeaReservations(each)))).toEqual([false, true])
})

test('kea-dhcp6 -t', () => {
  const isTaken = accepts(requireClient('kea-dhcp6'), ['-t'])
  const text = fixture('kea-dhcp6.json')
  const mended = text.replace('00:01:zz', '00:01:02')
  expect([text, mended].map(isTaken)).toEqual([false, true])
  expect([text, mended].map((each) => isRight(parseKeaReservations(each)))).toEqual([false, true])
})
