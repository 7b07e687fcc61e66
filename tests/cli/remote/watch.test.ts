import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { ApiClient } from '../../../server/cli/remote/client.ts'
import type { StreamBlock } from '../../../server/cli/remote/event-reader.ts'
import { followEvents } from '../../../server/cli/remote/follow-events.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { runningTreeboot, treebootAt } from '../../support/cli.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { keptFolder, makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** `treeboot watch` against a server, which is stopped and started again. */

const home = keptFolder()
const by = { account: 'test', from: 'test' }
let app: App
let token = ''
let url = ''

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  const port = await freePort()
  const config = `${httpOnly.replace('access: { anonymous: viewer }\n', '').replace('port: 0', `port: ${port}`)}guests: { web01: { mac: "52:54:00:aa:bb:01", tree: fedora-40 } }\n`
  writeBelow(home.path, 'config.yaml', config)
  app = testApp(home.path)
  await app.start()
  url = `http://127.0.0.1:${portOf(app)}`
  await app.accounts.addAccount({ name: 'anna', role: 'viewer', password: 'a long password' }, by)
  const anna = { kind: 'account', account: 'anna', role: 'viewer' } as const
  token = (await app.accounts.makeToken(anna, { name: 'test', role: 'viewer' }, by)).token
}, 20_000)
afterAll(async () => {
  await app.stop()
  home.remove()
})

const boot = (mac: string): Promise<unknown> => fetch(`${url}/boot/by/${mac}/ipxe`).then((res) => res.text())

test('prints what happens beside the server and by it, over a restart, and ends when its token does', async () => {
  const environment = { TREEBOOT_TOKEN: token }
  const there = (...args: string[]) =>
    runningTreeboot(temporaryFolder(), ['watch', ...args, '--server', url], { environment })
  const all = there()
  const one = there('52-54-00-AA-BB-01', '--json')
  await eventually(() => expect(all.said.err).toContain('watching all machines'))
  await eventually(async () => {
    await boot('52-54-00-aa-bb-01')
    expect(one.said.out).not.toBe('')
  }, 10_000)
  await boot('52-54-00-aa-bb-77')
  await eventually(
    () => expect(all.said.out).toMatch(/web01 {2}configuration[\s\S]*bb:77 {2}configuration/),
    10_000,
  )
  await app.stop()
  await eventually(() => expect(all.said.err).toContain(`${url} has ended the stream`))
  app = testApp(home.path)
  await app.start()
  // While nobody listens.
  await boot('52-54-00-aa-bb-78')
  await eventually(() => expect(all.said.err).toContain(`${url} is there again`), 10_000)
  await eventually(() => expect(all.said.out).toContain('bb:78'), 10_000)
  expect(all.said.err.match(/trying again/g)).toHaveLength(1)
  const lines = one.said.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(new Set(lines.map(({ guest }) => guest))).toEqual(new Set(['web01']))
  // The server writes what it has before it answers.
  const once = await treebootAt(temporaryFolder(), ['watch', '--once', '--server', url], { environment })
  const here = await treebootAt(home.path, ['watch', '--once'])
  expect(once).toEqual(here)
  expect(here.out).toBe(all.said.out)
  const hereJson = await treebootAt(home.path, ['watch', 'web01', '--once', '--json'])
  expect(hereJson.out.endsWith(one.said.out)).toBe(true)
  await app.accounts.removeAccount('anna', by)
  const { code, err } = await all.end
  expect(code).toBe(1)
  expect(err).toMatch(/treeboot: this token is not known here.*the token of TREEBOOT_TOKEN/)
  await one.end
}, 60_000)

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function serving(handle: RequestListener): Promise<ApiClient> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  return new ApiClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

const pauses = { firstMs: 5, mostMs: 20 }
const problem = (status: number, error: string) =>
  JSON.stringify({ type: 'x', title: 'x', status, detail: `it is ${error}`, error, message: 'x' })

test('goes on after the last id, hands a reset on, and gives up only what no waiting mends', async () => {
  const asked: (string | undefined)[] = []
  const client = await serving((req, res) => {
    asked.push([req.headers['last-event-id']].flat()[0])
    if (asked.length === 2) return void res.writeHead(502, { 'content-type': 'text/html' }).end('bad gateway')
    if (asked.length === 5)
      return void res
        .writeHead(403, { 'content-type': 'application/problem+json' })
        .end(problem(403, 'forbidden'))
    res.setHeader('content-type', 'text/event-stream')
    if (asked.length === 3) res.write('event: reset\ndata: {}\nid: 9\n\n')
    else res.write(`id: ${asked.length}\n\nevent: boots\nid: 1${asked.length}\ndata: {}\n\n`)
    // One of them breaks in the middle of an event.
    res.write('event: boots\nid: 77\n')
    setTimeout(() => res.destroy(), 20)
  })
  const said: string[] = []
  const blocks: StreamBlock[] = []
  const following = (async () => {
    const options = { query: { types: 'boots' }, onTrouble: (text: string) => said.push(text), pauses }
    for await (const block of followEvents(client, options)) blocks.push(block)
  })()
  await expect(following).rejects.toMatchObject({ kind: 'forbidden' })
  expect(asked).toEqual([undefined, '11', '11', '9', '14'])
  expect(blocks.map(({ event }) => event)).toEqual(['boots', 'reset', 'boots'])
  expect(said.filter((text) => text.endsWith('is there again'))).toHaveLength(2)
  expect(said.filter((text) => text.includes('trying again'))).toHaveLength(3)
})

test('a stream that is silent for too long is broken', async () => {
  let asked = 0
  const client = await serving((_, res) => {
    asked++
    if (asked > 1)
      return void res.writeHead(401, { 'content-type': 'application/problem+json' }).end(problem(401, 'x'))
    res.setHeader('content-type', 'text/event-stream')
    res.write('id: 1\n\n')
  })
  const said: string[] = []
  const events = followEvents(client, {
    query: {},
    onTrouble: (text) => said.push(text),
    pauses,
    silentMs: 100,
  })
  await expect(events.next()).rejects.toMatchObject({ kind: 'unauthenticated' })
  expect(said).toEqual([expect.stringContaining('sent nothing for')])
})
