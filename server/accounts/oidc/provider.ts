import type { ClientAuth, Configuration, IDToken, UserInfoResponse } from 'openid-client'
import type { OidcSettings, ProvenPerson } from '../../core/access/oidc.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { isLoopback } from '../../core/net/address.ts'
import { readFileAtMost } from '../../host/read-at-most.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { providerFailure } from './faults.ts'

/** What a provider says of itself is asked again after this time; keys are asked for when a token needs one. */
const knownMs = 3_600_000
/** One that did not answer is not asked by the next who comes within this time. */
const failedMs = 5_000
/** OpenID Connect Core 1.0, section 2: at most 255 characters. */
const longestSubject = 255
const mostGroups = 10_000

/** What belongs to one sign-in: the browser keeps it, sealed, until the provider sends it back. */
export interface SignInSecrets {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

interface Known {
  readonly key: string
  readonly untilUp: number
  readonly client: Promise<Configuration>
}

/** The OpenID provider of the configuration, by its discovery document (OpenID Connect Discovery 1.0). */
export class Provider {
  readonly #up: () => number
  #known: Known | undefined

  /** @param up Milliseconds, by a clock that is never set. */
  constructor(up: () => number) {
    this.#up = up
  }

  /** Where to send the browser, with what has to come back. @throws Failure */
  async begin(
    settings: OidcSettings,
    redirectUri: string,
  ): Promise<{ readonly location: string } & SignInSecrets> {
    const openid = await import('openid-client')
    const client = await this.#client(settings)
    const [state, nonce, verifier] = [
      openid.randomState(),
      openid.randomNonce(),
      openid.randomPKCECodeVerifier(),
    ]
    const url = openid.buildAuthorizationUrl(client, {
      redirect_uri: redirectUri,
      scope: [...new Set(['openid', ...settings.scopes])].join(' '),
      response_type: 'code',
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    return { location: url.href, state, nonce, verifier }
  }

  /**
   * Who came back.
   *
   * @param cameBack The redirect URI with the query that the provider has added.
   * @throws Failure
   */
  async finish(settings: OidcSettings, cameBack: URL, secrets: SignInSecrets): Promise<ProvenPerson> {
    const openid = await import('openid-client')
    try {
      const client = await this.#client(settings)
      const tokens = await openid.authorizationCodeGrant(client, cameBack, {
        pkceCodeVerifier: secrets.verifier,
        expectedNonce: secrets.nonce,
        expectedState: secrets.state,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      if (!claims) throw new Failure('forbidden', 'the provider sent no token that says who you are')
      requireIssuer(settings, claims)
      const { nameClaim, groupsClaim } = settings
      // Many providers put names and groups only into UserInfo (section 5.4).
      const isWhole = claims[nameClaim] !== undefined && claims[groupsClaim] !== undefined
      const hasMore = !isWhole && client.serverMetadata().userinfo_endpoint !== undefined
      const more = hasMore ? await openid.fetchUserInfo(client, tokens.access_token, claims.sub) : undefined
      return personOf(settings, claims, more)
    } catch (error) {
      // A provider that has changed its keys or addresses is asked for them by the next who comes.
      this.#known = undefined
      throw providerFailure(error)
    }
  }

  async #client(settings: OidcSettings): Promise<Configuration> {
    const secret = await secretOf(settings)
    const key = JSON.stringify([settings, secret])
    const up = this.#up()
    if (this.#known?.key === key && up < this.#known.untilUp) return this.#known.client
    const client = discover(settings, secret)
    this.#known = { key, untilUp: up + knownMs, client }
    return client.catch((error: unknown) => {
      if (this.#known?.client === client) this.#known = { key, untilUp: this.#up() + failedMs, client }
      throw error
    })
  }
}

async function discover(settings: OidcSettings, secret: string): Promise<Configuration> {
  const openid = await import('openid-client')
  const { issuer, clientId } = settings
  const server = new URL(issuer)
  const basic = openid.ClientSecretBasic(secret)
  const post = openid.ClientSecretPost(secret)
  // RFC 8414, section 2: without a list, the provider takes basic authentication.
  const auth: ClientAuth = (as, ...rest) => {
    const methods = as.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    return (methods.includes('client_secret_basic') ? basic : post)(as, ...rest)
  }
  try {
    return await openid.discovery(server, clientId, undefined, auth, {
      timeout: upstreamLimits.openIdProvider.ms / 1000,
      [openid.customFetch]: boundedFetch,
      execute: [
        // openid-client leaves the signature to TLS otherwise.
        openid.enableNonRepudiationChecks,
        ...(isPlainLoopback(server) ? [openid.allowInsecureRequests] : []),
      ],
    })
  } catch (error) {
    throw providerFailure(error)
  }
}

/** The configuration allows `http:` only to this machine. */
function isPlainLoopback({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'http:' && (hostname === 'localhost' || isLoopback(hostname.replace(/^\[(.*)\]$/, '$1')))
  )
}

/** openid-client takes any tenant's issuer for some addresses of Microsoft; who is in one is nobody in another. */
function requireIssuer({ issuer }: OidcSettings, { iss }: IDToken): void {
  const plain = (url: string): string => url.replace(/\/$/, '')
  if (plain(iss) !== plain(issuer))
    throw new Failure('forbidden', 'the token of the provider is that of another issuer', { forClient: true })
}

/** The file is read each time: a new secret counts at once. */
async function secretOf({ clientSecret, clientSecretFile }: OidcSettings): Promise<string> {
  if (clientSecretFile === undefined) return clientSecret ?? ''
  const bytes = await readFileAtMost(clientSecretFile, configurationLimits.secretFile.bytes).catch(
    () => undefined,
  )
  const secret = bytes?.toString('utf8').trim()
  if (secret) return secret
  throw new Failure('unavailable', 'the file of access.oidc.client-secret-file cannot be read, or is empty', {
    forClient: true,
  })
}

function personOf(settings: OidcSettings, claims: IDToken, more: UserInfoResponse | undefined): ProvenPerson {
  const claim = (name: string): unknown => claims[name] ?? more?.[name]
  if (claims.sub.length > longestSubject)
    throw new Failure('forbidden', 'the provider names you by a subject that is too long', {
      forClient: true,
    })
  const name = claim(settings.nameClaim)
  return {
    issuer: settings.issuer,
    subject: claims.sub,
    name: typeof name === 'string' ? name : undefined,
    groups: groupsOf(claim(settings.groupsClaim)),
  }
}

/** A list of names; some providers send one name as text. */
function groupsOf(value: unknown): readonly string[] | undefined {
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) return undefined
  return value.slice(0, mostGroups).filter((each): each is string => typeof each === 'string')
}
