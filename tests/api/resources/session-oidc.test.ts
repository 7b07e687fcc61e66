import { generateKeyPairSync } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { upstreamLimits } from '../../../server/core/limits/upstreams.ts'
import { asking } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { Browser, client, type Page, TestProvider } from '../../support/openid.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

/** Signing in by the real oidc-provider, with the whole application. */

const start = '/api/v1/session/oidc'
const callback = `${start}/callback`
const by = { account: 'test', from: 'test' }
const home = keptFolder()
let provider: TestProvider
let app: App
let isRunning = false
const events: string[] = []
const base = () => `http://127.0.0.1:${portOf(app)}`
const host = () => new URL(base()).host

function configText(oidc: string, more = ''): string {
  return `${httpOnly.replace(/access:.*\n/, '').replace(/server:.*\n/, '')}
server: { bind: 127.0.0.1${more} }
access:
  oidc:
    issuer: ${provider.issuer}
    client-id: ${client.id}
${oidc}
`
}
const usual = `    client-secret: ${client.secret}
    scopes: [profile, groups]
    roles: { viewer: [staff, readers], operator: ops, admin: [wheel] }`

beforeAll(async () => {
  provider = await TestProvider.open()
})

/** A server that has seen no failures yet: it lets each address fail twenty times. */
async function startAnew(): Promise<void> {
  if (isRunning) await app.stop()
  isRunning = true
  writeBelow(home.path, 'config.yaml', configText(usual))
  app = testApp(home.path)
  app.events.subscribe((event) => events.push(JSON.stringify(event)))
  await app.start()
  await provider.register([`${base()}${callback}`])
}

afterAll(async () => {
  await app.stop()
  await provider.close()
  home.remove()
})

beforeEach(() => {
  events.length = 0
})
afterEach(() => {
  provider.tamper = undefined
})

/** A person of the provider, with other names for each test: accounts stay. */
let count = 0
function person(groups: unknown, name?: unknown): { readonly subject: string; readonly name: string } {
  const subject = `subject-${++count}`
  const own = name ?? `person${count}`
  provider.people.set(subject, { preferred_username: own, ...(groups !== undefined && { groups }) })
  provider.who = subject
  return { subject, name: String(own) }
}

const signIn = (browser = new Browser(), from = start): Promise<Page> => browser.open(`${base()}${from}`)
const reasonOf = ({ text }: Page): string => /role="alert">([^<]*)\.<\/p>/.exec(text)?.[1] ?? text
const session = async (browser: Browser) => {
  const cookie = `treeboot-session=${browser.cookie(host(), 'treeboot-session')}`
  return asking(base, () => '')('GET', '/api/v1/session', { headers: { cookie } })
}
const accountNamed = async (name: string) =>
  (await app.accounts.accounts()).find((each) => each.name === name)
const troubles = () => events.filter((event) => event.includes('signing in by'))

