import { defined } from '../defined.ts'
import { Failure } from '../failure.ts'
import type { GuestFacts, TreeSelector, VirtType } from '../guest/guest.ts'
import { requestLimits } from '../limits/requests.ts'
import { canonicalMac } from '../net/mac.ts'
import { canonicalUuid } from '../net/uuid.ts'
import { nearestName } from '../select/nearest.ts'

/** A question to the lookup. It names a tree, traits of a tree, or a guest. */
export interface LookupQuery {
  /** The tree, by id or traits; absent when the guest's own tree is meant. */
  readonly tree?: TreeSelector
  readonly guest?: GuestFacts
  readonly virt?: VirtType
}

export const lookupKeys = [
  'tree',
  'distro',
  'version',
  'variant',
  'arch',
  'guest',
  'mac',
  'uuid',
  'virt',
  'as',
] as const
type LookupKey = (typeof lookupKeys)[number]

const traitKeys = ['distro', 'version', 'variant', 'arch'] as const

/** Longer than any id, name or version that we know. */
const maxLength = requestLimits.lookupValue.bytes

/** A parameter as whoever asks writes it, for messages; without a value only its name. */
export type SpellParam = (key: string, value?: string) => string

/** As in the query of a URL. */
const inUrl: SpellParam = (key, value = '') => `${key}=${value}`

/**
 * Reads the parameters of a lookup. Empty values count as not given, so that scripts may pass what they have.
 * `as` is accepted here and read by the renderer.
 *
 * @throws Failure `bad-request` naming the parameter, what was found and what was expected.
 */
export function parseLookupQuery(
  params: Readonly<Record<string, unknown>>,
  spell: SpellParam = inUrl,
): LookupQuery {
  const given = readParams(params)
  const { tree: id, distro, version, variant, arch } = given
  const traits = defined({ distro, version, variant, arch })
  const narrowing = traitKeys.filter((key) => given[key] !== undefined)
  const hasTraits = narrowing.length > 0
  if (id !== undefined && hasTraits)
    throw bad(
      `${spell('tree', id)} names one tree; ${narrowing.map((key) => spell(key)).join(', ')} cannot narrow it: give one or the other`,
    )
  const virt = virtType(given.virt, spell)
  const guest = guestFacts(given, spell)
  if (id === undefined && !hasTraits && !guest)
    throw bad(
      `nothing asked: expected ${spell('tree', 'ID')}, or any of ${traitKeys.map((key) => spell(key)).join(', ')}, or ${spell('guest')}, ${spell('mac')} or ${spell('uuid')}`,
    )
  const byId = id === undefined ? undefined : { id: id.replace(/^\/+|\/+$/g, '') }
  return defined({ tree: hasTraits ? traits : byId, guest, virt })
}

function readParams(params: Readonly<Record<string, unknown>>): Partial<Record<LookupKey, string>> {
  const given: Partial<Record<LookupKey, string>> = {}
  for (const [key, value] of Object.entries(params)) {
    if (!isLookupKey(key)) {
      const near = nearestName(key, lookupKeys)
      throw bad(
        `unknown parameter ${key.slice(0, 60)}${near ? `: did you mean ${near}?` : `; known are ${lookupKeys.join(', ')}`}`,
      )
    }
    if (typeof value !== 'string') throw bad(`${key}: expected one value`)
    if (value.length > maxLength) throw bad(`${key}: ${value.length} characters; at most ${maxLength}`)
    if (value !== '') given[key] = value
  }
  return given
}

function isLookupKey(key: string): key is LookupKey {
  return (lookupKeys as readonly string[]).includes(key)
}

function virtType(text: string | undefined, spell: SpellParam): VirtType | undefined {
  if (text === undefined || text === 'hvm' || text === 'pv') return text
  throw bad(`${spell('virt', text)}: expected hvm or pv`)
}

function guestFacts(
  { guest: name, mac, uuid }: Partial<Record<LookupKey, string>>,
  spell: SpellParam,
): GuestFacts | undefined {
  if (mac !== undefined && canonicalMac(mac) === undefined)
    throw bad(`${spell('mac', mac)}: expected six bytes in hex, as 52:54:00:aa:bb:01`)
  if (uuid !== undefined && canonicalUuid(uuid) === undefined)
    throw bad(`${spell('uuid', uuid)}: expected a UUID, as 4c4c4544-0042-3510-8052-b4c04f4a3132`)
  if (name === undefined && mac === undefined && uuid === undefined) return undefined
  return defined({ name, macs: mac === undefined ? undefined : [mac], uuid })
}

function bad(message: string): Failure {
  return new Failure('bad-request', message)
}
