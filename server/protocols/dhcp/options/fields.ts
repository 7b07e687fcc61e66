import { optionCode } from './option.ts'

/**
 * The option fields of a packet: code, length, value, one after another. RFC 2132 section 2; RFC 3396 for
 * values of more than 255 octets, which are sent in parts; RFC 2131 section 4.1 and RFC 2132 section 9.3 for
 * options that overflow into `file` and `sname`.
 */

/** The longest value of one part. */
const maxPartBytes = 255

/**
 * Reads one field and adds its options to `into`. A part of a long option is joined to the parts before it.
 * Ends at END or at the end of the field: some relays cut the END off.
 *
 * @returns The reason why the field is damaged; undefined for a field that is not.
 */
export function readField(field: Uint8Array, into: Map<number, Uint8Array>): string | undefined {
  for (let at = 0; at < field.length; ) {
    const code = field[at] ?? 0
    if (code === optionCode.end) return undefined
    if (code === optionCode.pad) {
      at++
      continue
    }
    const length = field[at + 1]
    if (length === undefined) return `option ${code} ends before its length`
    const start = at + 2
    const end = start + length
    if (end > field.length)
      return `option ${code} says ${length} octets, and only ${field.length - start} follow`
    const part = field.subarray(start, end)
    const before = into.get(code)
    into.set(code, before ? Buffer.concat([before, part]) : part)
    at = end
  }
  return undefined
}

/**
 * Encodes options as parts: a value of more than 255 octets gets several. RFC 3396 demands that the order is
 * kept.
 */
export function writeParts(options: Iterable<readonly [number, Uint8Array]>): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (const [code, value] of options) {
    let at = 0
    do {
      const part = value.subarray(at, at + maxPartBytes)
      parts.push(Buffer.concat([Buffer.from([code, part.length]), part]))
      at += maxPartBytes
    } while (at < value.length)
  }
  return parts
}

/**
 * Encodes a field of at most `room` octets: removes parts from the front of `parts` while they and an END
 * fit. The first part that does not fit ends the field, because the order of parts must be kept.
 */
export function fillField(parts: Uint8Array[], room: number): Uint8Array {
  const taken: Uint8Array[] = []
  let used = 1 // the END
  for (let next = parts[0]; next && used + next.length <= room; next = parts[0]) {
    taken.push(next)
    used += next.length
    parts.shift()
  }
  return Buffer.concat([...taken, Buffer.from([optionCode.end])])
}
