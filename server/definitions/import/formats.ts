import { Failure } from '../../core/failure.ts'
import { parseCobblerSystems } from './cobbler.ts'
import { isCsvOfGuests, parseCsvGuests } from './csv-entries.ts'
import { isHostsLine, parseDnsmasqHosts } from './dnsmasq.ts'
import { type FoundEntry, macOf, numberedLines } from './entries.ts'
import { parseEthers } from './ethers.ts'
import { parseIscHosts } from './isc-dhcpd.ts'
import { parseKeaReservations } from './kea.ts'

/** A kind of file that names machines. */
interface ImportFormat {
  /** For people. */
  readonly what: string
  /** Whether it is a table of guests: then its entries are the operator's own words, and any doubt is a mistake. */
  readonly isOwn: boolean
  /** Whether a text looks like one of this kind. The first of the table that does is taken. */
  readonly fits: (text: string) => boolean
  readonly parse: (text: string) => readonly FoundEntry[]
}

const isJson = (text: string): boolean => /^\s*(?:[[{]|\/[/*]|#[^\n]*\n\s*\{)/.test(text)

export const importFormats = {
  kea: {
    what: 'the configuration of Kea',
    isOwn: false,
    fits: (text) => isJson(text) && /"(?:Dhcp[46]|reservations)"\s*:/.test(text),
    parse: parseKeaReservations,
  },
  cobbler: {
    what: 'systems of Cobbler',
    isOwn: false,
    fits: (text) =>
      (isJson(text) && /"interfaces"\s*:/.test(text)) || /^(?:mac_address_\S+|system_name)\s*:\s/m.test(text),
    parse: parseCobblerSystems,
  },
  csv: {
    what: 'a CSV table of guests',
    isOwn: true,
    fits: isCsvOfGuests,
    parse: parseCsvGuests,
  },
  isc: {
    what: 'the configuration of ISC dhcpd',
    isOwn: false,
    fits: (text) => /^[^#\n]*\bhost\s+\S+\s*\{/im.test(text),
    parse: parseIscHosts,
  },
  dnsmasq: {
    what: 'the configuration of dnsmasq',
    isOwn: false,
    fits: (text) =>
      numberedLines(text).some(
        (each) => /^\s*(?:--)?dhcp-host\s*=/.test(each.text) || isHostsLine(each.text.trim()),
      ),
    parse: parseDnsmasqHosts,
  },
  ethers: {
    what: '/etc/ethers',
    isOwn: false,
    fits: (text) =>
      numberedLines(text).some((each) => macOf(/^\s*(\S+)\s+\S/.exec(each.text)?.[1] ?? '') !== undefined),
    parse: parseEthers,
  },
} as const satisfies Record<string, ImportFormat>

export type ImportFormatName = keyof typeof importFormats
export const importFormatNames = Object.keys(importFormats) as ImportFormatName[]

/** The format that a text looks like. @throws Failure `invalid-data` when it looks like none. */
export function formatOf(text: string): ImportFormatName {
  const found = importFormatNames.find((name) => importFormats[name].fits(text))
  if (found) return found
  throw new Failure(
    'invalid-data',
    `it looks like none of ${importFormatNames.join(', ')}; say which by --from, or name a file that has machines in it`,
  )
}
