import type { Caller, Role, Scope } from '../core/access/access.ts'
import {
  accountNamed,
  addAccount,
  audited,
  type Deed,
  endSessions,
  makeToken,
  removeAccount,
  revokeToken,
  setAccount,
} from '../core/access/account-changes.ts'
import type { Actor } from '../core/access/audit.ts'
import { normalPassword, requireAccountName } from '../core/access/names.ts'
import type { OidcSettings } from '../core/access/oidc.ts'
import type { AccessRecords, SessionRecord } from '../core/access/records.ts'
import { callerOfToken } from '../core/access/tokens.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { Audit } from './audit.ts'
import { type Clock, systemClock } from './clock.ts'
import { OidcSignIn } from './oidc/oidc-sign-in.ts'
import { type AccountsData, type Opened, openParts } from './opened.ts'
import { Passwords, type ScryptCost } from './passwords.ts'
import { beginProviderSession } from './provider-session.ts'
import type { RevokedListener } from './revocations.ts'
import { csrfOf, hashOf, newSecret, referenceOf, tokenPrefix } from './secrets.ts'
import type { Session, SessionLimits, SessionView } from './sessions.ts'
import type { MadeSetupLink, SetupLinkOptions } from './setup-links.ts'
import { type SignInParts, signIn } from './sign-in.ts'
import { SignInThrottle } from './throttle.ts'
import { type AccountView, accountView, type TokenView, tokenView } from './views.ts'

export interface AccountsOptions {
  /** `access.session` of the configuration. */
  readonly session: () => SessionLimits
  readonly onTrouble: (error: unknown) => void
  readonly clock?: Clock
  /** `access.oidc` of the configuration. Default: there is none. */
  readonly oidc?: () => OidcSettings | undefined
  /** What a hash of a password costs. Default: `scryptCost`. */
  readonly cost?: ScryptCost
}

/** Somebody that nobody named. Whoever calls for a person says who. */
const somebody: Actor = { account: 'unknown', from: 'unknown' }

/**
 * Who may come in: accounts, sessions, tokens, and the audit of what was done with them. Each change is on the disk with
 * its line of the audit before its promise resolves. All methods throw a Failure with words for people.
 */
export class Accounts {
  /** Sign-ins by the provider of the configuration. */
  readonly oidc: OidcSignIn
  readonly #options: AccountsOptions
  readonly #clock: Clock
  readonly #passwords: Passwords
  readonly #throttle: SignInThrottle
  #open: Opened | undefined

  constructor(options: AccountsOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#passwords = new Passwords(options.cost)
    this.#throttle = new SignInThrottle(this.#clock.up)
    this.oidc = new OidcSignIn({
      settings: options.oidc ?? (() => undefined),
      clock: this.#clock,
      throttle: this.#throttle,
      onTrouble: options.onTrouble,
      // A refusal may take rights away, too.
      admit: (person, role, from) =>
        beginProviderSession(this.#signInParts, { person, role, from }).finally(() =>
          this.#parts.current.read(),
        ),
    })
  }

  async open(data: AccountsData): Promise<void> {
    this.#open = openParts({ ...this.#options, clock: this.#clock }, data)
    await this.#parts.current.read()
  }

  /** Stores what waits. The store is closed by whoever opened it. */
  async close(): Promise<void> {
    this.#open?.revocations.stop()
    await this.#open?.uses.flush()
    this.#open = undefined
  }

  get audit(): Audit {
    return this.#parts.audit
  }

