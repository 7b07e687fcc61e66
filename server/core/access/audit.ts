import { defined } from '../defined.ts'
import type { AuditLine } from './records.ts'
import { starred } from './starred.ts'

/** Who does something, for the audit. */
export interface Actor {
  /** The name of an account, or words for somebody without one. */
  readonly account: string
  readonly token?: string
  /** The address, or where else it comes from. */
  readonly from: string
}

/** What is written of something that was done. `before` and `after` are values; their secrets are starred here. */
export interface Done {
  /** A word for the room and one for the deed: `accounts.add`. */
  readonly action: string
  readonly target: string
  readonly before?: unknown
  readonly after?: unknown
}

/** The most characters of `before`, of `after`, and of every other text. */
const mostOfValue = 16_384
const mostOfWord = 300

export function auditLine(by: Actor, atMs: number, { action, target, before, after }: Done): AuditLine {
  return defined({
    atMs,
    account: clipped(by.account, mostOfWord),
    token: by.token === undefined ? undefined : clipped(by.token, mostOfWord),
    from: clipped(by.from, mostOfWord),
    action: clipped(action, mostOfWord),
    target: clipped(target, mostOfWord),
    before: valueText(before),
    after: valueText(after),
  })
}

/** A value that is too long becomes a JSON string with its beginning. */
function valueText(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const text = JSON.stringify(starred(value)) ?? 'null'
  return text.length <= mostOfValue ? text : JSON.stringify(clipped(text, mostOfValue / 2))
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}
