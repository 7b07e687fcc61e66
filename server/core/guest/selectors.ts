import { isInNetworks } from '../net/network.ts'
import { swapUuid } from '../net/uuid.ts'
import type { MachineFacts } from './machine-facts.ts'

/** What becomes of an unknown machine that a profile selects. */
export const selectorActions = ['menu', 'local', 'install'] as const
export type SelectorAction = (typeof selectorActions)[number]

/** One alternative of `match`: a machine fits when all these keys fit. Canonical; at least one is there. */
export interface Alternative {
  readonly uuid?: string
  readonly serial?: string
  /** Hexadecimal digits without separators: `525400`, and `70b3d5123` of a MA-S block, which ends within an octet. */
  readonly macPrefix?: string
  /** A network as `canonicalNetwork` spells it. */
  readonly subnet?: string
  /** The beginning of the vendor class or of the maker, in lower case. */
  readonly vendor?: string
  readonly arch?: string
}

export type SelectorKey = keyof Alternative

/** Which unknown machines get a profile. */
export interface Selector {
  readonly profile: string
  readonly auto: SelectorAction
  readonly alternatives: readonly Alternative[]
  /** How many machines it makes guests within an hour, with `auto: install`. */
  readonly autoLimit?: number
  /** `profiles.d/lab.yaml:3` */
  readonly definedAt: string
}

/** What selectors say of one machine. */
export type Selected =
  | { readonly kind: 'none' }
  /** `by`: the keys that fit, for people: `mac-prefix 52:54:00, arch x86_64`. */
  | { readonly kind: 'profile'; readonly selector: Selector; readonly by: string; readonly waits: Waits }
  /** Several profiles fit, and none more particularly than the others. In the order of their names. */
  | { readonly kind: 'tie'; readonly profiles: readonly string[]; readonly by: string }

/**
 * What the machine has not shown yet, and by which another profile may turn out to be as particular or more. Empty when
 * nothing that it may still show can change what was selected.
 */
export type Waits = ReadonlySet<SelectorKey>

/**
 * Which profile an unknown machine gets by what it has shown. The most particular alternative wins: a UUID before a
 * serial number, then the longer beginning of a MAC, the longer prefix of a network, a vendor, an architecture. Where two
 * agree in the first of these, the next decides, so of two alternatives that agree in all, the one with more keys wins.
 * The order of the profiles, and that of the alternatives, never matters.
 */
export function selectProfile(facts: MachineFacts, selectors: readonly Selector[]): Selected {
  const judged = selectors.map((selector) => ({ selector, ...judge(facts, selector.alternatives) }))
  const fitting = judged.flatMap(({ selector, best }) => (best ? [{ selector, best }] : []))
  const [first, ...others] = fitting
  if (!first) return { kind: 'none' }
  const top = others.reduce((most, { best }) => (compareRanks(best, most) > 0 ? best : most), first.best)
  const winners = fitting.filter(({ best }) => compareRanks(best, top) === 0)
  const [winner = first, second] = winners
  if (second) {
    const profiles = winners.map(({ selector }) => selector.profile).sort()
    return { kind: 'tie', profiles, by: keysText(top) }
  }
  const rivals = judged.filter(({ selector }) => selector !== winner.selector)
  const waits = rivals.flatMap(({ open }) => open.filter(({ each }) => compareRanks(each, top) >= 0))
  return {
    kind: 'profile',
    selector: winner.selector,
    by: alternativeText(top),
    waits: new Set(waits.flatMap(({ missing }) => missing)),
  }
}

/** The best alternative that fits, and those of which the machine has not shown enough, with what is missing. */
function judge(
  facts: MachineFacts,
  alternatives: readonly Alternative[],
): { readonly best?: Alternative; readonly open: readonly Open[] } {
  let best: Alternative | undefined
  const open: Open[] = []
  for (const each of alternatives) {
    const fits = keysIn(each).map((key) => ({ key, fit: fitOf[key](each[key] ?? '', facts) }))
    if (fits.some(({ fit }) => fit === false)) continue
    const missing = fits.flatMap(({ key, fit }) => (fit === undefined ? [key] : []))
    if (missing.length > 0) open.push({ each, missing })
    else if (!best || compareRanks(each, best) > 0) best = each
  }
  return { ...(best && { best }), open }
}

