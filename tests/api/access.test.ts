import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Route } from '../../server/api/route.ts'
import { routes } from '../../server/api/routes.ts'
import type { App } from '../../server/app.ts'
import {
  type Caller,
  type Role,
  roles,
  type Scope,
  scopes,
  whyNotAllowed,
} from '../../server/core/access/access.ts'
import { openFiles, openRoutes } from '../../server/core/access/anonymous.ts'
import { asking, makeToken } from '../support/api.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { keptFolder, makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** Every route against everybody who may come. */

const closed = httpOnly.replace(/access:.*\n/, '')
const config = `server: { bind: 127.0.0.1, names: [known.example], url: 'http://url.example:99' }
${closed.replace(/server:.*\n/, '')}
guests: { web01: { mac: "52:54:00:aa:bb:01" } }
`
const home = keptFolder()
let app: App
const tokens = new Map<string, string>()
const base = () => `http://127.0.0.1:${portOf(app)}`

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', config)
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  app = testApp(home.path)
  await app.start()
  for (const role of roles) tokens.set(role, await makeToken(app, role))
  for (const scope of scopes) tokens.set(`admin for ${scope}`, await makeToken(app, 'admin', scope))
}, 60_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

/** A path of the row that names nothing which is there: access is decided before. */
function pathOf({ path }: Route): string {
  return path
    .replace('{/:token}', '')
    .replace(/\{[^}]*\}/g, '')
    .replace(':report', 'progress')
    .replaceAll(/[:*]\w+/g, 'x')
}

/** What somebody gets who may not do it; undefined for who may. */
function refusalOf({ access }: Route, role: Role | undefined, narrowed?: Scope): number | undefined {
  if (access === 'everybody') return undefined
  if (role === undefined) return 401
  const caller: Caller = { kind: 'token', account: 'a', role, ...(narrowed && { scopes: [narrowed] }) }
  return whyNotAllowed(caller, access) === undefined ? undefined : 403
}

describe.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_, route) => {
  const send = (headers: Record<string, string>) =>
    asking(base, () => '')(route.method, pathOf(route), { headers })
  const expectAccess = async (
    headers: Record<string, string>,
    refusal: number | undefined,
  ): Promise<void> => {
    const { status, body } = await send(headers)
    if (refusal === undefined) expect([401, 403, 421]).not.toContain(status)
    else expect(status).toBe(refusal)
    if (refusal !== undefined && route.method !== 'HEAD') expect(body).toMatchObject({ status: refusal })
  }

  test('without credentials', () => expectAccess({}, refusalOf(route, undefined)))

  test.each(roles)('as %s', (role) =>
    expectAccess({ authorization: `Bearer ${tokens.get(role)}` }, refusalOf(route, role)),
  )

  test.each(scopes)('as admin for %s', (scope) =>
    expectAccess(
      { authorization: `Bearer ${tokens.get(`admin for ${scope}`)}` },
      refusalOf(route, 'admin', scope),
    ),
  )

  test('with a token that nobody has', () =>
    expectAccess({ authorization: 'Bearer treeboot_none' }, route.access === 'everybody' ? undefined : 401))
})

describe('what is open to everybody', () => {
  test('is the list, and nothing else', () => {
    const open = routes
      .filter(({ access }) => access === 'everybody')
      .map(({ method, path }) => `${method} ${path}`)
    expect(open.sort()).toEqual(openRoutes.map(({ path }) => path).sort())
  })

  test('is served whatever the request says of itself', async () => {
    const headers = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }
    for (const path of [
      '/',
      '/healthz',
      '/readyz',
      '/api/v1/lookup?tree=x',
      ...openFiles.map(({ path }) => `${path}`),
    ])
      for (const Host of ['evil.example', '', '127.0.0.1'])
        expect([path, await statusFor(path, { ...headers, Host })]).not.toEqual([
          path,
          expect.toSatisfy(isRefusal),
        ])
  })

  test('names no guest', async () => {
    for (const path of ['/', '/trees/', '/ks/', '/boot/', '/readyz', '/healthz'])
      expect([path, (await asking(base, () => '')('GET', path)).text]).not.toEqual([
        path,
        expect.stringMatching(/web01|52:54/),
      ])
    const readable = await asking(base, () => tokens.get('viewer') ?? '')('GET', '/')
    expect(readable.text).toContain('web01')
  })
})

