import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { type FaultyServer, faultyServer } from '../../support/faulty-server.ts'
import { keptFolder, makeTree, namesBelow, writeBelow } from '../../support/tree-folder.ts'

let home: ReturnType<typeof keptFolder>
let app: App
let port: number
let token: string
let upstream: FaultyServer
const ask = asking(
  () => `http://127.0.0.1:${port}`,
  () => token,
)
const at = (path: string) => join(home.path, path)

async function start(): Promise<void> {
  app = testApp(home.path)
  await app.start()
  port = portOf(app)
  token = await makeToken(app, 'operator')
}

/** Serves until the test ends. */
async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function configure(...allow: string[]): void {
  const own = { url: `${upstream.url}/own/` }
  writeBelow(
    home.path,
    'config.yaml',
    `${httpOnly}imports: { allow: ${JSON.stringify(allow)} }\nmirrors: ${JSON.stringify({ own })}\n`,
  )
}

beforeEach(async () => {
  home = keptFolder()
  mkdirSync(at('trees'))
  makeTree(at('upstream/os'), { version: '41' })
  makeTree(at('upstream/own'), { version: '42' })
  upstream = await faultyServer(at('upstream'))
  configure(`${upstream.url}/os/`, at('isos'))
  await start()
})
afterEach(async () => {
  await app.stop()
  home.remove()
})

/** Starts a job, and waits for its end. */
async function run(json: object) {
  const made = await ask('POST', '/api/v1/jobs', { json })
  expect([made.status, made.text]).toEqual([202, expect.any(String)])
  const location = made.headers.get('location') ?? ''
  expect(location).toBe(`/api/v1/jobs/${made.body.number}`)
  return settled(location)
}

const settled = (location: string) =>
  eventually(async () => {
    const { body } = await ask('GET', location)
    expect(['waiting', 'running']).not.toContain(body.state)
    return body
  }, 15_000)

describe('an import', () => {
  test('from a listed URL is offered when it is done', async () => {
    const job = await run({ kind: 'import', source: `${upstream.url}/os/`, id: 'f41' })
    expect(job).toMatchObject({
      state: 'done',
      kind: 'import',
      by: expect.stringMatching(/^operator-/),
      trees: [{ id: 'f41', version: 1 }],
      problem: null,
      ended: expect.any(String),
    })
    expect(app.snapshot().trees.byId('f41')?.state).toBe('ready')
    const list = await ask('GET', '/api/v1/jobs?state=done&kind=import')
    expect(list.body).toMatchObject({ total: 1, items: [{ number: job.number }] })
  })

  test('that verification refuses is quarantined, and published with a reason', async () => {
    makeTree(at('isos/bad'), { version: '43' })
    writeFileSync(at('isos/bad/images/pxeboot/vmlinuz'), 'another kernel')
    const job = await run({ kind: 'import', source: at('isos/bad'), id: 'bad' })
    expect(job).toMatchObject({ state: 'quarantined', trees: [{ id: 'bad', version: null }] })
    expect(job.lines.join()).toContain('images/pxeboot/vmlinuz')
    expect(app.snapshot().trees.byId('bad')).toBeUndefined()
    const path = `/api/v1/jobs/${job.number}`
    const again = await ask('POST', `${path}/start`, { json: { accept: 'our own kernel' } })
    expect(again.status).toBe(202)
    expect(await settled(path)).toMatchObject({ state: 'done' })
    const { body } = await ask('GET', '/api/v1/trees/bad/versions/1')
    expect(body.accepted).toMatchObject({ why: 'our own kernel', by: job.by })
  })

  test('of what is not listed is refused, with the key, and nobody learns what is there', async () => {
    mkdirSync(at('isos'))
    symlinkSync(at('upstream/os'), at('isos/out'))
    const secret = at('data')
    const port2 = new URL(upstream.url).port
    for (const source of [
      `${upstream.url}/own/`,
      `${upstream.url}/os/../own/`,
      `http://localhost:${port2}/os/`,
      `https://127.0.0.1:${port2}/os/`,
      `ftp://127.0.0.1:${port2}/os/`,
      secret,
      `${secret}/nothing`,
      at('isos/out'),
      at('isos/../upstream/os'),
      '/etc/shadow',
      '/nothing/at/all',
    ]) {
      const { status, body } = await ask('POST', '/api/v1/jobs', { json: { kind: 'import', source } })
      expect([source, status, body.detail]).toEqual([source, 403, expect.stringContaining('imports.allow')])
    }
    for (const source of [
      `http://u:hush@127.0.0.1:${port2}/os/`,
      `${upstream.url}/os/..%2fown/`,
      'file:///etc/passwd',
      'isos/x',
      `${at('isos')}\0`,
    ]) {
      const { status, text } = await ask('POST', '/api/v1/jobs', { json: { kind: 'import', source } })
      expect([source, status, text.includes('hush')]).toEqual([source, 400, false])
    }
    expect(
      (await ask('POST', '/api/v1/jobs', { json: { kind: 'import', source: at('isos/none') } })).status,
    ).toBe(404)
    expect(upstream.requests).toEqual([])
    expect((await ask('GET', '/api/v1/jobs')).body.total).toBe(0)
  })

  test('does not follow a redirect to an address of this machine that is not listed', async () => {
    const moved = await serving((req, res) => {
      res.writeHead(302, { location: `${upstream.url}/own${req.url}` }).end()
    })
    configure(moved)
    await app.reload()
    const job = await run({ kind: 'import', source: `${moved}/` })
    expect(job).toMatchObject({
      state: 'failed',
      problem: { error: 'forbidden', detail: expect.stringContaining('imports.allow') },
    })
    expect(upstream.requests).toEqual([])
    configure(moved, `${upstream.url}/own/`)
    await app.reload()
    const again = await ask('POST', `/api/v1/jobs/${job.number}/start`)
    expect(again.status).toBe(202)
    expect(await settled(`/api/v1/jobs/${job.number}`)).toMatchObject({ state: 'done' })
  })

  test('is not done any more when its source is taken from the list while it waits', async () => {
    const silent = await serving(() => undefined)
    configure(silent, `${upstream.url}/os/`)
    await app.reload()
    for (const name of ['a', 'b'])
      await ask('POST', '/api/v1/jobs', { json: { kind: 'import', source: `${silent}/${name}` } })
    const waits = await ask('POST', '/api/v1/jobs', {
      json: { kind: 'import', source: `${upstream.url}/os/` },
    })
    expect(waits.body).toMatchObject({ state: 'waiting', place: 0 })
    configure(silent)
    await app.reload()
    await ask('POST', '/api/v1/jobs/1/cancel')
    expect(await settled('/api/v1/jobs/3')).toMatchObject({
      state: 'failed',
      problem: { error: 'forbidden' },
    })
    expect(upstream.requests).toEqual([])
  })
})

