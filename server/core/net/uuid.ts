/**
 * What SMBIOS says of a machine, in one spelling: its UUID and its serial number. Takes what a client sent, however
 * odd, and gives the canonical form or undefined.
 */

/** Longer than any spelling that we know; a longer text is not looked at. */
const maxLength = 128

const uuidForm = /^([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})$/i

/** What boards report that nobody gave a UUID: all zeros, or all ones (SMBIOS 7.2.1). It names no machine. */
export function isPlaceholderUuid(text: string): boolean {
  return /^(?:[0-]+|[f-]+)$/i.test(text.trim()) && uuidForm.test(text.trim())
}

/** A UUID as lower case with dashes, in the byte order it was given. Braces, `urn:uuid:`, missing dashes and any case are read. */
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
 * The same UUID with its first three groups in the other byte order. SMBIOS 2.6 (7.2.1) stores them little-endian;
 * PXELINUX 6 asks for the raw bytes (`44454c4c-4200-1035-...`) of the machine that iPXE and the kernel call
 * `4c4c4544-0042-3510-...`. Takes and gives the canonical form.
 */
export function swapUuid(uuid: string): string {
  const [low = '', mid = '', high = '', ...rest] = uuid.split('-')
  return [swapBytes(low), swapBytes(mid), swapBytes(high), ...rest].join('-')
}

function swapBytes(hex: string): string {
  return (hex.match(/../g) ?? []).reverse().join('')
}

/** A serial number without blanks around it and in lower case: vendors print and report them in different case. */
export function canonicalSerial(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim().toLowerCase()
  return plain === '' ? undefined : plain
}
