import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { configurationLimits } from '../../../server/core/limits/configuration.ts'
import type { FoundEntry } from '../../../server/definitions/import/entries.ts'
import { parseEthers } from '../../../server/definitions/import/ethers.ts'
import { formatOf, type ImportFormatName, importFormats } from '../../../server/definitions/import/formats.ts'
import { parseIscHosts } from '../../../server/definitions/import/isc-dhcpd.ts'
import { parseKeaReservations } from '../../../server/definitions/import/kea.ts'

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../fixtures/guests-to-import', name), 'utf8')

/** `3 found web01 52:54:00:aa:bb:01 10.0.0.1`, or `4 faulty web02: why`. */
function lineOf(entry: FoundEntry): string {
  if (entry.result !== 'found') return `${entry.line} ${entry.result} ${entry.name ?? '-'}`
  const { name = '-', macs, uuid, ips, hostname, profile, settings } = entry.machine
  const others = [uuid, hostname && `hostname=${hostname}`, profile && `profile=${profile}`]
  const own = settings && JSON.stringify(settings)
  return [entry.line, 'found', name, ...macs, ...ips, ...others, own].filter(Boolean).join(' ')
}

describe.each<[ImportFormatName, string, readonly string[]]>([
  [
    'dnsmasq',
    'dnsmasq.conf',
    [
      '8 found - 00:20:e0:3b:13:af 192.168.0.60',
      '10 found fred 10:22:33:44:55:66 192.168.0.61',
      '12 found judge 10:22:33:44:55:67 12:34:56:78:90:12 192.168.0.62',
      '14 found web.lab.example 52:54:00:0a:0b:0c 192.168.0.63 fd00:12::63',
      '16 skipped 10:22:33:44:55:68',
      '18 skipped 192.168.0.64',
      '20 found bert 192.168.0.70',
      '22 found ernie 00:16:3e:01:02:03',
      '24 skipped -',
      '25 faulty 192.168.0.71',
      '26 faulty 52:54:00:0a:0b:0e',
      '27 found last 52:54:00:0a:0b:0f',
    ],
  ],
  [
    'isc',
    'dhcpd.conf',
    [
      '9 found passacaglia 08:00:07:26:c0:a5 hostname=passacaglia.lab.example',
      '16 found fantasia 08:00:07:26:c0:a6 10.17.224.5',
      '22 found ncd1 00:c0:c3:49:2b:57 10.17.224.6 10.17.224.7',
      '29 found ncd4 00:c0:c3:80:fc:32',
      '32 faulty ncd8',
      '38 found byclient 52:54:00:0a:0b:0c 10.17.224.9',
    ],
  ],
  [
    'kea',
    'kea-dhcp4.json',
    [
      '9 found global.example 1a:1b:1c:1d:1e:1f',
      '19 found - 00:aa:bb:cc:dd:ee 192.0.2.202',
      '24 found by-duid 52:54:00:0a:0b:0c 192.0.2.203',
      '27 found by-client 52:54:00:0a:0b:0d 192.0.2.204',
      '28 faulty two-ids',
      '29 skipped circuit',
      '36 found in-shared 52:54:00:0a:0b:0f 198.51.100.9',
    ],
  ],
  [
    'kea',
    'kea-dhcp6.json',
    [
      '8 found six 52:54:00:0a:0b:0c 2001:db8:1::100',
      '10 found by-uuid 2001:db8:1::101 4c4c4544-0042-3510-8052-b4c04f4a3732',
      '11 faulty -',
    ],
  ],
  [
    'cobbler',
    'cobbler-dumpvars.txt',
    [
      '1 found web01 52:54:00:0a:0b:0c 52:54:00:0a:0b:0d 192.0.2.11 hostname=web01.lab.example profile=fedora40',
      '24 faulty web02',
    ],
  ],
  [
    'cobbler',
    'cobbler-systems.json',
    ['2 found db01 52:54:00:0a:0b:0e 192.0.2.21 profile=el9', '18 faulty -'],
  ],
  [
    'ethers',
    'ethers',
    [
      '3 found router 00:16:3e:01:02:03',
      '4 found - 08:00:20:00:61:ca 192.0.2.30',
      '5 faulty printer',
      '6 faulty scanner',
      '7 found last 08:00:20:00:61:cb',
    ],
  ],
  [
    'csv',
    'guests.csv',
    [
      '2 found web01 {"mac":["52:54:00:0a:0b:0c","52:54:00:0a:0b:0d"],"profile":["base","web"],"vars":{"packages":["a","b"],"port":8080,"note":"two\\nlines"}}',
      '4 found web02 {"mac":"52:54:00:0a:0b:0e","tree":{"distro":"fedora","version":"40"},"vars":{"port":"8080"}}',
      '5 faulty web03',
      '6 faulty web04',
      '7 faulty -',
      '8 found web05 {"serial":"0012"}',
    ],
  ],
])('%s: %s', (format, name, expected) => {
  const text = fixture(name)
  test('every entry has its result and its line', () => {
    expect(importFormats[format].parse(text).map(lineOf)).toEqual(expected)
  })
  test('it is known by its content, with either end of lines', () => {
    expect([text, text.replaceAll('\n', '\r\n')].map(formatOf)).toEqual([format, format])
    expect(importFormats[format].parse(text.replaceAll('\n', '\r\n')).map(({ line }) => line)).toEqual(
      expected.map((each) => Number(each.split(' ')[0])),
    )
  })
})