interface Open {
  readonly each: Alternative
  readonly missing: readonly SelectorKey[]
}

/** Whether a key fits; undefined while the machine has not shown what decides it. */
type Fit = boolean | undefined

/** The most particular key first: the order in which alternatives are compared. */
const fitOf: Readonly<Record<SelectorKey, (wanted: string, facts: MachineFacts) => Fit>> = {
  uuid: (wanted, { uuid }) => ifShown(uuid, (shown) => shown === wanted || shown === swapUuid(wanted)),
  serial: (wanted, { serial }) => ifShown(serial, (shown) => shown === wanted),
  macPrefix: (wanted, { macs }) =>
    macs.length === 0 ? undefined : macs.some((mac) => mac.replaceAll(':', '').startsWith(wanted)),
  subnet: (wanted, { address }) => ifShown(address, (shown) => isInNetworks(shown, [wanted])),
  vendor: (wanted, { vendorClass, maker }) => {
    if ([vendorClass, maker].some((shown) => shown?.toLowerCase().startsWith(wanted))) return true
    // A vendor class is that of the firmware. Only iPXE tells the maker.
    return maker === undefined ? undefined : false
  },
  arch: (wanted, { archs }) => ifShown(archs, (shown) => shown.includes(wanted)),
}

function ifShown<T>(fact: T | undefined, fits: (shown: T) => boolean): Fit {
  return fact === undefined ? undefined : fits(fact)
}

const selectorKeys = Object.keys(fitOf) as SelectorKey[]

function keysIn(alternative: Alternative): SelectorKey[] {
  return selectorKeys.filter((key) => alternative[key] !== undefined)
}

/** Positive when `a` is more particular than `b`. 0: neither is. */
export function compareRanks(a: Alternative, b: Alternative): number {
  for (const key of selectorKeys) {
    const difference = weight(key, a[key]) - weight(key, b[key])
    if (difference !== 0) return difference
  }
  return 0
}

/** How much a key narrows down. Only of a MAC and of a network it depends on the value. */
function weight(key: SelectorKey, value: string | undefined): number {
  if (value === undefined) return 0
  if (key === 'macPrefix') return value.length
  if (key !== 'subnet') return 1
  // A single address is the longest prefix. One more, because 0.0.0.0/0 is a key, too.
  const longest = value.includes(':') ? 128 : 32
  return 1 + Number(value.split('/')[1] ?? longest)
}

const keyNames: Readonly<Record<SelectorKey, string>> = {
  uuid: 'uuid',
  serial: 'serial',
  macPrefix: 'mac-prefix',
  subnet: 'subnet',
  vendor: 'vendor',
  arch: 'arch',
}

/** Names of keys as the configuration spells them: `serial or arch`. */
export function waitsText(waits: Waits): string {
  return selectorKeys
    .filter((key) => waits.has(key))
    .map((key) => keyNames[key])
    .join(' or ')
}

function keysText(alternative: Alternative): string {
  return keysIn(alternative)
    .map((key) => keyNames[key])
    .join(', ')
}

/** An alternative for people: `mac-prefix 52:54:00, arch x86_64`. */
export function alternativeText(alternative: Alternative): string {
  return keysIn(alternative)
    .map((key) => `${keyNames[key]} ${valueText(key, alternative[key] ?? '')}`)
    .join(', ')
}

function valueText(key: SelectorKey, value: string): string {
  return key === 'macPrefix' ? (value.match(/..?/g) ?? []).join(':') : value
}

/** The selector of a profile for people, in one line: `mac-prefix 52:54:00 | subnet 10.0.0.0/8`. */
export function selectorLine({ alternatives }: Pick<Selector, 'alternatives'>): string {
  return alternatives.map(alternativeText).join(' | ')
}
