import { z } from 'zod'
import type { Role } from '../../core/access/access.ts'
import { type OidcSettings, type ProvenPerson, roleOfGroups } from '../../core/access/oidc.ts'
import { Failure, failureKind, failureMessage } from '../../core/failure.ts'
import { lru } from '../../host/lru.ts'
import { Allowance } from '../allowance.ts'
import type { Clock } from '../clock.ts'
import { TryLater } from '../passwords.ts'
import type { Session } from '../sessions.ts'
import type { SignInThrottle, Try } from '../throttle.ts'
import { Provider } from './provider.ts'
import { Sealer } from './sealed.ts'

/** How long a person may take at the provider, in seconds. */
export const longestSignIn = 600
/** So many sign-ins ask the provider at once. */
const mostAtOnce = 8
const fullRetryMs = 2_000
/** So many states that were used are remembered; the provider takes each code once, too. */
const mostUsed = 10_000

export interface OidcParts {
  /** `access.oidc` of the configuration now. */
  readonly settings: () => OidcSettings | undefined
  readonly clock: Clock
  readonly throttle: SignInThrottle
  /** Makes or updates the account, and begins a session. @throws Failure for whoever may not come in. */
  readonly admit: (person: ProvenPerson, role: Role | undefined, from: string) => Promise<Session>
  readonly onTrouble: (error: unknown) => void
}

/** What the browser keeps between the two requests. */
const flowSchema = z.object({
  issuer: z.string(),
  clientId: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirectUri: z.string(),
  home: z.string(),
  begunUp: z.number(),
})
type Flow = z.infer<typeof flowSchema>

/**
 * Sign-ins by an OpenID provider (authorization code with PKCE, RFC 7636). What has to come back is in a sealed cookie, so
 * that strangers who begin sign-ins cost no memory.
 */
export class OidcSignIn {
  readonly #parts: OidcParts
  readonly #provider: Provider
  readonly #sealer = new Sealer()
  readonly #used = lru<string, true>(mostUsed)
  readonly #lines: Allowance
  #running = 0

  constructor(parts: OidcParts) {
    this.#parts = parts
    this.#provider = new Provider(parts.clock.up)
    this.#lines = new Allowance(parts.clock.up)
  }

  /**
   * @param home Where the browser goes in the end.
   * @throws Failure `not-found` without `access.oidc`, `unavailable` when the provider does not answer.
   */
  async begin(
    redirectUri: string,
    home: string,
  ): Promise<{ readonly location: string; readonly cookie: string }> {
    const settings = this.requireProvider()
    const { location, ...secrets } = await this.#logged(settings, () =>
      this.#provider.begin(settings, redirectUri),
    )
    const { issuer, clientId } = settings
    const begunUp = this.#parts.clock.up()
    const flow: Flow = { issuer, clientId, ...secrets, redirectUri, home, begunUp }
    return { location, cookie: this.#sealer.seal(JSON.stringify(flow)) }
  }

  /**
   * @param query What the provider has sent, without `?`.
   * @param cookie What `begin` gave this browser.
   * @throws Failure
   */
  async finish(
    query: string,
    cookie: string | undefined,
    from: string,
  ): Promise<{ readonly session: Session; readonly home: string }> {
    const settings = this.requireProvider()
    const flow = await this.#logged(settings, async () => this.#flowOf(settings, query, cookie))
    const attempt = this.#attempt(from)
    try {
      const cameBack = new URL(flow.redirectUri)
      cameBack.search = query
      const person = await this.#logged(settings, () => this.#provider.finish(settings, cameBack, flow))
      const role = roleOfGroups(person.groups ?? [], settings.roles)
      const session = await this.#parts.admit(person, role, from)
      attempt.undone()
      return { session, home: flow.home }
    } catch (error) {
      // It is not the person's fault.
      if (failureKind(error) === 'unavailable') attempt.undone()
      throw error
    } finally {
      this.#running--
    }
  }

  async #logged<T>(settings: OidcSettings, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#log(settings, error)
      throw error
    }
  }

  /** What this browser began, when this is what has to come back. It is good for one time. */
  #flowOf({ issuer, clientId }: OidcSettings, query: string, cookie: string | undefined): Flow {
    const text = cookie === undefined ? undefined : this.#sealer.open(cookie)
    const flow = text === undefined ? undefined : flowSchema.parse(JSON.parse(text))
    const state = new URLSearchParams(query).get('state')
    const isRight =
      flow !== undefined &&
      flow.state === state &&
      flow.issuer === issuer &&
      flow.clientId === clientId &&
      this.#parts.clock.up() - flow.begunUp <= longestSignIn * 1000 &&
      !this.#used.has(flow.state)
    if (!isRight)
      throw new Failure(
        'bad-request',
        'this sign-in was not begun in this browser, took more than ten minutes, or was finished already; sign in again',
        { forClient: true },
      )
    this.#used.set(flow.state, true)
    return flow
  }

  /** Asking the provider costs something: whoever fails often waits, as with wrong passwords. */
  #attempt(from: string): Try {
    if (this.#running >= mostAtOnce)
      throw new TryLater('too many sign in at this moment; try again', fullRetryMs)
    const attempt = this.#parts.throttle.beginFrom(from)
    if (typeof attempt === 'number')
      throw new TryLater(
        `too many sign-ins from this address failed; try again in ${Math.ceil(attempt / 1000)} s`,
        attempt,
      )
    this.#running++
    return attempt
  }

  /** @throws Failure `not-found` without `access.oidc`. */
  requireProvider(): OidcSettings {
    const settings = this.#parts.settings()
    if (settings) return settings
    throw new Failure('not-found', 'nobody signs in by a provider here: config.yaml has no access.oidc')
  }

  #log({ issuer }: OidcSettings, error: unknown): void {
    const line = this.#lines.take()
    if (!line) return
    const more = line.missed > 0 ? `; ${line.missed} lines like this were left out` : ''
    const message = `signing in by ${issuer}: ${failureMessage(error)}${more}`
    this.#parts.onTrouble(new Failure(failureKind(error), message, { cause: error }))
  }
}
