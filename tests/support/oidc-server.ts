import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { App } from '../../server/app.ts'
import { asking } from './api.ts'
import { httpOnly, portOf, testApp } from './app.ts'
import { Browser, client, type Page, TestProvider } from './openid.ts'
import { keptFolder, writeBelow } from './tree-folder.ts'

export const start = '/api/v1/session/oidc'
export const callback = `${start}/callback`

/** The configuration of `access.oidc` beside issuer and client. */
export const usual = `    client-secret: ${client.secret}
    scopes: [profile, groups]
    roles: { viewer: [staff, readers], operator: ops, admin: [wheel] }`

/** What a page says of a refusal. */
export const reasonOf = ({ text }: Page): string => /role="alert">([^<]*)\.<\/p>/.exec(text)?.[1] ?? text

/** A server whose people sign in by the real oidc-provider. For the top of a test file: it opens and ends with the tests. */
export function oidcServer() {
  const home = keptFolder()
  const events: string[] = []
  let provider: TestProvider
  let app: App | undefined
  const appNow = (): App => {
    if (!app) throw new Error('call startAnew first')
    return app
  }
  const base = (): string => `http://127.0.0.1:${portOf(appNow())}`
  const host = (): string => new URL(base()).host

  beforeAll(async () => {
    provider = await TestProvider.open()
  })
  afterAll(async () => {
    await app?.stop()
    await provider.close()
    home.remove()
  })
  beforeEach(() => {
    events.length = 0
  })
  afterEach(() => {
    provider.tamper = undefined
  })

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

  /** A server that has seen no failures yet: it lets each address fail twenty times. */
  async function startAnew(): Promise<void> {
    await app?.stop()
    writeBelow(home.path, 'config.yaml', configText(usual))
    app = testApp(home.path)
    app.events.subscribe((event) => events.push(JSON.stringify(event)))
    await app.start()
    await provider.register([`${base()}${callback}`])
  }

  /** A person of the provider, with other names for each test: accounts stay. */
  let count = 0
  function person(groups: unknown, name?: unknown): { readonly subject: string; readonly name: string } {
    const subject = `subject-${++count}`
    const own = name ?? `person${count}`
    provider.people.set(subject, { preferred_username: own, ...(groups !== undefined && { groups }) })
    provider.who = subject
    return { subject, name: String(own) }
  }

  return {
    home,
    /** Each event as JSON, since the test began. */
    events,
    get provider() {
      return provider
    },
    get app() {
      return appNow()
    },
    base,
    host,
    configText,
    startAnew,
    person,
    signIn: (browser = new Browser(), from = start): Promise<Page> => browser.open(`${base()}${from}`),
    session: (browser: Browser) => {
      const cookie = `treeboot-session=${browser.cookie(host(), 'treeboot-session')}`
      return asking(base, () => '')('GET', '/api/v1/session', { headers: { cookie } })
    },
    accountNamed: async (name: string) =>
      (await appNow().accounts.accounts()).find((each) => each.name === name),
    troubles: () => events.filter((event) => event.includes('signing in by')),
  }
}