  /** Who sends a request with this token; undefined when it is none, or has ended. */
  async callerOfToken(token: string, from: string): Promise<Caller | undefined> {
    const { accounts, tokens } = await this.#parts.current.read()
    const record = tokens.get(hashOf(token))
    if (!record) return this.#parts.legacy.caller(token, from)
    const caller = callerOfToken(accounts.get(record.account), record, this.#clock.now())
    if (caller) this.#parts.uses.note(record.hash, from)
    return caller
  }

  /**
   * Who sends a request with the cookie of this session; undefined when it has ended. The call counts as its use.
   * `session` is its reference, see `SessionView`.
   */
  async callerOfSession(
    id: string,
    from?: string,
  ): Promise<{ readonly caller: Caller; readonly csrf: string; readonly session: string } | undefined> {
    const { accounts, sessions } = await this.#parts.current.read()
    const record = sessions.get(hashOf(id))
    const account = record && accounts.get(record.account)
    const { life, uses } = this.#parts
    if (!record || !account || account.disabled || !life.isLive(record)) return undefined
    uses.note(record.hash, from ?? life.lastUse(record).from)
    const caller = { kind: 'account', account: account.name, role: account.role } as const
    return { caller, csrf: csrfOf(id), session: referenceOf(record.hash) }
  }

  /** @throws Failure `forbidden`, or TryLater (`too-many`) with the pause. */
  async signIn(name: string, password: string, from: string): Promise<Session> {
    const session = await signIn(this.#signInParts, { name, password, from })
    await this.#parts.current.read()
    return session
  }

  /** Ends the session with this id. Nothing happens when it has ended already. */
  async signOut(id: string, from = ''): Promise<void> {
    const hash = hashOf(id)
    await this.#parts.current.change(({ sessions }) => {
      const session = sessions.get(hash)
      if (!session) return []
      const deed = this.#deed({ account: session.account, from })
      return [
        { kind: 'end-session', hash },
        audited(deed, { action: 'session.end', target: session.account }),
      ]
    })
  }