describe('a mirror', () => {
  test('of config.yaml is run now; its last run is told', async () => {
    const before = await ask('GET', '/api/v1/mirrors/own')
    expect(before.body).toMatchObject({ lastRun: null, next: null, job: null })
    const started = await ask('POST', '/api/v1/mirrors/own/run')
    expect(started.status).toBe(202)
    expect(await settled('/api/v1/jobs/1')).toMatchObject({ state: 'done', kind: 'mirror', subject: 'own' })
    expect((await ask('GET', '/api/v1/mirrors/own')).body.lastRun).toMatchObject({ outcome: 'published' })
    await ask('POST', '/api/v1/mirrors/own/run')
    expect(await settled('/api/v1/jobs/2')).toMatchObject({ state: 'done', trees: [] })
    expect((await ask('GET', '/api/v1/mirrors')).body.items[0].lastRun.outcome).toBe('unchanged')
    expect((await ask('POST', '/api/v1/mirrors/none/run')).status).toBe(404)
  })

  test('that the API has made reaches no address that is not listed', async () => {
    const definition = { url: `${upstream.url}/own/` }
    expect((await ask('POST', '/api/v1/mirrors', { json: { name: 'made', definition } })).status).toBe(201)
    await ask('POST', '/api/v1/mirrors/made/run')
    expect(await settled('/api/v1/jobs/1')).toMatchObject({
      state: 'failed',
      problem: { error: 'forbidden' },
    })
    expect(upstream.requests).toEqual([])
    expect((await ask('GET', '/api/v1/mirrors/made')).body.lastRun).toMatchObject({ outcome: 'failed' })
  })

  test('that is due by its schedule is a job like others', async () => {
    await app.stop()
    writeBelow(home.path, 'mirrors.d/daily.yaml', `url: ${upstream.url}/os/\nschedule: every 24h\n`)
    await start()
    expect(await settled('/api/v1/jobs/1')).toMatchObject({
      state: 'done',
      by: 'the schedule',
      subject: 'daily',
    })
    const { body } = await ask('GET', '/api/v1/mirrors/daily')
    expect(Date.parse(body.next) - Date.parse(body.lastRun.at)).toBe(86_400_000)
  })
})

test('a tree is verified again, and an upload is published', async () => {
  await run({ kind: 'import', source: `${upstream.url}/os/`, id: 'f41' })
  expect((await ask('POST', '/api/v1/trees/f41/verify')).status).toBe(202)
  expect(await settled('/api/v1/jobs/2')).toMatchObject({ state: 'done', kind: 'verify' })
  writeFileSync(at('trees/f41/images/install.img'), 'x')
  const faulty = await run({ kind: 'verify', tree: 'f41' })
  expect(faulty).toMatchObject({ state: 'failed', problem: { error: 'invalid-data' } })
  expect(faulty.lines.join()).toContain('images/install.img')
  await ask('PUT', '/api/v1/uploads/up/x', { body: 'no tree' })
  const refused = await run({ kind: 'publish', upload: 'up' })
  expect(refused).toMatchObject({ state: 'quarantined', lines: [expect.stringContaining('/up')] })
})

