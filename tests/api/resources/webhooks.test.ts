import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import type { Event } from '../../../server/events/bus.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
const received: string[] = []
const receiver = createServer((req, res) => {
  req.resume().on('end', () => {
    received.push(`${req.url} ${req.headers['x-treeboot-event']}`)
    res.end()
  })
})
const seen: Event[] = []
let app: App
let admin: string
let port: number
const ask = asking(
  () => `http://127.0.0.1:${portOf(app)}`,
  () => admin,
)
const secret = 'geheim-geheim-geheim'
const pathSecret = 'abcdefghijklmnopqrstuvwx'
const configWith = (hooks: string) =>
  `${httpOnly}guests: { web01: { mac: "52:54:00:aa:bb:01" } }\nwebhooks:\n${hooks}`
const hook = (more: string) => `  - { url: "http://127.0.0.1:${port}/${pathSecret}", ${more} }\n`

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  port = (receiver.address() as AddressInfo).port
  const ours = hook(`secret: ${secret}, kinds: guests, allow-private: true`)
  writeBelow(home.path, 'config.yaml', configWith(ours))
  app = testApp(home.path)
  app.events.subscribe((event) => seen.push(event))
  await app.start()
  admin = await makeToken(app, 'admin')
}, 20_000)

afterAll(async () => {
  await app.stop()
  receiver.close()
  home.remove()
})

test('an order is told to the webhook, and its delivery is shown without secrets', async () => {
  expect((await ask('POST', '/api/v1/guests/web01/hold')).status).toBe(200)
  await eventually(() => expect(received).toEqual([`/${pathSecret} guests`]))
  await eventually(async () =>
    expect((await ask('GET', '/api/v1/webhooks')).body).toEqual({
      items: [
        {
          n: 1,
          url: `http://127.0.0.1:${port}/***`,
          kinds: ['guests'],
          secret: '***',
          allowPrivate: true,
          waiting: 0,
          delivered: 1,
          failed: 0,
          newest: { at: expect.any(String), state: 'delivered', answer: 'HTTP 200' },
        },
      ],
      total: 1,
      next: null,
    }),
  )
  const { body } = await ask('GET', '/api/v1/webhooks/1/deliveries')
  expect(body).toMatchObject({ total: 1, next: null, items: [{ kind: 'guests', tries: 1, next: null }] })
  expect(JSON.parse(body.items[0].body)).toMatchObject({ guest: 'web01', state: 'held' })
  expect((await ask('GET', '/api/v1/webhooks/2/deliveries')).status).toBe(404)
})

test('a webhook that is wrong shows neither its secret nor its URL in problems and the log', async () => {
  const before = seen.length
  for (const wrong of ['secret: [geheim-geheim-geheim]', 'secret: geheim', `secret: { file: ~/${secret} }`]) {
    writeBelow(home.path, 'config.yaml', configWith(hook(wrong)))
    await app.reload()
    await eventually(async () =>
      expect((await ask('GET', '/healthz')).body).toMatchObject({ config: 'refused' }),
    )
    const problems = (await ask('GET', '/api/v1/problems')).text
    expect(problems).toMatch(/webhooks\[0\]\.secret/)
    expect(problems).not.toMatch(/geheim|abcdef/)
  }
  writeBelow(
    home.path,
    'config.yaml',
    configWith(`  - { url: "ftp://x/${pathSecret}", secret: ${secret} }\n`),
  )
  await app.reload()
  await eventually(async () => expect((await ask('GET', '/api/v1/problems')).text).toMatch(/\[0\]\.url/))
  expect(JSON.stringify(seen.slice(before))).not.toMatch(/geheim|abcdef/)
})