  /** The sessions of an account that are live, the one that was used last first. */
  async sessions(account: string): Promise<readonly SessionView[]> {
    const records = await this.#parts.current.read()
    accountNamed(records, account)
    return this.#liveOf(records, account)
      .map((session) => this.#parts.life.view(session))
      .sort((a, b) => b.lastUsedMs - a.lastUsedMs)
  }

  /** Ends all sessions of an account, or the one with this reference. Resolves to how many there were. */
  async revokeSessions(account: string, by: Actor = somebody, reference?: string): Promise<number> {
    let count = 0
    await this.#parts.current.change((records) => {
      accountNamed(records, account)
      const ends = endSessions(records, account).filter(
        (change) =>
          change.kind === 'end-session' &&
          (reference === undefined || referenceOf(change.hash) === reference),
      )
      count = ends.length
      if (reference !== undefined && count === 0)
        throw new Failure('not-found', `${account} has no session ${reference.slice(0, 40)}, or it has ended`)
      const done = { action: 'session.revoke', target: account, after: { ended: count } }
      return count === 0 ? [] : [...ends, audited(this.#deed(by), done)]
    })
    return count
  }

  /** All accounts, by name. */
  async accounts(): Promise<readonly AccountView[]> {
    const records = await this.#parts.current.read()
    return [...records.accounts.values()]
      .map((account) => accountView(account, records, this.#liveOf(records, account.name).length))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async addAccount(
    { name, role, password }: { readonly name: string; readonly role: Role; readonly password: string },
    by: Actor = somebody,
  ): Promise<void> {
    const normal = normalPassword(password)
    // What is wrong is told before half a second is spent.
    addAccount(await this.#parts.current.read(), this.#deed(by), { name, role, password: '' })
    const hash = await this.#passwords.hash(normal, by.from)
    const after = await this.#parts.current.change((records) =>
      addAccount(records, this.#deed(by), { name, role, password: hash }),
    )
    await this.#parts.links.tidy(after)
  }

  /** A new password, or `disabled: true`, ends the sessions of the account. */
  async setAccount(
    name: string,
    settings: { readonly role?: Role; readonly password?: string; readonly disabled?: boolean },
    by: Actor = somebody,
  ): Promise<void> {
    const { password, ...others } = settings
    const normal = password === undefined ? undefined : normalPassword(password)
    setAccount(await this.#parts.current.read(), this.#deed(by), { name, ...others })
    const hash = normal === undefined ? undefined : await this.#passwords.hash(normal, by.from)
    const after = await this.#parts.current.change((records) =>
      setAccount(records, this.#deed(by), { name, ...others, ...defined({ password: hash }) }),
    )
    await this.#parts.links.tidy(after)
  }

  async removeAccount(name: string, by: Actor = somebody): Promise<void> {
    await this.#parts.current.change((records) => removeAccount(records, this.#deed(by), name))
  }

  /** The tokens of an account, or all: by account and name. Expired ones are among them. */
  async tokens(of?: string): Promise<readonly TokenView[]> {
    const records = await this.#parts.current.read()
    if (of !== undefined) accountNamed(records, of)
    const views = [...records.tokens.values()]
      .filter(({ account }) => of === undefined || account === of)
      .map((token) => tokenView(token, records, this.#clock.now(), this.#parts.uses.latest(token.hash)))
    const key = ({ account, name }: TokenView): string => `${account} ${name}`
    return views.sort((a, b) => (key(a) < key(b) ? -1 : 1))
  }

  /**
   * Makes a token of the maker's account. `token` is the secret, which nobody can see again.
   *
   * @param wanted `expires` is in milliseconds since 1970.
   * @param by Who is written down as its maker. Default: `maker`.
   */
  async makeToken(
    maker: Caller,
    wanted: {
      readonly name: string
      readonly role: Role
      readonly scopes?: readonly Scope[]
      readonly expires?: number
    },
    by: Actor = defined({ account: maker.account, token: maker.token, from: '' }),
  ): Promise<TokenView & { readonly token: string }> {
    const token = `${tokenPrefix}${newSecret()}`
    const { name, role, scopes, expires: expiresMs } = wanted
    const hash = hashOf(token)
    const records = await this.#parts.current.change((before) =>
      makeToken(before, this.#deed(by), {
        maker,
        wanted: { hash, name, role, ...defined({ scopes, expiresMs }) },
      }),
    )
    const record = records.tokens.get(hash)
    if (!record) throw new Failure('unavailable', `the token ${name} was made and removed at once`)
    return { ...tokenView(record, records, this.#clock.now()), token }
  }

  /** Ends a token, and those that were made with it. */
  async revokeToken(account: string, name: string, by: Actor = somebody): Promise<void> {
    await this.#parts.current.change((records) => revokeToken(records, this.#deed(by), { account, name }))
  }

  /** Makes another setup link; the one before is worth nothing any more. */
  setupLink(options: SetupLinkOptions, by: Actor = somebody): Promise<MadeSetupLink> {
    return this.#parts.links.make(options, by)
  }

  /** False when there was none. */
  revokeSetupLink(by: Actor = somebody): Promise<boolean> {
    return this.#parts.links.revoke(by)
  }

  /** Whether somebody with the link can make an account now. */
  isSetupOpen(): Promise<boolean> {
    return this.#parts.links.isOpen()
  }

  /** Call it at each request of `/setup`: the first one begins the hour of a link that was not printed. */
  firstLook(): Promise<void> {
    return this.#parts.links.firstLook()
  }

  /** Makes an admin by the secret of a setup link, which is the part of it after `#`. */
  async useSetupLink(
    secret: string,
    { name, password }: { readonly name: string; readonly password: string },
    from = '',
  ): Promise<void> {
    const { links } = this.#parts
    await links.require(secret)
    requireAccountName(name)
    const hash = await this.#passwords.hash(normalPassword(password), from)
    await links.use(secret, { name, password: hash }, this.#deed({ account: 'setup link', from }))
    await this.#parts.current.read()
  }

  /**
   * Calls the listener when the access of somebody ends or changes, in this process at once, in another one within a
   * second, and by time within ten. `isRevokedBy` says whom it concerns. Returns the function that ends the subscription.
   */
  onRevoked(listener: RevokedListener): () => void {
    return this.#parts.revocations.subscribe(listener)
  }

  problems(): readonly SnapshotProblem[] {
    return this.#open?.legacy.problems() ?? []
  }

  get #parts(): Opened {
    if (!this.#open) throw new Failure('unavailable', 'the accounts are not open yet; try again')
    return this.#open
  }

  get #signInParts(): SignInParts {
    return {
      ...this.#parts,
      passwords: this.#passwords,
      throttle: this.#throttle,
      limits: this.#options.session,
      clock: this.#clock,
      onTrouble: this.#options.onTrouble,
    }
  }

  #liveOf({ sessions }: AccessRecords, account: string): SessionRecord[] {
    const { life } = this.#parts
    return [...sessions.values()].filter((session) => session.account === account && life.isLive(session))
  }

  #deed(by: Actor): Deed {
    return { by, nowMs: this.#clock.now() }
  }
}
