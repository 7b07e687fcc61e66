const dayMs = 86_400_000

/** The times at which a mirror is checked. */
export type Schedule =
  | { readonly kind: 'every'; readonly ms: number }
  /** In the server's own time zone. */
  | { readonly kind: 'daily'; readonly hour: number; readonly minute: number }

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: dayMs }
const leastMs = 10 * 60_000

/**
 * Parses `every 24h`, `every 30m`, `every 7d` or `daily at 03:00`. Undefined for other text, or less than 10
 * minutes.
 */
export function parseSchedule(text: string): Schedule | undefined {
  const [, count = '', unit = ''] = /^\s*every\s+(\d{1,4})\s*([mhd])[a-z]*\s*$/i.exec(text) ?? []
  const ms = Number(count) * (units[unit.toLowerCase()] ?? 0)
  if (count !== '') return ms >= leastMs ? { kind: 'every', ms } : undefined
  const [, hour = '', minute = ''] = /^\s*daily\s+at\s+(\d{1,2}):(\d{2})\s*$/i.exec(text) ?? []
  if (hour === '' || Number(hour) > 23 || Number(minute) > 59) return undefined
  return { kind: 'daily', hour: Number(hour), minute: Number(minute) }
}

/**
 * When a mirror is due (ms since 1970), given the time of its last check. Without a last check it is due at
 * once (0). A check that was missed while the server was down is due at once, and only once.
 *
 * @param atTime Returns the moment with this hour and minute on the day of `ms`, in the time zone of the
 *   server.
 */
export function dueMs(
  schedule: Schedule,
  lastMs: number | undefined,
  atTime: (ms: number, hour: number, minute: number) => number,
): number {
  if (lastMs === undefined) return 0
  if (schedule.kind === 'every') return lastMs + schedule.ms
  const at = (ms: number): number => atTime(ms, schedule.hour, schedule.minute)
  const today = at(lastMs)
  if (today > lastMs) return today
  const tomorrow = at(lastMs + dayMs)
  // A day may have 25 hours, when summer time ends.
  return tomorrow > lastMs ? tomorrow : at(lastMs + 1.5 * dayMs)
}
