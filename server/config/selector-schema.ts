import type { z } from 'zod'
import { shownArchs } from '../core/guest/machine-facts.ts'
import { selectorActions } from '../core/guest/selectors.ts'
import { canonicalNetwork } from '../core/net/network.ts'
import { canonicalSerial, canonicalUuid } from '../core/net/uuid.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { canonical, count, line, oneOf, oneOrMore, section } from './schema-parts.ts'

/** The keys by which a profile selects unknown machines. */

const serialText = 'a serial number of at most 128 characters'
const prefixText = 'the beginning of a MAC address, such as 52:54:00'
const archText = `an architecture that firmware tells: ${shownArchs.join(', ')}`
const alternativeText = 'a mapping with uuid, serial, mac-prefix, subnet, vendor or arch'

/** Whoever wants more makes guests himself. */
const mostAnHour = 1000
const limitText = `a number of machines within an hour, from 1 to ${mostAnHour}`

/** Bounds what each unknown machine is compared with. */
const mostAlternatives = 1000

const alternative = section({
  uuid: canonical(canonicalUuid, 'a UUID such as 4c4c4544-0042-3510-8052-b4c04f4a3732').optional(),
  serial: line(serialText)
    .refine((value) => canonicalSerial(value) !== undefined, serialText)
    .transform((value) => value.trim().toLowerCase())
    .optional(),
  'mac-prefix': canonical(macPrefix, prefixText).optional(),
  subnet: canonical(canonicalNetwork, 'a network such as 10.0.0.0/8').optional(),
  vendor: line('the beginning of a vendor, such as Dell or HTTPClient')
    .transform((value) => value.trim().toLowerCase())
    .optional(),
  arch: canonical(shownArch, archText).optional(),
}).superRefine((written, context) => {
  if (Object.keys(written).length === 0) context.addIssue({ code: 'custom', message: alternativeText })
})

export const selectorKeys = {
  match: oneOrMore(alternative, `${alternativeText}, or a list of them`, mostAlternatives).optional(),
  auto: oneOf(selectorActions).optional(),
  'auto-limit': count(1, limitText)
    .refine((value) => value <= mostAnHour, limitText)
    .optional(),
}

export type AlternativeInFile = z.output<typeof alternative>

/**
 * Hexadecimal digits of two to twelve: IEEE gives out blocks of 24, 28 and 36 bits. Separators stand between octets, so
 * that `1:2` is not taken for `12`.
 */
function macPrefix(text: string): string | undefined {
  const plain = text.trim().toLowerCase()
  if (!/^(?:[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\1){0,5}(?:[0-9a-f]{1,2})?)$/.test(plain)) return undefined
  const digits = plain.replace(/[:-]/g, '')
  return digits.length <= 12 ? digits : undefined
}

function shownArch(text: string): string | undefined {
  const arch = canonicalArch(text)
  return shownArchs.includes(arch) ? arch : undefined
}