describe('a person with a group that has a role', () => {
  beforeAll(startAnew, 60_000)

  test('gets an account, a session as by a password, and the front page', async () => {
    const { name } = person(['staff', 'ops', 'others'])
    const browser = new Browser()
    const page = await signIn(browser)
    expect(page).toMatchObject({ status: 200, url: `${base()}/` })
    const signed = browser.visited.find((url) => url.includes('code='))
    expect(signed).toMatch(new RegExp(`^${base()}${callback}\\?`))
    const asked = new URL(browser.visited.find((url) => url.startsWith(`${provider.issuer}/auth?`)) ?? '')
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      redirect_uri: `${base()}${callback}`,
      scope: 'openid profile groups',
    })
    expect((await session(browser)).body).toMatchObject({ kind: 'account', account: name, role: 'operator' })
    expect(browser.cookie(host(), 'treeboot-oidc')).toBeUndefined()
    const made = await accountNamed(name)
    expect(made).toMatchObject({ role: 'operator', hasPassword: false, issuer: provider.issuer })
    expect(made?.lastSignInMs).toBeDefined()
    const lines = [...(await app.accounts.audit.list({ limit: 2 }))].reverse()
    expect(lines.map(({ account, action, target, from }) => [account, action, target, from])).toEqual([
      [name, 'accounts.add', name, '127.0.0.1'],
      [name, 'session.begin', name, '127.0.0.1'],
    ])
  })

  test('has the cookies of a session that scripts and other sites do not get', async () => {
    person(['staff'])
    const browser = new Browser()
    const begun = await browser.open(`${base()}${start}`, () => true)
    expect(begun.status).toBe(303)
    expect(begun.response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^treeboot-oidc=[\w-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/),
    ])
    const done = await browser.open(begun.next ?? '', (next) => next === `${base()}/`)
    expect(done.status).toBe(303)
    expect(done.response.headers.getSetCookie()).toEqual([
      'treeboot-oidc=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0',
      expect.stringMatching(/^treeboot-session=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/),
    ])
    expect(done.response.headers.get('referrer-policy')).toBe('no-referrer')
  })

  test('keeps the account, and gets at each sign-in the role of the groups at that moment, in older sessions, too', async () => {
    const { subject, name } = person(['wheel', 'staff'])
    const first = new Browser()
    await signIn(first)
    expect((await session(first)).body).toMatchObject({ role: 'admin' })
    const maker = { kind: 'account', account: name, role: 'admin' } as const
    const { token } = await app.accounts.makeToken(maker, { name: 'ci', role: 'admin' }, by)
    provider.people.set(subject, { preferred_username: 'another-name', groups: 'readers' })
    const revoked: string[] = []
    const stop = app.accounts.onRevoked(({ account }) => revoked.push(account))
    const second = new Browser()
    await signIn(second)
    stop()
    expect((await session(first)).body).toMatchObject({ account: name, role: 'viewer' })
    expect((await session(second)).body).toMatchObject({ account: name, role: 'viewer' })
    expect(await app.accounts.callerOfToken(token, '')).toMatchObject({ role: 'viewer' })
    expect(await accountNamed('another-name')).toBeUndefined()
    expect(revoked).toContain(name)
    const [, set] = await app.accounts.audit.list({ limit: 2 })
    expect(set).toMatchObject({ action: 'accounts.set', target: name })
    expect(set?.before).toContain('"role":"admin"')
    expect(set?.after).toContain('"role":"viewer"')
  })

  test('goes back to the path that was asked for, and to no other server', async () => {
    person(['staff'])
    expect(await signIn(new Browser(), `${start}?return=/trees/%3Fa=1`)).toMatchObject({
      url: `${base()}/trees/?a=1`,
    })
    for (const evil of [
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      '/.//evil.example',
      '/\t/e',
      '',
    ])
      expect([
        evil,
        (await signIn(new Browser(), `${start}?return=${encodeURIComponent(evil)}`)).status,
      ]).toEqual([evil, 400])
  })

  test('gets claims also from an ID token that has them', async () => {
    await provider.register([`${base()}${callback}`], { inIdToken: true })
    const { name } = person(['ops'])
    await signIn()
    expect(await accountNamed(name)).toMatchObject({ role: 'operator' })
    await provider.register([`${base()}${callback}`])
  })
})

