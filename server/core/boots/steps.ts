import { type Step, type StepKind, type StepStatus, stepKinds } from './boot.ts'

/** What a fact says of one step. */
export interface StepNews {
  readonly kind: StepKind
  readonly status: StepStatus
  readonly startMs: number
  readonly endMs: number
  readonly bytes?: number
  /** How many files, all with the status; 1 when it is left out. */
  readonly count?: number
  readonly retries?: number
  readonly what?: string | undefined
  readonly words?: string | undefined
  readonly lost?: string | undefined
  readonly fault?: string | undefined
}

/** In milliseconds: the rate of packages is measured over at least this time. */
const windowMs = 3000
/** In characters, of texts that clients wrote. */
const mostText = 200

/** Text of a client, short and on one line. */
export function shortText(text: string): string {
  return text.slice(0, mostText).replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?')
}

/** The steps with the news of one of them. */
export function withNews(steps: readonly Step[], news: StepNews): readonly Step[] {
  const before = steps.find((step) => step.kind === news.kind)
  return placed(steps, before ? merged(before, news) : first(news))
}

/** Counts a usual side effect. Without the step there is nothing to fold it into. */
export function withFolded(steps: readonly Step[], kind: StepKind, atMs: number): readonly Step[] {
  const before = steps.find((step) => step.kind === kind)
  return before
    ? placed(steps, { ...before, folded: before.folded + 1, endMs: Math.max(before.endMs, atMs) })
    : steps
}

function first(news: StepNews): Step {
  const { kind, status, startMs, endMs, bytes = 0, count = 1, retries = 0, what, words, lost, fault } = news
  return {
    kind,
    status,
    startMs,
    endMs,
    bytes,
    rate: rateOf(bytes, endMs - startMs),
    count: status === 'done' ? count : 0,
    retries,
    folded: 0,
    what: shortText(what ?? ''),
    again: 1,
    ...(words !== undefined && { words: shortText(words) }),
    ...(lost !== undefined && { lost: shortText(lost) }),
    ...(fault !== undefined && { fault: shortText(fault) }),
    ...(kind === 'packages' && { window: { sinceMs: startMs, bytes } }),
  }
}

function merged(before: Step, news: StepNews): Step {
  const isDone = news.status === 'done'
  const isAgain =
    isDone && before.count > 0 && news.what !== undefined && shortText(news.what) === before.what
  const bytes = news.bytes ?? 0
  return {
    ...before,
    // A file that came replaces the names that were not there; not the other way round.
    status: before.status === 'done' && news.status !== 'failed' ? 'done' : news.status,
    startMs: Math.min(before.startMs, news.startMs),
    endMs: Math.max(before.endMs, news.endMs),
    bytes: before.bytes + bytes,
    ...rates(before, news, bytes),
    count: before.count + (isDone ? (news.count ?? 1) : 0),
    retries: before.retries + (news.retries ?? 0) + (isAgain && !isSaid(before) ? 1 : 0),
    again: inARow(before, isDone, isAgain),
    ...(isDone && news.what !== undefined && { what: shortText(news.what) }),
    ...(news.words !== undefined && { words: shortText(news.words) }),
    ...(news.lost !== undefined && { lost: shortText(news.lost) }),
    ...(news.fault !== undefined && { fault: shortText(news.fault) }),
  }
}

/** What a machine says may be the same twice, and nothing is sent again. */
function isSaid({ kind }: Step): boolean {
  return kind === 'report' || kind === 'log'
}

function rates(before: Step, news: StepNews, bytes: number): Pick<Step, 'rate' | 'window'> {
  if (before.kind !== 'packages')
    return bytes > 0 ? { rate: rateOf(bytes, news.endMs - news.startMs) } : { rate: before.rate }
  const { sinceMs, bytes: earlier } = before.window ?? { sinceMs: news.startMs, bytes: 0 }
  const passed = news.endMs - sinceMs
  if (passed < windowMs) return { rate: before.rate, window: { sinceMs, bytes: earlier + bytes } }
  return { rate: rateOf(earlier + bytes, passed), window: { sinceMs: news.endMs, bytes: 0 } }
}

function rateOf(bytes: number, ms: number): number {
  return bytes === 0 ? 0 : Math.round((bytes * 1000) / Math.max(ms, 1))
}

function placed(steps: readonly Step[], step: Step): readonly Step[] {
  const others = steps.filter(({ kind }) => kind !== step.kind)
  const at = others.findIndex(({ kind }) => stepKinds.indexOf(kind) > stepKinds.indexOf(step.kind))
  return at < 0 ? [...others, step] : [...others.slice(0, at), step, ...others.slice(at)]
}

function inARow({ again }: Step, isDone: boolean, isAgain: boolean): number {
  if (isAgain) return again + 1
  return isDone ? 1 : again
}