const isRefusal = (status: number): boolean => [401, 403, 421].includes(status)

/** fetch sets Host itself. */
function statusFor(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${base()}${path}`, { headers, setHost: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', reject).end()
  })
}

describe('the name by which a request reaches the server', () => {
  const path = '/api/v1/trees'
  const basic = () => ({ authorization: `Basic ${btoa(`admin:${tokens.get('viewer')}`)}` })

  test.each(['127.0.0.1', '[::1]:8080', 'localhost:1', 'known.example:8080', 'url.example'])(
    '%s is right',
    async (Host) => expect(await statusFor(path, { Host, ...basic() })).toBe(200),
  )

  test('is needed of everybody without a bearer token', async () => {
    const evil = { Host: 'evil.example' }
    expect(await statusFor(path, evil)).toBe(421)
    expect(await statusFor(path, { ...evil, ...basic() })).toBe(421)
    expect(await statusFor(path, { ...evil, authorization: `Bearer ${tokens.get('viewer')}` })).toBe(200)
    // Only a proxy that we trust says by which name it was asked.
    expect(
      await statusFor(path, { ...basic(), Host: 'evil.example', 'x-forwarded-host': 'known.example' }),
    ).toBe(421)
  })
})

describe('a session', () => {
  const signIn = (password: string, headers = {}) =>
    asking(base, () => '')('POST', '/api/v1/session', { json: { name: 'anna', password }, headers })

  beforeAll(async () => {
    const by = { account: 'test', from: 'test' }
    await app.accounts.addAccount({ name: 'anna', role: 'operator', password: 'a long password' }, by)
  })

  test('reads by its cookie alone, and changes nothing without its CSRF header or from another site', async () => {
    const signed = await signIn('a long password')
    expect(signed).toMatchObject({
      status: 201,
      body: { account: 'anna', role: 'operator', kind: 'account' },
    })
    const setCookie = signed.headers.get('set-cookie') ?? ''
    expect(setCookie).toMatch(/^treeboot-session=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/)
    const cookie = setCookie.split(';')[0] ?? ''
    const { csrf } = signed.body
    const ask = (method: string, path: string, headers = {}) =>
      asking(base, () => '')(method, path, { headers: { cookie, ...headers } })
    expect((await ask('GET', '/api/v1/session')).body).toMatchObject({ account: 'anna', csrf })
    const order = '/api/v1/guests/web01/local'
    expect((await ask('POST', order)).status).toBe(403)
    expect((await ask('POST', order, { 'x-csrf-token': 'x' })).status).toBe(403)
    expect((await ask('POST', order, { 'x-csrf-token': csrf, origin: 'http://evil.example' })).status).toBe(
      403,
    )
    expect((await ask('POST', order, { 'x-csrf-token': csrf, 'sec-fetch-site': 'same-site' })).status).toBe(
      403,
    )
    expect((await ask('POST', order, { 'x-csrf-token': csrf, 'sec-fetch-site': 'same-origin' })).status).toBe(
      200,
    )
    expect((await ask('DELETE', '/api/v1/session', { 'x-csrf-token': csrf })).status).toBe(204)
    expect((await ask('GET', '/api/v1/session')).status).toBe(401)
  })

  test('is not given for a wrong password, or to a form of another site', async () => {
    expect((await signIn('a wrong password')).status).toBe(403)
    expect((await signIn('a long password', { origin: 'http://evil.example' })).status).toBe(403)
    const form = await asking(base, () => '')('POST', '/api/v1/session', {
      body: 'name=anna&password=a+long+password',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(form.status).toBe(400)
  })
})

test('basic credentials that a browser sends for another site count for nothing', async () => {
  const authorization = `Basic ${btoa(`admin:${tokens.get('viewer')}`)}`
  const status = async (site?: string) =>
    (
      await asking(base, () => '')('GET', '/api/v1/trees', {
        headers: { authorization, ...(site && { 'sec-fetch-site': site }) },
      })
    ).status
  expect([await status(), await status('none'), await status('same-origin')]).toEqual([200, 200, 200])
  expect([await status('same-site'), await status('cross-site')]).toEqual([401, 401])
})

test('a script with the old token for uploads is told how reading becomes open again', async () => {
  const legacy = readFileSync(join(home.path, 'data/admin-token'), 'utf8').trim()
  const ask = asking(base, () => legacy)
  const opens = 'access.anonymous: viewer in config.yaml lets everybody read, without a token'
  const { status, body } = await ask('GET', '/api/v1/guests')
  expect([status, body.detail.endsWith(opens)]).toEqual([403, true])
  // What nobody could do without a token does not become open by that.
  for (const [method, path] of [
    ['POST', '/api/v1/guests'],
    ['GET', '/api/v1/audit'],
  ] as const)
    expect((await ask(method, path)).body).toMatchObject({
      status: 403,
      detail: expect.not.stringContaining('access.anonymous'),
    })
})

test('the audit says who changed what, from where', async () => {
  const ask = asking(base, () => tokens.get('admin') ?? '')
  await ask('POST', '/api/v1/guests', {
    json: { name: 'aud1', definition: { mac: '52:54:00:aa:bb:99', vars: { root_password: 'planted' } } },
  })
  await ask('POST', '/api/v1/guests/aud1/hold', { json: { reason: 'wait' } })
  await ask('PATCH', '/api/v1/guests/aud1/definition', {
    json: { vars: { root_password: 'planted2' } },
    headers: { 'if-match': '*' },
  })
  await ask('DELETE', '/api/v1/guests/aud1', { headers: { 'if-match': '*' } })
  const { body, text } = await ask('GET', '/api/v1/audit?limit=4')
  const [removed, changed, held, made] = body.items
  expect(made).toMatchObject({
    action: 'guests.create',
    target: 'aud1',
    from: '127.0.0.1',
    account: expect.stringMatching(/^admin-/),
    token: 'test',
    before: null,
  })
  expect(made.after).toMatchObject({ mac: '52:54:00:aa:bb:99' })
  expect(held).toMatchObject({ action: 'guests.hold', target: 'aud1', after: { state: 'held' } })
  expect(changed).toMatchObject({ action: 'guests.change', before: { mac: '52:54:00:aa:bb:99' } })
  expect(removed).toMatchObject({ action: 'guests.remove', after: null })
  expect(text).not.toContain('planted')
  const lines = (await ask('GET', '/api/v1/audit/export')).text.trim().split('\n')
  expect(lines.length).toBeGreaterThan(4)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ action: 'guests.remove' })
  const next = await ask('GET', `/api/v1/audit?limit=1&cursor=${body.next}`)
  expect(next.body.items[0].id).toBe(made.id - 1)
})

describe('the set-up link', () => {
  test('opens a page that may run its own script and nothing else, and makes one administrator', async () => {
    const open = asking(base, () => '')
    expect((await open('GET', '/setup')).text).toContain('treeboot accounts setup-link')
    const { link } = await app.accounts.setupLink({ base: base() })
    const page = await open('GET', '/setup')
    expect(page.text).toContain('<form>')
    const policy = page.headers.get('content-security-policy') ?? ''
    for (const element of ['script', 'style']) {
      const text = new RegExp(`<${element}[^>]*>([\\s\\S]*)</${element}>`).exec(page.text)?.[1] ?? ''
      const digest = createHash('sha256').update(text).digest('base64')
      expect(policy).toContain(`${element}-src 'sha256-${digest}'`)
    }
    const json = { secret: link.split('#')[1], name: 'first', password: 'a long password' }
    expect((await open('POST', '/api/v1/setup', { json: { ...json, secret: 'x' } })).status).toBe(403)
    expect((await open('POST', '/api/v1/setup', { json })).status).toBe(204)
    expect((await open('POST', '/api/v1/setup', { json: { ...json, name: 'second' } })).status).toBe(403)
    expect((await open('GET', '/setup')).text).not.toContain('<form>')
  })
})

test('metrics are open to the networks that the configuration names', async () => {
  const second = temporaryFolder()
  writeBelow(second, 'config.yaml', `${closed}access: { metrics: [127.0.0.2/32] }\n`)
  const server = testApp(second)
  onTestFinished(() => server.stop())
  await server.start()
  const from = (localAddress: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(
        { port: portOf(server), host: '127.0.0.1', path: '/metrics', localAddress },
        (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        },
      )
      sent.on('error', reject).end()
    })
  expect([await from('127.0.0.1'), await from('127.0.0.2')]).toEqual([401, 200])
})