describe('a person is refused in words', () => {
  beforeAll(startAnew, 60_000)

  test('without a group that has a role, and then has no account', async () => {
    const { name } = person(['others'])
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, 'none of your groups has a role on this server'])
    expect(await accountNamed(name)).toBeUndefined()
    expect((await app.accounts.audit.list({ limit: 1 }))[0]).toMatchObject({
      action: 'session.refused',
      account: name,
    })
  })

  test('when the last group is gone: what the account had counts for nothing until there is a group again', async () => {
    const { subject, name } = person(['ops'])
    const browser = new Browser()
    await signIn(browser)
    const maker = { kind: 'account', account: name, role: 'operator' } as const
    const { token } = await app.accounts.makeToken(maker, { name: 'ci', role: 'operator' }, by)
    provider.people.set(subject, { preferred_username: name, groups: [] })
    expect((await signIn()).status).toBe(403)
    expect((await session(browser)).status).toBe(401)
    expect(await app.accounts.callerOfToken(token, '')).toBeUndefined()
    provider.people.set(subject, { preferred_username: name, groups: ['staff'] })
    expect((await signIn()).status).toBe(200)
    expect(await app.accounts.callerOfToken(token, '')).toMatchObject({ role: 'viewer' })
  })

  test('when the provider says nothing of groups, and then nothing is taken from the account', async () => {
    const { subject, name } = person(['ops'])
    await signIn()
    provider.people.set(subject, { preferred_username: name })
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, expect.stringContaining('groups-claim')])
    expect(await accountNamed(name)).toMatchObject({ role: 'operator', disabled: false })
  })

  test('when an admin has disabled the account, whatever groups there are', async () => {
    const { subject, name } = person(['ops'])
    await signIn()
    provider.people.set(subject, { preferred_username: name, groups: [] })
    await signIn()
    await app.accounts.setAccount(name, { disabled: true }, by)
    provider.people.set(subject, { preferred_username: name, groups: ['wheel'] })
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, `the account ${name} is disabled`])
    expect(await accountNamed(name)).toMatchObject({ disabled: true })
  })

  test.each([
    ['of a local account', 'anna', 'with a password already'],
    ['that reads like that of a local account', 'ANNA', 'reads like'],
  ])('with the name %s', async (_, name, words) => {
    if (!(await accountNamed('anna')))
      await app.accounts.addAccount({ name: 'anna', role: 'viewer', password: 'a long password' }, by)
    person(['wheel'], name)
    const browser = new Browser()
    const page = await signIn(browser)
    expect([page.status, reasonOf(page)]).toEqual([409, expect.stringContaining(words)])
    expect(browser.cookie(host(), 'treeboot-session')).toBeUndefined()
    expect(await accountNamed('anna')).toMatchObject({ role: 'viewer', hasPassword: true })
  })

  test('with the name of somebody else at the provider', async () => {
    const { name } = person(['staff'])
    await signIn()
    person(['wheel'], name)
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([409, expect.stringContaining('belongs to somebody else')])
    expect(await accountNamed(name)).toMatchObject({ role: 'viewer' })
  })

  test.each([['../etc/passwd'], ['two words'], [7], ['']])('with the name %j', async (name) => {
    person(['staff'], name)
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, expect.stringContaining('name-claim')])
  })

  test('when he does not want to', async () => {
    provider.who = undefined
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, expect.stringContaining('access_denied')])
    expect(troubles()).toHaveLength(1)
  })

  test('no admin gives such an account a password or another role', async () => {
    const { name } = person(['staff'])
    await signIn()
    await expect(app.accounts.setAccount(name, { password: 'a long password' }, by)).rejects.toThrow(
      'by a provider',
    )
    await expect(app.accounts.setAccount(name, { role: 'admin' }, by)).rejects.toThrow('by a provider')
    await expect(app.accounts.signIn(name, 'a long password', '10.9.9.9')).rejects.toThrow('wrong')
  })
})

const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const now = () => Math.floor(Date.now() / 1000)
type Tamper = (path: string, body: string) => string | undefined
/** Changes the token; all else is the real provider. */
const token =
  (change: (body: string) => string): Tamper =>
  (path, body) =>
    path === '/token' ? change(body) : undefined

