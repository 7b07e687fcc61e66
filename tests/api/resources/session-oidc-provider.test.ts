import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { upstreamLimits } from '../../../server/core/limits/upstreams.ts'
import { asking } from '../../support/api.ts'
import { httpOnly } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { callback, oidcServer, reasonOf, start, usual } from '../../support/oidc-server.ts'
import { Browser, client } from '../../support/openid.ts'
import { writeBelow } from '../../support/tree-folder.ts'

/** What goes wrong at the provider, and how the server is told which one it is. */

const oidc = oidcServer()
const { accountNamed, base, configText, events, home, host, person, signIn, troubles, startAnew } = oidc

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
      token((b) => oidc.provider.withToken(b, {}, undefined, false)),
    ],
    [
      'a token that somebody else signed',
      403,
      'not signed by it',
      token((b) => oidc.provider.withToken(b, {}, foreign)),
    ],
    [
      'a token of another issuer',
      403,
      'iss',
      token((b) => oidc.provider.withToken(b, { iss: 'http://other.example' })),
    ],
    ['a token for another client', 403, 'aud', token((b) => oidc.provider.withToken(b, { aud: 'other' }))],
    [
      'a token of another sign-in',
      403,
      'nonce',
      token((b) => oidc.provider.withToken(b, { nonce: 'other' })),
    ],
    [
      'a token without nonce',
      403,
      'nonce|not right',
      token((b) => oidc.provider.withToken(b, { nonce: undefined })),
    ],
    [
      'a token that has expired',
      403,
      'clocks',
      token((b) => oidc.provider.withToken(b, { exp: now() - 120 })),
    ],
    [
      'a clock that goes ahead',
      403,
      'clocks|not right',
      token((b) => oidc.provider.withToken(b, { nbf: now() + 120 })),
    ],
    [
      'a subject that is too long',
      403,
      'too long',
      token((b) => oidc.provider.withToken(b, { sub: 'x'.repeat(256), preferred_username: 'a', groups: [] })),
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
    oidc.provider.tamper = tamper
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
  const tokens = oidc.provider.spoken.flatMap((body) => [
    ...body.matchAll(/"(?:id|access)_token":"([^"]+)"/g),
  ])
  const secrets = [...codes, ...tokens.map(([, each = '']) => each), client.secret]
  const all = events.join()
  for (const secret of secrets) expect(all).not.toContain(secret)
  expect(all).not.toMatch(/code=|eyJ/)
}

describe('the configuration', () => {
  beforeAll(startAnew, 60_000)

  async function reconfigure(text: string): Promise<void> {
    const before = oidc.app.snapshot().config
    writeBelow(home.path, 'config.yaml', text)
    await eventually(() => expect(oidc.app.snapshot().config).not.toBe(before), 10_000)
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
    oidc.provider.tamper = longer(0)
    expect((await signIn()).status).toBe(200)
    oidc.provider.tamper = longer(1)
    expect((await signIn()).status).not.toBe(200)
    expect(troubles()).toEqual([expect.stringContaining(`more than ${bytes} bytes`)])
  })

  test('a provider that calls itself otherwise, or is not there, is told', async () => {
    await reconfigure(
      configText(usual).replace(oidc.provider.issuer, oidc.provider.issuer.replace('127.0.0.1', 'localhost')),
    )
    const wrong = await signIn()
    expect([wrong.status, reasonOf(wrong)]).toEqual([503, expect.stringContaining('access.oidc.issuer')])
    await reconfigure(configText(usual).replace(oidc.provider.issuer, 'http://127.0.0.1:1'))
    const down = await signIn()
    expect([down.status, reasonOf(down)]).toEqual([503, expect.stringContaining('does not answer')])
    expect(troubles()).toHaveLength(2)
    await reconfigure(httpOnly)
    expect((await signIn()).status).toBe(404)
  })
})
