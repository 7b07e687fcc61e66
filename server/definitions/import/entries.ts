import type { YamlMapping } from '../../config/yaml.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { canonicalMac, cardMac } from '../../core/net/mac.ts'

/** What the readers of other programs' files have in common. All of them are pure: text in, entries out. */

/** A machine that a file names, before anything is made of it. */
export interface FoundMachine {
  /** As it is written: a host name, or the name of a guest. */
  readonly name?: string
  /** Canonical addresses of cards. */
  readonly macs: readonly string[]
  readonly uuid?: string
  /** Canonical addresses, in the order of the file. */
  readonly ips: readonly string[]
  /** When it is another than the name. */
  readonly hostname?: string
  /** What the other program calls its profile. */
  readonly profile?: string
  /** The definition as the file has it: then only `name` counts of all the above. */
  readonly settings?: YamlMapping
  /** What of the entry was left out or taken in another way, in words. */
  readonly notes: readonly string[]
}

/** One entry of a file. `faulty`: the program that the file belongs to refuses it as well. */
export type FoundEntry =
  | { readonly result: 'found'; readonly line: number; readonly machine: FoundMachine }
  | {
      readonly result: 'skipped' | 'faulty'
      readonly line: number
      /** What the entry is about, as far as that is known: a name or an address. */
      readonly name?: string
      readonly why: string
    }

const mostEntries = configurationLimits.guestsToImport.entries

/** Collects the entries of a file. */
export class Entries {
  readonly all: FoundEntry[] = []

  add(entry: FoundEntry): void {
    if (this.all.length === mostEntries)
      throw new Failure('invalid-data', `line ${entry.line}: the file has more than ${mostEntries} entries`)
    this.all.push(entry)
  }

  found(line: number, machine: FoundMachine): void {
    this.add({ result: 'found', line, machine })
  }

  skipped(line: number, name: string | undefined, why: string): void {
    this.add({ result: 'skipped', line, why, ...(name === undefined ? {} : { name }) })
  }

  faulty(line: number, name: string | undefined, why: string): void {
    this.add({ result: 'faulty', line, why, ...(name === undefined ? {} : { name }) })
  }
}

/** Lines with their numbers, from 1. */
export function numberedLines(text: string): { readonly line: number; readonly text: string }[] {
  return text.split(/\r?\n/).map((each, at) => ({ line: at + 1, text: each }))
}

/** Six bytes of one or two digits, as ether_aton(3), dnsmasq and dhcpd read them: `0:16:3e:1:2:3`. */
const shortForm = /^(?:[0-9a-f]{1,2}:){5}[0-9a-f]{1,2}$/i

/** The canonical address of a card whose bytes may have one digit; undefined for any other text. */
export function macOf(text: string): string | undefined {
  const plain = text.trim()
  if (!shortForm.test(plain)) return cardMac(plain)
  const bytes = plain.split(':').map((byte) => byte.padStart(2, '0'))
  return cardMac(bytes.join(':'))
}

/** Why a text that has the form of a MAC address is not that of a card. */
export function whyNoCard(text: string): string {
  const isForm = shortForm.test(text.trim()) || canonicalMac(text) !== undefined
  return isForm ? `${text} is not the address of one card` : `${text} is not a MAC address of Ethernet`
}

/** A client identifier of DHCPv4 that is a hardware type and an address (RFC 2132, 9.14): `01:52:54:00:aa:bb:01`. */
export function macOfClientId(text: string): string | undefined {
  const [, rest] = /^0?1:(.+)$/.exec(text.trim()) ?? []
  return rest === undefined ? undefined : macOf(rest)
}

/**
 * By what a DUID tells a machine (RFC 8415, 11): the address of a card in types 1 and 3 of Ethernet, the UUID in
 * type 4. A machine keeps its DUID when its card is replaced, so this MAC may be that of an earlier card.
 */
export function identityOfDuid(text: string): { readonly mac?: string; readonly uuid?: string } {
  const hex = text.replace(/[:\-\s]/g, '').toLowerCase()
  const [, byCard] = /^(?:00010001[0-9a-f]{8}|00030001)([0-9a-f]{12})$/.exec(hex) ?? []
  const mac = byCard === undefined ? undefined : cardMac(byCard)
  if (mac !== undefined) return { mac }
  const [, low, mid, high, clock, node] =
    /^0004([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(hex) ?? []
  return low === undefined ? {} : { uuid: [low, mid, high, clock, node].join('-') }
}
