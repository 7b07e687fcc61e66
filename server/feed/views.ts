import type { Step } from '../core/boots/boot.ts'
import type { BootEvent } from '../core/boots/boot-event.ts'
import { timeText } from '../core/time-text.ts'
import type { FeedEvent, News } from './news.ts'

/** The JSON of events, for streams and webhooks. */

export function feedView({ atMs, news }: FeedEvent) {
  if (news.type === 'boots') return bootEventView(news.event)
  return { type: news.type, at: timeText(atMs), ...detailsOf(news) }
}

export function bootEventView(event: BootEvent) {
  const { atMs, boot, machine, guest = null, state, reason = null, removed = false, steps } = event
  const of = { type: 'boots' as const, at: timeText(atMs), boot, machine, guest }
  return { ...of, state, reason, removed, steps: steps.map(bootStepView) }
}

function detailsOf(news: Exclude<News, { readonly type: 'boots' }>) {
  if (news.type !== 'guests') {
    const { type: _, ...details } = news
    return details
  }
  const { guest, state: stored } = news
  const { state, sinceMs, failure = null, hold = null, install } = stored
  return { guest, state, since: sinceMs > 0 ? timeText(sinceMs) : null, failure, hold, install }
}

export function bootStepView(step: Step) {
  const { kind, status, startMs, endMs, bytes, rate, count, retries, folded, what } = step
  const { words = null, lost = null, fault = null } = step
  const times = { start: timeText(startMs), end: timeText(endMs) }
  return { kind, status, ...times, bytes, rate, count, retries, folded, what, words, lost, fault }
}