describe('a fault of the provider is one line for the person and one in the log', () => {
  beforeAll(startAnew, 60_000)

  test.each<[string, number, string, Tamper]>([
    [
      'a token that is not signed',
      403,
      'not signed',
      token((b) => provider.withToken(b, {}, undefined, false)),
    ],
    [
      'a token that somebody else signed',
      403,
      'not signed by it',
      token((b) => provider.withToken(b, {}, foreign)),
    ],
    [
      'a token of another issuer',
      403,
      'iss',
      token((b) => provider.withToken(b, { iss: 'http://other.example' })),
    ],
    ['a token for another client', 403, 'aud', token((b) => provider.withToken(b, { aud: 'other' }))],
    ['a token of another sign-in', 403, 'nonce', token((b) => provider.withToken(b, { nonce: 'other' }))],
    [
      'a token without nonce',
      403,
      'nonce|not right',
      token((b) => provider.withToken(b, { nonce: undefined })),
    ],
    ['a token that has expired', 403, 'clocks', token((b) => provider.withToken(b, { exp: now() - 120 }))],
    [
      'a clock that goes ahead',
      403,
      'clocks|not right',
      token((b) => provider.withToken(b, { nbf: now() + 120 })),
    ],
    [
      'a subject that is too long',
      403,
      'too long',
      token((b) => provider.withToken(b, { sub: 'x'.repeat(256), preferred_username: 'a', groups: [] })),
    ],
    [
      'no token',
      403,
      'not right|no token',
      token((b) => JSON.stringify({ ...JSON.parse(b), id_token: undefined })),
    ],
    ['no JSON', 503, 'OpenID', token(() => '<p>hello')],
    [
      'UserInfo of another person',
      403,
      'something else|not right|sub',
      (path, body) => (path === '/me' ? JSON.stringify({ ...JSON.parse(body), sub: 'other' }) : undefined),
    ],
  ])('%s', async (_, status, words, tamper) => {
    person(['wheel'])
    provider.tamper = tamper
    const browser = new Browser()
    const page = await signIn(browser)
    expect([page.status, reasonOf(page)]).toEqual([status, expect.stringMatching(words)])
    expect(browser.cookie(host(), 'treeboot-session')).toBeUndefined()
    expect(troubles()).toEqual([expect.stringContaining(reasonOf(page).split(' (')[0]?.slice(0, 30) ?? '')])
    expectNoSecrets(browser)
  })

  test('a code that was used already', async () => {
    person(['staff'])
    const browser = new Browser()
    const stopped = await browser.open(`${base()}${start}`, (next) => next.includes('code='))
    const [way, code] = [new URL(stopped.next ?? ''), new URL(stopped.next ?? '').searchParams.get('code')]
    expect((await browser.open(way.href)).status).toBe(200)
    events.length = 0
    // With the state of another sign-in, and the old code.
    const again = new Browser()
    const begun = await again.open(`${base()}${start}`, () => true)
    const state = new URL(begun.next ?? '').searchParams.get('state') ?? ''
    way.searchParams.set('state', state)
    const page = await again.open(way.href)
    expect([page.status, reasonOf(page)]).toEqual([
      400,
      expect.stringContaining('expired, or was used already'),
    ])
    expect(troubles()).toHaveLength(1)
    expect(events.join()).not.toContain(code)
  })

  test('a state that comes again, is of another browser, or none', async () => {
    person(['staff'])
    const browser = new Browser()
    const stopped = await browser.open(`${base()}${start}`, (next) => next.includes('code='))
    const kept = browser.cookie(host(), 'treeboot-oidc') ?? ''
    const words = [400, expect.stringContaining('not begun in this browser')]
    const stranger = await new Browser().open(stopped.next ?? '')
    expect([stranger.status, reasonOf(stranger)]).toEqual(words)
    expect((await browser.open(stopped.next ?? '')).status).toBe(200)
    browser.setCookie(host(), 'treeboot-oidc', kept)
    const replayed = await browser.open(stopped.next ?? '')
    expect([replayed.status, reasonOf(replayed)]).toEqual(words)
    browser.setCookie(host(), 'treeboot-oidc', `${kept.slice(0, -2)}AA`)
    expect(reasonOf(await browser.open(stopped.next ?? ''))).toEqual(words[1])
    expect(troubles()).toHaveLength(3)
    expectNoSecrets(browser)
  })

  test('whoever fails too often waits before the provider is asked again, and the log stays short', async () => {
    person(['others'])
    let page = await signIn()
    for (let tries = 0; tries < 25 && page.status !== 429; tries++) page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([429, expect.stringContaining('try again in')])
    expect(Number(page.response.headers.get('retry-after'))).toBeGreaterThan(0)
    for (let tries = 0; tries < 25; tries++) await new Browser().open(`${base()}${callback}?state=x`)
    expect(troubles().length).toBeLessThan(25)
  })

  test('programs get the problem document', async () => {
    const { status, body } = await asking(base, () => '')('GET', `${callback}?code=x&state=y`)
    expect([status, body.error]).toEqual([400, 'bad-request'])
  })
})

