/**
 * UUIDs and serial numbers of machines (SMBIOS) in one spelling: from the text that a client sent to the
 * canonical form, or undefined.
 */
import { requestLimits } from '../limits/requests.ts'

/** Longer than every valid spelling. Longer text is refused without parsing. */
const maxLength = requestLimits.identity.bytes

const uuidForm = /^([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})$/i

/** What makers of boards write for all of them (American Megatrends' example, in both byte orders). */
const placeholderUuids: ReadonlySet<string> = new Set([
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
])

/**
 * Whether a UUID is the placeholder of a board that was given none: all zeros or all ones (SMBIOS 7.2.1), another byte
 * again and again, or what its maker left in thousands. It identifies no machine.
 */
export function isPlaceholderUuid(text: string): boolean {
  const uuid = canonicalUuid(text) ?? ''
  return /^(..)\1{15}$/.test(uuid.replaceAll('-', '')) || placeholderUuids.has(uuid)
}

/** Serial numbers that vendors leave in thousands of boards, canonical. */
const placeholderSerials: ReadonlySet<string> = new Set([
  'to be filled by o.e.m.',
  'to be filled by o.e.m',
  'default string',
  'system serial number',
  'system serial',
  'chassis serial number',
  'not specified',
  'not applicable',
  'not available',
  'n/a',
  'none',
  'empty',
  'invalid',
  'unknown',
  'o.e.m.',
  'oem',
])

/** Nothing but zeros, `x` and dots, or the digits in their order: 0123456789 is on boards of several makers. */
const placeholderDigits = /^(?:[0x. -]+|0?123456789(?:0|abcdef)?)$/

/** Whether a serial number identifies no machine. */
export function isPlaceholderSerial(text: string): boolean {
  const serial = canonicalSerial(text) ?? ''
  return placeholderSerials.has(serial) || placeholderDigits.test(serial)
}

/** Whether two canonical UUIDs are the same, in either byte order. */
export function sameUuid(a: string, b: string): boolean {
  return a === b || a === swapUuid(b)
}

/**
 * The canonical spelling of a UUID, or undefined: lower case with dashes, in the byte order that it has.
 * Braces, `urn:uuid:`, missing dashes and any case are accepted.
 */
export function canonicalUuid(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim().replace(/^urn:uuid:/i, '')
  const bare = plain.startsWith('{') && plain.endsWith('}') ? plain.slice(1, -1) : plain
  const match = uuidForm.exec(bare)
  if (!match) return undefined
  const [, low, , mid, high, clock, node] = match
  return `${low}-${mid}-${high}-${clock}-${node}`.toLowerCase()
}

/**
 * A UUID with its first three groups in the opposite byte order. SMBIOS 2.6 (7.2.1) stores them
 * little-endian; PXELINUX 6 asks for the raw bytes (`44454c4c-4200-1035-...`) of a machine that iPXE and the
 * kernel call `4c4c4544-0042-3510-...`. Takes and returns the canonical form.
 */
export function swapUuid(uuid: string): string {
  const [low = '', mid = '', high = '', ...rest] = uuid.split('-')
  return [swapBytes(low), swapBytes(mid), swapBytes(high), ...rest].join('-')
}

function swapBytes(hex: string): string {
  return (hex.match(/../g) ?? []).reverse().join('')
}

/**
 * A serial number without blanks around it and in lower case: vendors print and report them in different
 * case.
 */
export function canonicalSerial(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim().toLowerCase()
  return plain === '' ? undefined : plain
}
