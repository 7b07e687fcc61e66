import { z } from 'zod'
import { whyNotAllowed } from '../../core/access/access.ts'
import { Failure } from '../../core/failure.ts'
import { type FeedType, feedTypes } from '../../core/feed-types.ts'
import { addressPrefix } from '../../core/net/prefix.ts'
import { type FeedEvent, guestTypes } from '../../feed/news.ts'
import { callerStill } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { requireSameSite } from '../cross-site.ts'
import type { StreamRequest } from '../event-stream.ts'
import { type Call, needs, route } from '../route.ts'

const path = '/api/v1/events'
const typesText = `names of ${feedTypes.join(', ')}, with commas between them`

const typesQuery = z
  .string(typesText)
  .transform((text, context) => {
    const names = text.split(',').filter((name) => name !== '')
    const known = names.filter((name): name is FeedType => feedTypes.some((type) => type === name))
    if (names.length > 0 && known.length === names.length) return new Set(known)
    context.issues.push({ code: 'custom', message: typesText, input: text })
    return z.NEVER
  })
  .optional()
  .meta({ type: 'string', description: typesText })

type EventsCall = Call<undefined, { types?: ReadonlySet<FeedType> | undefined; guest?: string | undefined }>

export const eventRoutes = [
  route({
    method: 'GET',
    path,
    operation: 'streamEvents',
    summary: 'what happens, as it happens: Server-Sent Events',
    description: [
      'Steps and states of boots, states of guests, trees, publishing, configuration and problems. The `data` of each event is JSON with `type` and `at`.',
      '',
      'A client that comes back with `Last-Event-ID` gets what it missed. `event: reset` says that nobody knows what that was: read everything anew. A comment comes every 15 seconds. A client that reads too slowly is disconnected. A token without the scope `guests:read` gets `trees` and `publish` only.',
    ].join('\n'),
    access: needs('viewer'),
    query: z.object({
      types: typesQuery,
      guest: z.string().optional().meta({ description: 'only events of this guest' }),
    }),
    answers: { 200: { type: 'text/event-stream' } },
    async handle(call, context) {
      const { req, onSending } = call
      const request = streamRequest(call, context)
      if (req.method === 'HEAD') return { headers: { 'Content-Type': 'text/event-stream; charset=utf-8' } }
      await context.streams.open(request)
      onSending()
      return {}
    },
  }),
] as const

function streamRequest(call: EventsCall, context: ApiContext): StreamRequest {
  const { caller, from, req, res, query } = call
  const { accounts, feed, snapshot } = context
  if (!caller) throw new Failure('unauthenticated', 'sign in, or send a token')
  // A page of another site could not read the stream, but it could take all that the account may have.
  if (caller.kind !== 'token') requireSameSite(req.headers, snapshot().config.server.url)
  const types = wantedTypes(call)
  const { guest } = query
  const lastId = [req.headers['last-event-id'] ?? []].flat()[0]
  return {
    caller,
    res,
    key: caller.kind === 'anonymous' ? `from ${addressPrefix(from, 64)}` : `of ${caller.account}`,
    wants: (event: FeedEvent) => types.has(event.news.type) && (guest === undefined || event.guest === guest),
    resumed: lastId === undefined ? undefined : (feed.resume(lastId, types) ?? 'lost'),
    async still() {
      if (caller.kind !== 'anonymous')
        return callerStill(caller, req, { accounts, from, proxies: snapshot().config.http.trustedProxies })
      return snapshot().config.access.anonymous === caller.role ? {} : undefined
    },
  }
}

/** @throws Failure `forbidden` for types that are asked for by name and that the caller may not see. */
function wantedTypes({ caller, query: { types } }: EventsCall): ReadonlySet<FeedType> {
  const why = caller && whyNotAllowed(caller, needs('viewer', 'guests:read'))
  if (why === undefined) return types ?? new Set(feedTypes)
  const open = feedTypes.filter((type) => !guestTypes.has(type))
  if (types && ![...types].every((type) => open.includes(type))) throw new Failure('forbidden', why)
  return types ?? new Set(open)
}