/** Nothing of a code, token, cookie or secret is in an event, of which the log is made, or in the audit. */
function expectNoSecrets(browser: Browser): void {
  const codes = browser.visited.flatMap((url) => new URL(url).searchParams.get('code') ?? [])
  const tokens = provider.spoken.flatMap((body) => [...body.matchAll(/"(?:id|access)_token":"([^"]+)"/g)])
  const secrets = [...codes, ...tokens.map(([, each = '']) => each), client.secret]
  const all = events.join()
  for (const secret of secrets) expect(all).not.toContain(secret)
  expect(all).not.toMatch(/code=|eyJ/)
}

describe('the redirect URI', () => {
  beforeAll(startAnew, 60_000)

  /** fetch sets Host itself. */
  const ask = (headers: Record<string, string>): Promise<{ status: number; headers: IncomingHttpHeaders }> =>
    new Promise((resolve, reject) => {
      httpRequest(`${base()}${start}`, { headers, setHost: false }, (response) => {
        response.resume()
        resolve({ status: response.statusCode ?? 0, headers: response.headers })
      })
        .on('error', reject)
        .end()
    })

  test('is never one of a foreign Host', async () => {
    expect(await ask({ Host: 'evil.example' })).toMatchObject({ status: 421 })
    expect(await ask({ Host: '127.0.0.1', 'x-forwarded-host': 'evil.example' })).toMatchObject({
      status: 303,
    })
    const { headers } = await ask({ Host: 'localhost:81' })
    expect(headers.location).toContain(encodeURIComponent(`http://localhost:81${callback}`))
  })

  test('is that of server.url, with a new configuration at once', async () => {
    writeBelow(home.path, 'config.yaml', configText(usual, ", url: 'http://boot.example/sub'"))
    await eventually(() => expect(app.snapshot().config.server.url).toBe('http://boot.example/sub'), 10_000)
    const moved = await ask({ Host: 'evil.example' })
    expect(moved.headers.location).toBe(`http://boot.example/sub${start}?moved=1&return=%2F`)
    const { headers } = await ask({ Host: 'boot.example' })
    expect(headers.location).toContain(encodeURIComponent(`http://boot.example/sub${callback}`))
  })
})

describe('the configuration', () => {
  beforeAll(startAnew, 60_000)

  async function reconfigure(text: string): Promise<void> {
    const before = app.snapshot().config
    writeBelow(home.path, 'config.yaml', text)
    await eventually(() => expect(app.snapshot().config).not.toBe(before), 10_000)
  }

  test('counts at once: other groups, another claim, and the secret of a file', async () => {
    writeBelow(home.path, 'secret', `${client.secret}\n`)
    await reconfigure(
      configText(`    client-secret-file: secret
    scopes: [profile, groups]
    name-claim: sub
    roles: { admin: [others] }`),
    )
    const { subject } = person(['others'])
    await signIn()
    expect(await accountNamed(subject)).toMatchObject({ role: 'admin' })
    writeBelow(home.path, 'secret', 'another\n')
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([503, expect.stringContaining('client-secret')])
  })

  test('a response of 1 MiB is read, and a longer one is refused', async () => {
    await reconfigure(configText(usual))
    person(['staff'])
    const { bytes } = upstreamLimits.openIdProvider
    const longer = (more: number): Tamper => token((body) => body.padEnd(bytes + more))
    provider.tamper = longer(0)
    expect((await signIn()).status).toBe(200)
    provider.tamper = longer(1)
    expect((await signIn()).status).not.toBe(200)
    expect(troubles()).toEqual([expect.stringContaining(`more than ${bytes} bytes`)])
  })

  test('a provider that calls itself otherwise, or is not there, is told', async () => {
    await reconfigure(
      configText(usual).replace(provider.issuer, provider.issuer.replace('127.0.0.1', 'localhost')),
    )
    const wrong = await signIn()
    expect([wrong.status, reasonOf(wrong)]).toEqual([503, expect.stringContaining('access.oidc.issuer')])
    await reconfigure(configText(usual).replace(provider.issuer, 'http://127.0.0.1:1'))
    const down = await signIn()
    expect([down.status, reasonOf(down)]).toEqual([503, expect.stringContaining('does not answer')])
    expect(troubles()).toHaveLength(2)
    await reconfigure(httpOnly)
    expect((await signIn()).status).toBe(404)
  })
})
