/**
 * Decodes seven bytes: years since 1900, month, day, hour, minute, second, quarters of an hour east of
 * Greenwich (ECMA-119 9.1.5). 0 when the time is not set.
 */
export function recordTime(bytes: Buffer, at: number): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = bytes.subarray(at, at + 6)
  if (month === 0) return 0
  return Date.UTC(1900 + year, month - 1, day, hour, minute, second) - eastMs(bytes, at + 6)
}

/**
 * Decodes 17 bytes: `YYYYMMDDHHMMSScc` in digits, and quarters of an hour east of Greenwich (ECMA-119 8.4.26.1). 0
 * when the time is not set: all digits are 0.
 */
export function digitsTime(bytes: Buffer, at: number): number {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(bytes.toString('latin1', at, at + 14))
  if (!match) return 0
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  return year === 0 ? 0 : Date.UTC(year, month - 1, day, hour, minute, second) - eastMs(bytes, at + 16)
}

function eastMs(bytes: Buffer, at: number): number {
  return bytes.readInt8(at) * 15 * 60_000
}