test('jobs are read by viewers, and changed by operators; the audit has who', async () => {
  const silent = await serving(() => undefined)
  configure(silent)
  await app.reload()
  const json = { kind: 'import', source: `${silent}/x` }
  const made = await ask('POST', '/api/v1/jobs', { json, headers: { 'idempotency-key': 'k' } })
  const repeated = await ask('POST', '/api/v1/jobs', { json, headers: { 'idempotency-key': 'k' } })
  expect(repeated.body.number).toBe(made.body.number)
  const second = await ask('POST', '/api/v1/jobs', { json })
  expect(second).toMatchObject({ status: 409, body: { errors: [{ field: '/api/v1/jobs/1' }] } })
  expect((await ask('POST', '/api/v1/jobs/1/pause')).body.state).toBe('paused')
  expect((await ask('POST', '/api/v1/jobs/1/start')).status).toBe(202)
  expect((await ask('POST', '/api/v1/jobs/1/cancel')).body.state).toBe('cancelled')
  expect((await ask('POST', '/api/v1/jobs/1/cancel')).status).toBe(409)
  token = await makeToken(app, 'viewer')
  expect((await ask('GET', '/api/v1/jobs/1')).body.state).toBe('cancelled')
  expect((await ask('POST', '/api/v1/jobs/1/start')).status).toBe(403)
  token = await makeToken(app, 'admin')
  const { items } = (await ask('GET', '/api/v1/audit?limit=8')).body
  const actions: string[] = items.map(({ action }: { action: string }) => action)
  expect(actions.filter((action) => action.startsWith('jobs.'))).toEqual([
    'jobs.cancel',
    'jobs.start',
    'jobs.pause',
    'jobs.start',
  ])
})

/** A server that stands still at one file until it is told to go on. */
async function stalling() {
  const state = { stalls: true, requests: [] as string[] }
  const url = await serving(async (req, res) => {
    state.requests.push(req.url ?? '')
    if (state.stalls && req.url?.endsWith('install.img')) return
    const response = await fetch(`${upstream.url}${req.url}`)
    res.writeHead(response.status, { 'content-type': response.headers.get('content-type') ?? '' })
    res.end(Buffer.from(await response.arrayBuffer()))
  })
  configure(url)
  return { state, url }
}

describe('a job that runs when the server', () => {
  test('is stopped has failed, and goes on when it is started again', async () => {
    const { state, url } = await stalling()
    await app.reload()
    await ask('POST', '/api/v1/jobs', { json: { kind: 'import', source: `${url}/os/`, id: 'f41' } })
    await eventually(() => expect(state.requests.join()).toContain('install.img'))
    await app.stop()
    await start()
    const stopped = await ask('GET', '/api/v1/jobs/1')
    expect(stopped.body).toMatchObject({ state: 'failed', problem: { detail: 'the server was stopped' } })
    state.stalls = false
    await ask('POST', '/api/v1/jobs/1/start')
    expect(await settled('/api/v1/jobs/1')).toMatchObject({ state: 'done' })
  })

  test('is killed has failed, and an import goes on where it was', async () => {
    const { state, url } = await stalling()
    await app.stop()
    const child = fork(join(import.meta.dirname, '../../support/app-child.ts'), [home.path], {
      execArgv: ['--import', 'tsx'],
      stdio: 'inherit',
    })
    const [served] = (await once(child, 'message')) as [{ port: number; token: string }]
    ;({ port, token } = served)
    const json = { kind: 'import', source: `${url}/os/`, id: 'f41' }
    expect((await ask('POST', '/api/v1/jobs', { json })).status).toBe(202)
    await eventually(() => expect(state.requests.join()).toContain('install.img'))
    const incoming = () => namesBelow(at('trees/.treeboot/incoming'))
    await eventually(() => expect(incoming().join()).toContain('/tree/images/pxeboot/vmlinuz'))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await start()
    const killed = await ask('GET', '/api/v1/jobs/1')
    expect(killed.body).toMatchObject({ state: 'failed', problem: { detail: 'the server was stopped' } })
    expect(app.snapshot().trees.byId('f41')).toBeUndefined()
    state.stalls = false
    state.requests.length = 0
    await ask('POST', '/api/v1/jobs/1/start')
    expect(await settled('/api/v1/jobs/1')).toMatchObject({
      state: 'done',
      trees: [{ id: 'f41', version: 1 }],
    })
    expect(state.requests.join()).not.toContain('vmlinuz')
  })
})
