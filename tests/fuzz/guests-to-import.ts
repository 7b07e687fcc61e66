import { Failure } from '../../server/core/failure.ts'
import { csvSeparators, parseCsv } from '../../server/definitions/csv.ts'
import { parseCobblerSystems } from '../../server/definitions/import/cobbler.ts'
import { parseCsvGuests } from '../../server/definitions/import/csv-entries.ts'
import { parseDnsmasqHosts } from '../../server/definitions/import/dnsmasq.ts'
import { parseEthers } from '../../server/definitions/import/ethers.ts'
import { formatOf } from '../../server/definitions/import/formats.ts'
import { parseIscHosts } from '../../server/definitions/import/isc-dhcpd.ts'
import { parseJsonData } from '../../server/definitions/import/json-data.ts'
import { parseKeaReservations } from '../../server/definitions/import/kea.ts'
import { planImport } from '../../server/definitions/import/plan-import.ts'
import { type Fuzzer, refusesBy, text } from '../support/fuzz.ts'

/** The files of other programs that `guests import` reads, each by every reader. */
export const guestsToImport = {
  seeds: text(
    'name,mac,vars.a\nweb01,52:54:00:aa:bb:01;52:54:00:aa:bb:02,"{""b"": 1}"\n',
    'dhcp-host=52:54:00:aa:bb:01,set:a,id:01:52:54:00:aa:bb:02,[fd00::1],10.0.0.1,web,12h # c\n',
    'group { host a { hardware ethernet 0:1:2:3:4:5; fixed-address 10.0.0.1, b; option host-name "x"; } }\n',
    '{"Dhcp4": {"reservations": [{"hw-address": "52:54:00:aa:bb:01", "ip-address": "10.0.0.1"}], /* c */}} // d\n',
    '{"Dhcp6": {"reservations": [{"duid": "00:03:00:01:52:54:00:aa:bb:01", "ip-addresses": ["fd00::1"]}]}}\n',
    'name : a\ninterfaces : {}\nmac_address_eth0 : 52:54:00:aa:bb:01\nip_address_eth0 : 10.0.0.1\n',
    '52:54:00:aa:bb:01 web01 # c\n0:1:2:3:4:5 10.0.0.1\n',
  ),
  tokens: [
    '\n',
    ',',
    ';',
    '"',
    '""',
    '{',
    '}',
    '[',
    ']',
    '#',
    '/*',
    '//',
    '<?include "a"?>',
    ':',
    '*',
    'host ',
    '\\',
  ],
  read: (input) => {
    const file = input.toString('utf8')
    const parsers = [
      parseCsvGuests,
      parseDnsmasqHosts,
      parseIscHosts,
      parseKeaReservations,
      parseCobblerSystems,
      parseEthers,
    ]
    const ground = { guests: [], written: new Map(), profiles: new Set<string>() }
    refusesBy(Failure, () => formatOf(file))
    refusesBy(Failure, () => parseJsonData(file))
    for (const separator of csvSeparators)
      for (const { cells } of parseCsv(file, separator))
        if (cells.length === 0) throw new Error('a record without a value')
    for (const parse of parsers)
      refusesBy(Failure, () => [true, false].map((isOwn) => planImport(parse(file), { ...ground, isOwn })))
  },
  cost: 6,
} as const satisfies Fuzzer
