import { expect, test } from 'vitest'
import { feedTypes } from '../../server/core/feed-types.ts'
import { newState } from '../../server/core/guest/state.ts'
import type { SnapshotProblem } from '../../server/core/problem.ts'
import { Feed, type FeedParts } from '../../server/feed/feed.ts'
import type { News } from '../../server/feed/news.ts'
import { feedKept } from '../../server/feed/ring.ts'
import { feedView } from '../../server/feed/views.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { BootRecorder } from '../../server/timeline/recorder.ts'

const all = new Set(feedTypes)

function parts(more: Partial<FeedParts> = {}): FeedParts {
  return {
    boots: { subscribe: () => () => true, eventsAfter: () => undefined, newestEvent: 0 },
    onGuest: () => {},
    stateOf: () => undefined,
    guests: () => [],
    fresh: async () => {},
    problems: () => [],
    shortener: async () => (text) => text.replaceAll('/srv/boot/', ''),
    ...more,
  }
}

const source = {
  snapshot: { generation: 1, config: {}, guests: {}, profiles: {} },
  onChange: () => () => {},
}

function newsAfter(feed: Feed, n: number): News[] {
  const found: News[] = []
  for (let at = n + 1; at <= feed.newest; at++) {
    const event = feed.at(at)
    if (event) found.push(event.news)
  }
  return found
}

test('events are numbered, and a client goes on where it was', async () => {
  const feed = new Feed(parts())
  await feed.open(source)
  for (let n = 0; n < 3; n++)
    feed.sink({ type: 'tree', id: `t${n}`, state: 'ready', reasons: ['/srv/boot/trees/t is new'] })
  expect(newsAfter(feed, 0)).toMatchObject([{ tree: 't0', reasons: ['trees/t is new'] }, {}, { tree: 't2' }])
  expect(feed.resume(feed.idAt(1), all)).toEqual({ after: 1, before: [] })
  expect(feed.resume(feed.idAt(3), all)).toEqual({ after: 3, before: [] })
  for (const id of ['', 'x', '4', feed.idAt(1).replace('1-', '4-'), '1-ffffffff-1', `${feed.idAt(1)}\n`])
    expect([id, feed.resume(id, all)]).toEqual([id, undefined])
})

test('the events that are kept are bounded, and who was away too long is told', async () => {
  const feed = new Feed(parts())
  await feed.open(source)
  const first = feed.idAt(0)
  for (let n = 0; n < 2 * feedKept; n++) feed.sink({ type: 'tree', id: 't', state: 'ready', reasons: [] })
  expect(feed.resume(first, all)).toBeUndefined()
  expect(feed.at(1)).toBeUndefined()
  expect(feed.resume(feed.idAt(feed.newest - 100), all)).toEqual({ after: feed.newest - 100, before: [] })
})

test('long lists and texts are cut, and secrets that their form gives away are starred', async () => {
  const feed = new Feed(parts())
  await feed.open(source)
  const lines = ['from https://anna:geheim@mirror.example/x', 'x'.repeat(5000), ...Array(100).fill('y')]
  feed.sink({ type: 'publish', id: 't', outcome: 'refused', lines })
  const [news] = newsAfter(feed, 0)
  expect(news).toMatchObject({ type: 'publish', tree: 't', outcome: 'refused' })
  expect(JSON.stringify(news)).not.toContain('geheim')
  expect(JSON.stringify(news).length).toBeLessThan(1200)
})

test('a guest is news when its state is another, not when it was only read again', async () => {
  let state = { ...newState, sinceMs: 5 }
  let tell: (guest: string) => void = () => {}
  const feed = new Feed(
    parts({
      stateOf: (guest) => (guest === 'web01' ? state : undefined),
      guests: () => ['web01'],
      onGuest: (listener) => {
        tell = listener
      },
    }),
  )
  tell('web01')
  await feed.open(source)
  tell('web01')
  state = { ...state }
  tell('web01')
  tell('gone')
  expect(feed.newest).toBe(0)
  state = { ...state, state: 'installing', install: 2 }
  tell('web01')
  tell('web01')
  expect(feed.newest).toBe(1)
  const event = feed.at(1)
  expect(event?.guest).toBe('web01')
  expect(event && feedView(event)).toEqual({
    type: 'guests',
    at: expect.any(String),
    guest: 'web01',
    state: 'installing',
    since: '1970-01-01T00:00:00.005Z',
    failure: null,
    hold: null,
    install: 2,
  })
})

test('after a restart who reads boots alone misses none, and all others read anew', async () => {
  const store = memoryStore().boots
  const dhcp = (xid: number) =>
    ({ type: 'dhcp', step: 'offered', client: 'm', mac: '52:54:00:00:00:01', xid, port: 67, ms: 0 }) as const
  const run = async (work: (feed: Feed, boots: BootRecorder) => Promise<void>): Promise<void> => {
    const boots = new BootRecorder({ keepMs: () => 86_400_000, onTrouble: () => {} })
    await boots.open(store)
    const feed = new Feed(parts({ boots }))
    await feed.open(source)
    await work(feed, boots)
    await boots.close()
  }
  let id = ''
  await run(async (feed, boots) => {
    boots.sink(dhcp(1))
    await boots.flush()
    id = feed.idAt(feed.newest)
    boots.sink(dhcp(2))
    await boots.flush()
  })
  await run(async (feed) => {
    expect(feed.resume(id, all)).toBeUndefined()
    const resumed = feed.resume(id, new Set(['boots']))
    expect(resumed?.before).toHaveLength(1)
    const [missed] = resumed?.before ?? []
    expect(missed && feedView(missed)).toMatchObject({ type: 'boots', steps: expect.any(Array) })
    expect(missed?.id).not.toBe(id)
  })
})

test('problems are looked at while somebody listens, and news when they are others', async () => {
  let problems: readonly SnapshotProblem[] = [{ severity: 'warning', where: 'store', message: 'a' }]
  const feed = new Feed(parts({ problems: () => problems, lookEveryMs: 1 }))
  await feed.open(source)
  const told = new Promise<void>((resolve) => feed.subscribe(resolve))
  problems = [...problems, { severity: 'warning', where: '/srv/boot/x', message: 'b' }]
  await told
  expect(newsAfter(feed, 0)).toEqual([
    {
      type: 'problems',
      errors: 0,
      warnings: 2,
      added: [{ severity: 'warning', where: 'x', message: 'b' }],
    },
  ])
  feed.close()
})
