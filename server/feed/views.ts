import type { Step } from '../core/boots/boot.ts'
import { timeText } from '../core/time-text.ts'
import type { FeedEvent, News } from './news.ts'

/** The JSON of events, for streams and webhooks. */

export function feedView({ atMs, news }: FeedEvent) {
  return { type: news.type, at: timeText(atMs), ...detailsOf(news) }
}

function detailsOf(news: News) {
  switch (news.type) {
    case 'boots': {
      const { boot, machine, guest = null, state, reason = null, removed = false, steps } = news.event
      return { boot, machine, guest, state, reason, removed, steps: steps.map(bootStepView) }
    }
    case 'guests': {
      const { guest, state: stored } = news
      const { state, sinceMs, failure = null, hold = null, install } = stored
      return { guest, state, since: sinceMs > 0 ? timeText(sinceMs) : null, failure, hold, install }
    }
    default: {
      const { type: _, ...details } = news
      return details
    }
  }
}

export function bootStepView(step: Step) {
  const { kind, status, startMs, endMs, bytes, rate, count, retries, folded, what } = step
  const { words = null, lost = null, fault = null } = step
  const times = { start: timeText(startMs), end: timeText(endMs) }
  return { kind, status, ...times, bytes, rate, count, retries, folded, what, words, lost, fault }
}
