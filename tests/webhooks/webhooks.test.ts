import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import type { WebhookConfig } from '../../server/config/schema.ts'
import type { BootEvent } from '../../server/core/boots/boot-event.ts'
import { feedTypes } from '../../server/core/feed-types.ts'
import { Feed } from '../../server/feed/feed.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { shownUrl, webhookId } from '../../server/webhooks/hook.ts'
import { Webhooks, type WebhooksParts } from '../../server/webhooks/webhooks.ts'
import { eventually } from '../support/eventually.ts'

const folder = mkdtempSync(join(tmpdir(), 'treeboot-webhooks-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const secret = 'a secret of the receiver'

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

/** A receiver. `respond` gives the status for each delivery. */
async function receiver(respond: (n: number) => number, onRequest = (_: ServerResponse): void => {}) {
  const received: Received[] = []
  const server = createServer((req, res) => {
    let text = ''
    req.on('data', (piece) => {
      text += piece
    })
    req.on('end', () => {
      received.push({ headers: req.headers, text })
      onRequest(res)
      const status = respond(received.length)
      if (status > 0) res.writeHead(status, { location: '/elsewhere' }).end('x')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in` }
}

let feeds = 0

async function newFeed(): Promise<Feed> {
  const feed = new Feed({
    boots: { subscribe: () => () => true, eventsAfter: () => undefined, newestEvent: 0 },
    onGuest: () => {},
    stateOf: () => undefined,
    guests: () => [],
    fresh: async () => {},
    problems: () => [],
    shortener: async () => (text) => text,
    clock: () => ++feeds,
  })
  return feed
}

function hookAt(url: string, more: Partial<WebhookConfig> = {}): WebhookConfig {
  return { url, kinds: feedTypes, secret: { text: secret }, allowPrivate: true, ...more }
}

function webhooksFor(feed: Feed, hooks: readonly WebhookConfig[], more: Partial<WebhooksParts> = {}) {
  const troubles: unknown[] = []
  const webhooks = new Webhooks({
    feed,
    hooks: () => hooks,
    onTrouble: (error) => troubles.push(error),
    lookEveryMs: 5,
    pausesMs: [1, 1, 1],
    ...more,
  })
  onTestFinished(() => webhooks.close())
  return { webhooks, troubles }
}

const tree = (id: string) => ({ type: 'tree', id, state: 'ready', reasons: [] }) as const

test('an event is sent once, signed over its time and body', async () => {
  const { received, url } = await receiver(() => 204)
  const feed = await newFeed()
  const { webhooks } = webhooksFor(feed, [hookAt(url)])
  feed.sink(tree('before'))
  webhooks.open(memoryStore().webhooks)
  feed.sink(tree('fedora-40'))
  feed.sink(tree('fedora-41'))
  await eventually(() => expect(received).toHaveLength(2))
  const [{ headers, text }] = received as [Received]
  expect(JSON.parse(text)).toMatchObject({ type: 'trees', tree: 'fedora-40', id: expect.any(String) })
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-treeboot-event': 'trees' })
  const stamp = headers['x-treeboot-timestamp'] as string
  expect(Math.abs(Number(stamp) - Date.now() / 1000)).toBeLessThan(60)
  const expected = createHmac('sha256', secret).update(`${stamp}.${text}`).digest('hex')
  expect(headers['x-treeboot-signature']).toBe(`sha256=${expected}`)
  await eventually(async () =>
    expect(await webhooks.list()).toMatchObject([{ n: 1, counts: { delivered: 2, waiting: 0, failed: 0 } }]),
  )
})

test('each webhook gets the kinds that it wants, and one that fails delays no other', async () => {
  const [all, few, dead] = [await receiver(() => 200), await receiver(() => 200), await receiver(() => 0)]
  const feed = await newFeed()
  const { webhooks } = webhooksFor(feed, [
    hookAt(dead.url),
    hookAt(all.url),
    hookAt(few.url, { kinds: ['publish'] }),
  ])
  webhooks.open(memoryStore().webhooks)
  feed.sink(tree('fedora-40'))
  feed.sink({ type: 'publish', id: 'fedora-40', outcome: 'published', lines: [] })
  await eventually(() => expect([all.received.length, few.received.length]).toEqual([2, 1]))
  expect(few.received[0]?.headers['x-treeboot-event']).toBe('publish')
})

test('what is not taken is tried again with growing pauses, and given up at last', async () => {
  const { received, url } = await receiver((n) => (n === 3 ? 200 : 500))
  const feed = await newFeed()
  let nowMs = 1_000_000
  const { webhooks } = webhooksFor(feed, [hookAt(url)], { clock: () => nowMs, pausesMs: [10, 100, 1000] })
  const store = memoryStore().webhooks
  webhooks.open(store)
  const tried = async (tries: number) => {
    await eventually(async () => {
      const [newest] = await store.list({ hook: webhookId({ url }), limit: 1 })
      expect(newest?.tries).toBe(tries)
    })
    return (await store.list({ hook: webhookId({ url }), limit: 1 }))[0]
  }
  feed.sink(tree('a'))
  expect(await tried(1)).toMatchObject({ state: 'waiting', answer: 'HTTP 500', nextMs: nowMs + 10 })
  nowMs += 10
  expect(await tried(2)).toMatchObject({ state: 'waiting', nextMs: nowMs + 100 })
  expect(received).toHaveLength(2)
  nowMs += 100
  expect(await tried(3)).toMatchObject({ state: 'delivered', answer: 'HTTP 200' })
  feed.sink(tree('b'))
  for (let n = 1; n <= 3; n++) {
    await tried(n)
    nowMs += 1000
  }
  expect(await tried(4)).toMatchObject({ state: 'failed', answer: 'HTTP 500' })
  expect(webhooks.problems()).toMatchObject([
    { where: 'webhooks[0]', message: expect.stringMatching(/does not take events: HTTP 500/) },
  ])
})

test('a clock that is set back delays no delivery', async () => {
  const { received, url } = await receiver((n) => (n === 1 ? 500 : 200))
  const feed = await newFeed()
  let nowMs = 1_000_000_000
  const pausesMs = [3_600_000]
  const { webhooks } = webhooksFor(feed, [hookAt(url)], { clock: () => nowMs, pausesMs })
  const store = memoryStore().webhooks
  webhooks.open(store)
  feed.sink(tree('a'))
  await eventually(async () =>
    expect(await store.list({ hook: webhookId({ url }), limit: 1 })).toMatchObject([{ tries: 1 }]),
  )
  nowMs -= 86_400_000
  await eventually(() => expect(received).toHaveLength(2))
  await eventually(async () => expect((await webhooks.list())[0]?.counts.delivered).toBe(1))
})

test('no redirect is followed, and what is gone is not tried again', async () => {
  const { received, url } = await receiver((n) => (n === 1 ? 302 : 410))
  const feed = await newFeed()
  const { webhooks } = webhooksFor(feed, [hookAt(url)])
  const store = memoryStore().webhooks
  webhooks.open(store)
  feed.sink(tree('a'))
  await eventually(async () => expect((await webhooks.list())[0]?.newest?.state).toBe('failed'))
  expect(received).toHaveLength(2)
  expect((await webhooks.deliveries(1, { limit: 9 }))?.[0]).toMatchObject({ tries: 2, answer: 'HTTP 410' })
  expect(await webhooks.deliveries(2, { limit: 9 })).toBeUndefined()
})

test('without allow-private nothing is sent to this machine', async () => {
  const { received, url } = await receiver(() => 200)
  const feed = await newFeed()
  const { webhooks } = webhooksFor(feed, [hookAt(url, { allowPrivate: false })])
  webhooks.open(memoryStore().webhooks)
  feed.sink(tree('a'))
  await eventually(async () =>
    expect((await webhooks.list())[0]?.newest).toMatchObject({
      state: 'failed',
      answer: expect.stringContaining('not an address of the Internet'),
    }),
  )
  expect(received).toEqual([])
})

test('what happened just before a stop or a kill is stored', async () => {
  const feed = await newFeed()
  const hook = hookAt((await receiver(() => 204)).url)
  const { webhooks } = webhooksFor(feed, [hook], { lookEveryMs: 3_600_000 })
  const store = memoryStore().webhooks
  webhooks.open(store)
  const stored = async () => (await store.list({ hook: webhookId(hook), limit: 9 })).length
  await eventually(async () => expect(await webhooks.list()).toHaveLength(1))
  feed.sink(tree('a'))
  await Promise.resolve()
  expect(await stored()).toBe(1)
  feed.sink(tree('b'))
  await webhooks.close()
  expect(await stored()).toBe(2)
})

test('what waits survives a restart, also when it is being sent, and then it is sent', async () => {
  let isUp = false
  const { received, url } = await receiver(() => (isUp ? 200 : 0))
  const data = join(folder, 'restart')
  const first = await openStore({ data })
  const feed = await newFeed()
  const before = webhooksFor(feed, [hookAt(url)]).webhooks
  before.open(first.webhooks)
  feed.sink(tree('a'))
  feed.sink(tree('b'))
  await eventually(() => expect(received).toHaveLength(1))
  await before.close()
  await first.close()
  isUp = true
  const second = await openStore({ data })
  const after = webhooksFor(await newFeed(), [hookAt(url)]).webhooks
  after.open(second.webhooks)
  await eventually(() => expect(received).toHaveLength(3))
  expect(received.slice(1).map(({ text }) => JSON.parse(text).tree)).toEqual(['a', 'b'])
  await after.close()
  await second.close()
})

test('a store that cannot be written loses no event, and sends none twice a second', async () => {
  const { received, url } = await receiver(() => 200)
  const store = memoryStore().webhooks
  let isFull = true
  const fail = () => Promise.reject(new Error('database or disk is full'))
  const faulty = Object.assign(Object.create(store) as typeof store, {
    add: (all: Parameters<typeof store.add>[0]) => (isFull ? fail() : store.add(all)),
    tried: () => fail(),
    keepOnly: (hooks: readonly string[]) => store.keepOnly(hooks),
    next: (hook: string) => store.next(hook),
  })
  const feed = await newFeed()
  let nowMs = 1_000_000
  const { webhooks, troubles } = webhooksFor(feed, [hookAt(url)], { clock: () => nowMs })
  webhooks.open(faulty)
  feed.sink(tree('a'))
  await eventually(() => expect(troubles).toHaveLength(1))
  isFull = false
  await eventually(() => expect(received).toHaveLength(1))
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(received).toHaveLength(1)
  nowMs += 60_000
  await eventually(() => expect(received).toHaveLength(2))
})

test('a secret comes from a file or a variable, as it is at that moment', async () => {
  const { received, url } = await receiver(() => 200)
  const file = join(folder, 'secret')
  writeFileSync(file, 'short\n')
  const feed = await newFeed()
  const { webhooks } = webhooksFor(feed, [hookAt(url, { secret: { file } })], {
    pausesMs: Array(500).fill(1),
  })
  webhooks.open(memoryStore().webhooks)
  feed.sink(tree('a'))
  await eventually(async () =>
    expect((await webhooks.list())[0]?.newest?.answer).toBe('the secret has less than 16 characters'),
  )
  expect(received).toEqual([])
  writeFileSync(file, `${secret}\n`)
  await eventually(() => expect(received).toHaveLength(1))
  const [{ headers, text }] = received as [Received]
  const signed = `${headers['x-treeboot-timestamp']}.${text}`
  expect(headers['x-treeboot-signature']).toBe(
    `sha256=${createHmac('sha256', secret).update(signed).digest('hex')}`,
  )
})

test('of boots new states of guests are told, and neither each step nor strangers', async () => {
  const { received, url } = await receiver(() => 200)
  let emit: (event: BootEvent) => void = () => {}
  const feed = new Feed({
    boots: {
      subscribe: (listener) => {
        emit = listener
        return () => true
      },
      eventsAfter: () => undefined,
      newestEvent: 0,
    },
    onGuest: () => {},
    stateOf: () => undefined,
    guests: () => [],
    fresh: async () => {},
    problems: () => [],
    shortener: async () => (text) => text,
  })
  const { webhooks } = webhooksFor(feed, [hookAt(url)])
  webhooks.open(memoryStore().webhooks)
  const stranger: BootEvent = { seq: 1, atMs: 1, boot: 1, machine: 'x', state: 'running', steps: [] }
  const event = { ...stranger, guest: 'web01' }
  for (let seq = 1; seq < 50; seq++) emit({ ...event, seq })
  for (let boot = 2; boot < 50; boot++) emit({ ...stranger, seq: 50 + boot, boot })
  emit({ ...event, seq: 200, state: 'done' })
  await eventually(() => expect(received).toHaveLength(2))
  expect(received.map(({ text }) => JSON.parse(text).state)).toEqual(['running', 'done'])
})

test('what may be a secret in a URL is not shown', () => {
  expect(shownUrl('https://hooks.example/services/T0001/B0001/abcdefghijklmnopqrstuvwx?key=geheim')).toBe(
    'https://hooks.example/services/T0001/B0001/***?***',
  )
})
