import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { StreamRequest } from '../../server/api/event-stream.ts'
import { EventStreams } from '../../server/api/event-streams.ts'
import type { Caller } from '../../server/core/access/access.ts'
import type { Revoked } from '../../server/core/access/revoked.ts'
import { requestLimits } from '../../server/core/limits/requests.ts'
import { Feed } from '../../server/feed/feed.ts'
import { StreamClient } from '../support/event-stream.ts'
import { eventually } from '../support/eventually.ts'

const caller: Caller = { kind: 'token', account: 'anna', token: 'ci', role: 'viewer' }
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end()
})

interface Setting {
  readonly commentEveryMs?: number
  readonly still?: StreamRequest['still']
}

/** A server of event streams. Each path is an account. */
async function serving({ commentEveryMs, still = async () => ({}) }: Setting = {}) {
  const feed = new Feed({
    boots: { subscribe: () => () => true, eventsAfter: () => undefined, newestEvent: 0 },
    onGuest: () => {},
    stateOf: () => undefined,
    guests: () => [],
    fresh: async () => {},
    problems: () => [],
    shortener: async () => (text) => text,
  })
  let revoke: (revoked: Revoked) => void = () => {}
  const streams = new EventStreams({
    feed,
    accounts: {
      onRevoked: (listener) => {
        revoke = listener
        return () => {}
      },
    },
    ...(commentEveryMs !== undefined && { commentEveryMs }),
  })
  const responses: ServerResponse[] = []
  const server = createServer((req, res) => {
    responses.push(res)
    const lastId = req.headers['last-event-id'] as string | undefined
    const resumed = lastId === undefined ? undefined : (feed.resume(lastId, new Set(['trees'])) ?? 'lost')
    streams
      .open({ caller, key: req.url ?? '', still, wants: () => true, resumed, res })
      .catch((error: unknown) => res.writeHead(429).end(String(error)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    feed.close()
    server.close()
    server.closeAllConnections()
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = (path = '/', lastId?: string): StreamClient => {
    const made = new StreamClient(`${base}${path}`, lastId === undefined ? {} : { 'last-event-id': lastId })
    ends.push(() => made.close())
    return made
  }
  let count = 0
  const emit = (times: number, reason = 'x'): void => {
    for (let n = 0; n < times; n++)
      feed.sink({ type: 'tree', id: String(++count), state: 'ready', reasons: [reason] })
  }
  return { streams, responses, client, emit, revoke: (revoked: Revoked) => revoke(revoked) }
}

const treesOf = ({ events }: StreamClient): number[] => events.map(({ data }) => Number(data.tree))

test('200 watchers get every event in order, and cost little memory', async () => {
  const { streams, client, emit, responses } = await serving()
  const watchers = await Promise.all(Array.from({ length: 200 }, (_, n) => client(`/${n}`).opened()))
  let most = 0
  for (let round = 0; round < 20; round++) {
    emit(10)
    await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, ...responses.map(({ writableLength }) => writableLength))
  }
  const expected = Array.from({ length: 200 }, (_, n) => n + 1)
  await eventually(() => {
    for (const watcher of watchers) expect(treesOf(watcher)).toEqual(expected)
  }, 15_000)
  expect(most).toBeLessThan(64 * 1024)
  expect(streams.size).toBe(200)
  for (const watcher of watchers) watcher.close()
  await eventually(() => expect(streams.size).toBe(0))
}, 30_000)

test('a client that does not read is disconnected, and costs little memory meanwhile', async () => {
  const { streams, client, emit, responses } = await serving()
  const slow = await client('/slow').opened()
  const quick = await client('/quick').opened()
  slow.res?.pause()
  // What the system keeps of both sockets comes before.
  const reason = 'x'.repeat(400)
  for (let round = 0; round < 2000 && streams.size > 1; round++) {
    emit(100, reason)
    await new Promise((resolve) => setImmediate(resolve))
    expect(responses[0]?.writableLength).toBeLessThan(128 * 1024)
    // The other one reads, in turns of the event loop that are its own.
    await eventually(() => expect(quick.text.length).toBeGreaterThan((round + 1) * 100 * 400))
  }
  expect(streams.size).toBe(1)
  expect(responses[0]?.destroyed).toBe(true)
  expect(quick.isEnded).toBe(false)
}, 60_000)

test('a client that reads nothing for two comments is disconnected', async () => {
  const { streams, client, emit } = await serving({ commentEveryMs: 50 })
  const slow = await client().opened()
  slow.res?.pause()
  emit(requestLimits.eventsBehind.entries, 'x'.repeat(400))
  // Fewer than it may be behind; but it may not be silent for ever.
  for (let n = 0; n < 40 && streams.size > 0; n++) {
    emit(500, 'x'.repeat(400))
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
  expect(streams.size).toBe(0)
}, 30_000)

test('who comes back gets what was missed, and who cannot is told so', async () => {
  const { client, emit } = await serving()
  const first = await client().opened()
  emit(3)
  await eventually(() => expect(treesOf(first)).toEqual([1, 2, 3]))
  first.close()
  emit(3000)
  const again = await client('/', first.lastId).opened()
  await eventually(() => expect(treesOf(again)).toEqual(Array.from({ length: 3000 }, (_, n) => n + 4)))
  const lost = await client('/', 'never given').opened()
  emit(1)
  await eventually(() => expect(lost.events.map(({ event }) => event)).toEqual(['reset', 'trees']))
})

test('comments come by themselves, and name the place', async () => {
  const { client, emit } = await serving({ commentEveryMs: 20 })
  const watcher = await client().opened()
  emit(1)
  await eventually(() => expect(watcher.text).toMatch(/: still here\nid: 1-[0-9a-f]{8}-0\n\n/))
  expect(watcher.text).toMatch(/^retry: 3000\nid: 0-[0-9a-f]{8}-0\n\n/)
})

test('of all accounts there are at most 1000 streams', async () => {
  const { streams } = await serving()
  const request = (key: string): StreamRequest => ({
    caller,
    key,
    still: () => new Promise(() => {}),
    wants: () => true,
    resumed: undefined,
    res: { once: () => {} } as unknown as ServerResponse,
  })
  for (let n = 0; n < 1000; n++) void streams.open(request(String(n)))
  await expect(streams.open(request('more'))).rejects.toThrow(/1000 event streams are open/)
})

test('revocation ends a stream, also one that is just being opened', async () => {
  let isValid = true
  let looks = 0
  let hold = Promise.resolve()
  const { streams, client, revoke } = await serving({
    still: async () => {
      looks++
      const found = isValid ? {} : undefined
      await hold
      return found
    },
  })
  const [one, other] = [await client('/1').opened(), await client('/2').opened()]
  revoke({ account: 'anna', token: 'another' })
  revoke({ account: 'berta' })
  expect(streams.size).toBe(2)
  let go: () => void = () => {}
  hold = new Promise((resolve) => {
    go = resolve
  })
  const late = client('/3')
  await eventually(() => expect(looks).toBe(3))
  isValid = false
  revoke({ account: 'anna', token: 'ci' })
  go()
  await eventually(() => expect([one.isEnded, other.isEnded, late.status]).toEqual([true, true, 429]))
  expect(streams.size).toBe(0)
})

test('a token that is no longer known is noticed at a comment', async () => {
  let isValid = true
  const { client } = await serving({
    commentEveryMs: 20,
    still: async () => (isValid ? {} : undefined),
  })
  const watcher = await client().opened()
  isValid = false
  await eventually(() => expect(watcher.isEnded).toBe(true))
})

test('at its end the server ends all streams, and takes no more', async () => {
  const { streams, client } = await serving()
  const watcher = await client().opened()
  streams.close()
  await eventually(() => expect(watcher.isEnded).toBe(true))
  const late = client()
  await eventually(() => expect(late.status).toBe(429))
})