test('more entries than the limit are refused', () => {
  const { entries, depth } = configurationLimits.guestsToImport
  const line = '52:54:00:00:00:01 a\n'
  expect(parseEthers(line.repeat(entries))).toHaveLength(entries)
  expect(() => parseEthers(line.repeat(entries + 1))).toThrow(Failure)
  expect(parseIscHosts(`${'group {'.repeat(depth)}${'}'.repeat(depth)}`)).toEqual([])
  expect(() => parseIscHosts('group {'.repeat(depth + 1))).toThrow(Failure)
  expect(() => parseKeaReservations(`${'['.repeat(5000)}${']'.repeat(5000)}`)).toThrow(Failure)
})

test.each([';', '\t'])('a table whose header has %j between the names has it in all lines', (separator) => {
  const rows = [
    ['name', 'mac', 'profile', 'vars.note'],
    ['web01', '"52:54:00:00:00:01;52:54:00:00:00:02"', 'web', 'a, b'],
    ['web02', '52:54:00:00:00:03', '', `"x${separator}y"`],
    ['web03', '52:54:00:00:00:04', '', 'a', 'too many'],
  ]
  const text = `\uFEFF${rows.map((row) => row.join(separator)).join('\r\n')}\r\n`
  expect(formatOf(text)).toBe('csv')
  const note = separator === ';' ? '["x","y"]' : '"x\\ty"'
  expect(importFormats.csv.parse(text).map(lineOf)).toEqual([
    '2 found web01 {"mac":["52:54:00:00:00:01","52:54:00:00:00:02"],"profile":"web","vars":{"note":"a, b"}}',
    `3 found web02 {"mac":"52:54:00:00:00:03","vars":{"note":${note}}}`,
    '4 faulty web03',
  ])
})

test('a header with two separators is refused in words', () => {
  const text = 'name;mac,profile\nweb01;52:54:00:00:00:01,web\n'
  expect(formatOf(text)).toBe('csv')
  expect(() => importFormats.csv.parse(text)).toThrow('commas and semicolons')
  // A comma in quotes is no separator, and no key of a guest either.
  expect(() => importFormats.csv.parse('name;"a,b"\n')).toThrow("'a,b' is not a key of a guest")
})

test('a text of no format is refused', () => {
  expect(() => formatOf('hello\nworld\n')).toThrow('--from')
})
