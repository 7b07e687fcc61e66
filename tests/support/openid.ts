import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Provider as ProviderType } from 'oidc-provider'
import { vi } from 'vitest'

/** A person at the provider. */
export interface Person {
  readonly preferred_username?: unknown
  readonly groups?: unknown
}

export const client = { id: 'treeboot', secret: 'the-secret-of-the-client' } as const

/** The real `oidc-provider` in this process, on 127.0.0.1. Its sign-in page needs no click. */
export class TestProvider {
  readonly issuer: string
  /** By subject. */
  readonly people = new Map<string, Person>()
  /** The subject that signs in next; undefined: whoever comes refuses. */
  who: string | undefined
  /** Changes the body of a response; undefined leaves it. */
  tamper: ((path: string, body: string) => string | undefined) | undefined
  /** Every body that the provider has received or sent. */
  readonly spoken: string[] = []
  readonly privateKey: KeyObject
  readonly #server
  readonly #keys
  #provider: ProviderType | undefined

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.privateKey = privateKey
    this.#keys = [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' }]
    server.on('request', (req, res) => void this.#answer(req, res))
  }

  static async open(): Promise<TestProvider> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new TestProvider(server)
  }

  /** Knows the client, whose browsers come back there. `inIdToken`: the ID token has all claims, not only UserInfo. */
  async register(redirectUris: readonly string[], { inIdToken = false } = {}): Promise<void> {
    // It tells that its store is in memory, which is right here.
    const quiet = [vi.spyOn(console, 'info'), vi.spyOn(console, 'warn')]
    for (const each of quiet) each.mockImplementation(() => {})
    const { Provider } = await import('oidc-provider')
    const { issuer, people } = this
    this.#provider = new Provider(issuer, {
      jwks: { keys: this.#keys },
      clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [...redirectUris] }],
      pkce: { required: () => true },
      scopes: ['openid', 'profile', 'groups'],
      claims: { profile: ['preferred_username'], groups: ['groups'] },
      conformIdTokenClaims: !inIdToken,
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, { uid }) => `/interaction/${uid}` },
      cookies: { keys: ['for tests'] },
      ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Interaction: 60, Session: 60, Grant: 60 },
      findAccount: (_, sub) => ({ accountId: sub, claims: async () => ({ sub, ...people.get(sub) }) }),
      async loadExistingGrant({ oidc }) {
        const accountId = oidc.session?.accountId
        const grant = new oidc.provider.Grant({
          ...(oidc.client && { clientId: oidc.client.clientId }),
          ...(accountId !== undefined && { accountId }),
        })
        grant.addOIDCScope('openid profile groups')
        await grant.save()
        return grant
      },
    })
    for (const each of quiet) each.mockRestore()
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** The ID token in a response of the token endpoint with other claims, signed by `key`; without one it is not signed. */
  withToken(
    body: string,
    claims: object,
    key: KeyObject | undefined = this.privateKey,
    isSigned = true,
  ): string {
    const response = JSON.parse(body) as { id_token: string }
    const [, payload = ''] = response.id_token.split('.')
    const was = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const head = part(isSigned ? { alg: 'RS256', kid: 'one' } : { alg: 'none' })
    const text = `${head}.${part({ ...was, ...claims })}`
    const signature = isSigned ? sign('RSA-SHA256', Buffer.from(text), key).toString('base64url') : ''
    return JSON.stringify({ ...response, id_token: `${text}.${signature}` })
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const provider = this.#provider
    if (!provider) return void res.writeHead(503).end()
    const path = (req.url ?? '').split('?')[0] ?? ''
    if (path.startsWith('/interaction/')) {
      const result = this.who === undefined ? { error: 'access_denied' } : { login: { accountId: this.who } }
      return provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false })
    }
    const end = res.end.bind(res) as (body: string) => ServerResponse
    res.end = ((body?: unknown) => {
      const text = typeof body === 'string' || Buffer.isBuffer(body) ? String(body) : ''
      const sent = this.tamper?.(path, text) ?? text
      this.spoken.push(sent)
      if (!res.headersSent) res.setHeader('Content-Length', Buffer.byteLength(sent))
      return end(sent)
    }) as typeof res.end
    await provider.callback()(req, res)
  }
}

/** What a person sees in a browser: redirects are followed and cookies kept, by host and port. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()
  readonly visited: string[] = []

  /** Follows redirects as long as `until` does not say to stop before the next address. */
  async open(url: string, until: (next: string) => boolean = () => false): Promise<Page> {
    for (let at = url, hops = 0; hops < 20; hops++) {
      this.visited.push(at)
      const { host } = new URL(at)
      const jar = this.#cookies.get(host) ?? new Map<string, string>()
      this.#cookies.set(host, jar)
      const response = await fetch(at, {
        redirect: 'manual',
        headers: {
          accept: 'text/html',
          cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
        },
      })
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (value === '') jar.delete(name)
        else jar.set(name, value)
      }
      const location = response.headers.get('location')
      const text = await response.text()
      const next = location === null ? undefined : new URL(location, at).href
      if (next === undefined || until(next)) return { status: response.status, url: at, next, text, response }
      at = next
    }
    throw new Error(`too many redirects: ${this.visited.join(' ')}`)
  }

  cookie(host: string, name: string): string | undefined {
    return this.#cookies.get(host)?.get(name)
  }

  setCookie(host: string, name: string, value: string): void {
    this.#cookies.get(host)?.set(name, value)
  }
}

export interface Page {
  readonly status: number
  readonly url: string
  /** Where it leads, when that was not followed. */
  readonly next: string | undefined
  readonly text: string
  readonly response: Response
}
