import type { Options } from './packet.ts'

/** What this server will agree to at most. */
export interface OptionLimits {
  /** Data octets in a packet, at most 65464. */
  readonly blksize: number
  /** Packets on their way at once. */
  readonly windowsize: number
  /** Octets on their way at once; lowers the window of large blocks. Never below one block. */
  readonly windowBytes: number
}

/**
 * A larger window gains nothing more, and overflows the usual receive buffer of a client on Linux: 212992 octets, of
 * which a frame of 1500 takes 2304.
 */
export const defaultOptionLimits: OptionLimits = { blksize: 65464, windowsize: 64, windowBytes: 128 * 1024 }

/** How one transfer is carried out. */
export interface Agreed {
  readonly blksize: number
  readonly windowsize: number
  /** First wait before a packet is repeated. */
  readonly timeoutMs: number
  /** What the OACK says, in the order it was asked. Empty: no OACK, the transfer begins with DATA 1 (RFC 2347). */
  readonly echo: Options
}

/** RFC 1350 names no value; 1 s is what tftpd-hpa and atftpd's clients live with. */
const defaultTimeoutMs = 1000

/**
 * Answers a request's options: only what was asked, never more than was asked. A value outside its RFC's range is
 * left out of the answer, which the RFCs allow at any time, and the transfer goes on without it: refusing the whole
 * request (ERROR 8) has left firmware unable to boot for one bad number.
 *
 * `size` is what will be sent, in octets (after the netascii conversion, if any). `tsize` is always answered:
 * without it EDK2 gives up with PXE-E99.
 */
export function negotiate(requested: Options, size: number, limits: OptionLimits): Agreed {
  const blksize = agreeBlksize(requested.get('blksize'), limits)
  const windowsize = agreeWindowsize(requested.get('windowsize'), blksize ?? 512, limits)
  const timeoutS = inRange(requested.get('timeout'), 1, 255)
  const answers: Record<string, number | undefined> = { blksize, windowsize, timeout: timeoutS, tsize: size }
  const echo = new Map<string, string>()
  for (const name of requested.keys()) {
    const answer = Object.hasOwn(answers, name) ? answers[name] : undefined
    if (answer !== undefined) echo.set(name, String(answer))
  }
  return {
    blksize: blksize ?? 512,
    windowsize: windowsize ?? 1,
    timeoutMs: timeoutS === undefined ? defaultTimeoutMs : timeoutS * 1000,
    echo,
  }
}

/** RFC 2348: 8 to 65464, and the server may answer with less; so more than that is answered with our most. */
function agreeBlksize(asked: string | undefined, limits: OptionLimits): number | undefined {
  const value = inRange(asked, 8, Number.MAX_SAFE_INTEGER)
  return value === undefined ? undefined : Math.max(8, Math.min(value, limits.blksize, 65464))
}

/** RFC 7440 section 3: 1 to 65535. Above 32767 an old ACK could not be told from a new one; our limits stay below. */
function agreeWindowsize(
  asked: string | undefined,
  blksize: number,
  limits: OptionLimits,
): number | undefined {
  const value = inRange(asked, 1, 65535)
  if (value === undefined) return undefined
  return Math.max(1, Math.min(value, limits.windowsize, 32767, Math.floor(limits.windowBytes / blksize)))
}

/** Decimal digits only, at most ten of them: `1e3`, `0x10`, ` 8`, `-1` and the empty string are no numbers here. */
function inRange(value: string | undefined, from: number, to: number): number | undefined {
  if (value === undefined || !/^[0-9]{1,10}$/.test(value)) return undefined
  const number = Number(value)
  return number >= from && number <= to ? number : undefined
}
