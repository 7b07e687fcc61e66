import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { callback, oidcServer, reasonOf, start, usual } from '../../support/oidc-server.ts'
import { Browser } from '../../support/openid.ts'
import { writeBelow } from '../../support/tree-folder.ts'

/** Signing in by the real oidc-provider, with the whole application. */

const by = { account: 'test', from: 'test' }
const oidc = oidcServer()
const { accountNamed, base, configText, home, host, person, session, signIn, troubles, startAnew } = oidc

describe('a person with a group that has a role', () => {
  beforeAll(startAnew, 60_000)

  test('gets an account, a session as by a password, and the front page', async () => {
    const { name } = person(['staff', 'ops', 'others'])
    const browser = new Browser()
    const page = await signIn(browser)
    expect(page).toMatchObject({ status: 200, url: `${base()}/` })
    const signed = browser.visited.find((url) => url.includes('code='))
    expect(signed).toMatch(new RegExp(`^${base()}${callback}\\?`))
    const asked = new URL(
      browser.visited.find((url) => url.startsWith(`${oidc.provider.issuer}/auth?`)) ?? '',
    )
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
    expect(made).toMatchObject({ role: 'operator', hasPassword: false, issuer: oidc.provider.issuer })
    expect(made?.lastSignInMs).toBeDefined()
    const lines = [...(await oidc.app.accounts.audit.list({ limit: 2 }))].reverse()
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
    const { token } = await oidc.app.accounts.makeToken(maker, { name: 'ci', role: 'admin' }, by)
    oidc.provider.people.set(subject, { preferred_username: 'another-name', groups: 'readers' })
    const revoked: string[] = []
    const stop = oidc.app.accounts.onRevoked(({ account }) => revoked.push(account))
    const second = new Browser()
    await signIn(second)
    stop()
    expect((await session(first)).body).toMatchObject({ account: name, role: 'viewer' })
    expect((await session(second)).body).toMatchObject({ account: name, role: 'viewer' })
    expect(await oidc.app.accounts.callerOfToken(token, '')).toMatchObject({ role: 'viewer' })
    expect(await accountNamed('another-name')).toBeUndefined()
    expect(revoked).toContain(name)
    const [, set] = await oidc.app.accounts.audit.list({ limit: 2 })
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
    await oidc.provider.register([`${base()}${callback}`], { inIdToken: true })
    const { name } = person(['ops'])
    await signIn()
    expect(await accountNamed(name)).toMatchObject({ role: 'operator' })
    await oidc.provider.register([`${base()}${callback}`])
  })
})

describe('a person is refused in words', () => {
  beforeAll(startAnew, 60_000)

  test('without a group that has a role, and then has no account', async () => {
    const { name } = person(['others'])
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, 'none of your groups has a role on this server'])
    expect(await accountNamed(name)).toBeUndefined()
    expect((await oidc.app.accounts.audit.list({ limit: 1 }))[0]).toMatchObject({
      action: 'session.refused',
      account: name,
    })
  })

  test('when the last group is gone: what the account had counts for nothing until there is a group again', async () => {
    const { subject, name } = person(['ops'])
    const browser = new Browser()
    await signIn(browser)
    const maker = { kind: 'account', account: name, role: 'operator' } as const
    const { token } = await oidc.app.accounts.makeToken(maker, { name: 'ci', role: 'operator' }, by)
    oidc.provider.people.set(subject, { preferred_username: name, groups: [] })
    expect((await signIn()).status).toBe(403)
    expect((await session(browser)).status).toBe(401)
    expect(await oidc.app.accounts.callerOfToken(token, '')).toBeUndefined()
    oidc.provider.people.set(subject, { preferred_username: name, groups: ['staff'] })
    expect((await signIn()).status).toBe(200)
    expect(await oidc.app.accounts.callerOfToken(token, '')).toMatchObject({ role: 'viewer' })
  })

  test('when the provider says nothing of groups, and then nothing is taken from the account', async () => {
    const { subject, name } = person(['ops'])
    await signIn()
    oidc.provider.people.set(subject, { preferred_username: name })
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, expect.stringContaining('groups-claim')])
    expect(await accountNamed(name)).toMatchObject({ role: 'operator', disabled: false })
  })

  test('when an admin has disabled the account, whatever groups there are', async () => {
    const { subject, name } = person(['ops'])
    await signIn()
    oidc.provider.people.set(subject, { preferred_username: name, groups: [] })
    await signIn()
    await oidc.app.accounts.setAccount(name, { disabled: true }, by)
    oidc.provider.people.set(subject, { preferred_username: name, groups: ['wheel'] })
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, `the account ${name} is disabled`])
    expect(await accountNamed(name)).toMatchObject({ disabled: true })
  })

  test.each([
    ['of a local account', 'anna', 'with a password already'],
    ['that reads like that of a local account', 'ANNA', 'reads like'],
  ])('with the name %s', async (_, name, words) => {
    if (!(await accountNamed('anna')))
      await oidc.app.accounts.addAccount({ name: 'anna', role: 'viewer', password: 'a long password' }, by)
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
    oidc.provider.who = undefined
    const page = await signIn()
    expect([page.status, reasonOf(page)]).toEqual([403, expect.stringContaining('access_denied')])
    expect(troubles()).toHaveLength(1)
  })

  test('no admin gives such an account a password or another role', async () => {
    const { name } = person(['staff'])
    await signIn()
    await expect(oidc.app.accounts.setAccount(name, { password: 'a long password' }, by)).rejects.toThrow(
      'by a provider',
    )
    await expect(oidc.app.accounts.setAccount(name, { role: 'admin' }, by)).rejects.toThrow('by a provider')
    await expect(oidc.app.accounts.signIn(name, 'a long password', '10.9.9.9')).rejects.toThrow('wrong')
  })
})

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
    await eventually(
      () => expect(oidc.app.snapshot().config.server.url).toBe('http://boot.example/sub'),
      10_000,
    )
    const moved = await ask({ Host: 'evil.example' })
    expect(moved.headers.location).toBe(`http://boot.example/sub${start}?moved=1&return=%2F`)
    const { headers } = await ask({ Host: 'boot.example' })
    expect(headers.location).toContain(encodeURIComponent(`http://boot.example/sub${callback}`))
  })
})
