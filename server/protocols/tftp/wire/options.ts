import type { Options } from './packet.ts'

/**
 * The options of a request: RFC 2347 (negotiation), 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize).
 */

/** The most that this server agrees to. */
export interface OptionLimits {
  /** Data octets in a packet, at most 65464. */
  readonly blksize: number
  /** Packets in one window. */
  readonly windowsize: number
  /** Octets in one window: lowers the window of large blocks, but never below one block. */
  readonly windowBytes: number
}

/**
 * A larger window is not faster, and it overflows the usual receive buffer of a Linux client: 212992 octets,
 * of which a frame of 1500 octets takes 2304.
 */
export const defaultOptionLimits: OptionLimits = { blksize: 65464, windowsize: 64, windowBytes: 128 * 1024 }

/** The options of one transfer, agreed on or by default. */
export interface AgreedOptions {
  readonly blksize: number
  readonly windowsize: number
  /** The first wait before a packet is repeated. */
  readonly timeoutMs: number
  /**
   * The OACK's options, in the order of the request. Empty: the transfer begins with DATA 1, without an OACK
   * (RFC 2347).
   */
  readonly accepted: Options
}

/**
 * The timeout when the client asks for none. RFC 1350 names no value; clients of tftpd-hpa and atftpd work
 * with 1 s.
 */
const defaultTimeoutMs = 1000

/**
 * Agrees to the options of a request: only to options that it has, and to at most the values that it asks
 * for. A value outside the range of its RFC is left out of the OACK, as the RFCs allow. The transfer then
 * runs without that option. Servers that refused the whole request (ERROR 8) left firmware unable to boot for
 * one bad number.
 *
 * `size` is the number of octets to send, after the netascii conversion if there is one. A `tsize` always
 * gets its value: without it EDK2 gives up with PXE-E99.
 */
export function negotiate(requested: Options, size: number, limits: OptionLimits): AgreedOptions {
  const blksize = agreeBlksize(requested.get('blksize'), limits)
  const windowsize = agreeWindowsize(requested.get('windowsize'), blksize ?? 512, limits)
  const timeoutS = integerIn(requested.get('timeout'), 1, 255)
  const values: Record<string, number | undefined> = { blksize, windowsize, timeout: timeoutS, tsize: size }
  const accepted = new Map<string, string>()
  for (const name of requested.keys()) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (value !== undefined) accepted.set(name, String(value))
  }
  return {
    blksize: blksize ?? 512,
    windowsize: windowsize ?? 1,
    timeoutMs: timeoutS === undefined ? defaultTimeoutMs : timeoutS * 1000,
    accepted,
  }
}

/**
 * RFC 2348: the client asks for 8 to 65464, and the server may agree to less. We lower a larger value to our
 * limit.
 */
function agreeBlksize(requested: string | undefined, limits: OptionLimits): number | undefined {
  const value = integerIn(requested, 8, Number.MAX_SAFE_INTEGER)
  return value === undefined ? undefined : Math.max(8, Math.min(value, limits.blksize, 65464))
}

/** RFC 7440 section 3: 1 to 65535. Above 32767 an old ACK looks like a new one, so we never agree to more. */
function agreeWindowsize(
  requested: string | undefined,
  blksize: number,
  limits: OptionLimits,
): number | undefined {
  const value = integerIn(requested, 1, 65535)
  if (value === undefined) return undefined
  return Math.max(1, Math.min(value, limits.windowsize, 32767, Math.floor(limits.windowBytes / blksize)))
}

/**
 * Parses a number of at most ten decimal digits; undefined for other text and outside the range. `1e3`,
 * `0x10`, ` 8`, `-1` and the empty string are not numbers here.
 */
function integerIn(value: string | undefined, from: number, to: number): number | undefined {
  if (value === undefined || !/^[0-9]{1,10}$/.test(value)) return undefined
  const number = Number(value)
  return number >= from && number <= to ? number : undefined
}
