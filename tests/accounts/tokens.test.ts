import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UseNotes } from '../../server/accounts/uses.ts'
import {
  type Caller,
  hasRole,
  type Need,
  type Role,
  roles,
  type Scope,
  scopes,
  whyNotAllowed,
} from '../../server/core/access/access.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { runs } from '../support/fuzz.ts'
import { stating } from '../support/stating.ts'
import { goodPassword, HandClock, host, hour, minute, withAnna } from './support.ts'

const address = '10.0.0.7'
const anna = { kind: 'account', account: 'anna', role: 'admin' } as const

describe('a token', () => {
  it('is shown once, and is known by its prefix', async () => {
    const { accounts } = await withAnna()
    const made = await accounts.makeToken(anna, { name: 'ci', role: 'operator', scopes: ['uploads'] })
    expect(made.token).toMatch(/^treeboot_[\w-]{43}$/)
    expect(await accounts.callerOfToken(made.token, address)).toEqual({
      kind: 'token',
      account: 'anna',
      token: 'ci',
      role: 'operator',
      scopes: ['uploads'],
    })
    expect(JSON.stringify(await accounts.tokens())).not.toContain(made.token)
    for (const wrong of ['', 'treeboot_', `${made.token}x`, made.token.slice(0, -1), 'x'.repeat(100_000)])
      expect(await accounts.callerOfToken(wrong, address)).toBeUndefined()
  })

  it('expires', async () => {
    const { accounts, clock } = await withAnna()
    const expires = clock.nowMs + hour
    const { token } = await accounts.makeToken(anna, { name: 'ci', role: 'viewer', expires })
    clock.pass(hour - 1)
    expect(await accounts.callerOfToken(token, address)).toBeDefined()
    clock.pass(1)
    expect(await accounts.callerOfToken(token, address)).toBeUndefined()
    expect(await accounts.tokens('anna')).toMatchObject([{ name: 'ci', expired: true }])
    const past = accounts.makeToken(anna, { name: 'late', role: 'viewer', expires: clock.nowMs })
    await expect(past).rejects.toMatchObject({ kind: 'bad-request' })
  })

  it('sleeps while its account is disabled, and is gone when the account was', async () => {
    const { accounts } = await withAnna()
    const add = () => accounts.addAccount({ name: 'ben', role: 'operator', password: goodPassword }, host)
    await add()
    const { token } = await accounts.makeToken(
      { kind: 'account', account: 'ben', role: 'operator' },
      { name: 'ci', role: 'operator' },
    )
    await accounts.setAccount('ben', { disabled: true }, host)
    expect(await accounts.callerOfToken(token, address)).toBeUndefined()
    await accounts.setAccount('ben', { disabled: false }, host)
    expect(await accounts.callerOfToken(token, address)).toBeDefined()
    await accounts.removeAccount('ben', host)
    await add()
    expect(await accounts.callerOfToken(token, address)).toBeUndefined()
  })

  it('takes along what was made with it, and that does not outlive it either', async () => {
    const { accounts, clock } = await withAnna()
    const expires = clock.nowMs + hour
    const make = async (maker: Caller, name: string, more = {}) => {
      const { token, expiresMs } = await accounts.makeToken(maker, { name, role: 'operator', ...more })
      return { token, expiresMs, caller: await accounts.callerOfToken(token, address) }
    }
    const first = await make(anna, 'first', { expires })
    const second = await make(first.caller ?? anna, 'second')
    const third = await make(second.caller ?? anna, 'third', { expires: clock.nowMs + minute })
    const other = await make(anna, 'other')
    expect([second.expiresMs, third.expiresMs]).toEqual([expires, clock.nowMs + minute])
    const longer = make(second.caller ?? anna, 'longer', { expires: expires + 1 })
    await expect(longer).rejects.toMatchObject({ kind: 'forbidden' })
    await accounts.revokeToken('anna', 'first', host)
    expect((await accounts.tokens()).map(({ name }) => name)).toEqual(['other'])
    expect(await accounts.callerOfToken(third.token, address)).toBeUndefined()
    expect(await accounts.callerOfToken(other.token, address)).toBeDefined()
    // The request of the second token began before that.
    await expect(make(second.caller ?? anna, 'late')).rejects.toMatchObject({ kind: 'forbidden' })
  })

  it('has its name once, and an account has a hundred', async () => {
    const { accounts } = await withAnna()
    const make = (n: number) => accounts.makeToken(anna, { name: `t${n}`, role: 'viewer' })
    await Promise.all(Array.from({ length: 100 }, (_, n) => make(n)))
    await expect(make(7)).rejects.toThrow(stating('anna', 't7'))
    await expect(make(100)).rejects.toThrow(stating('anna', 100))
  })

  it('is not made by nobody, nor by a token of the file', async () => {
    const { accounts } = await withAnna()
    const makers: Caller[] = [
      { kind: 'anonymous', account: 'anonymous', role: 'viewer' },
      { kind: 'token', account: 'admin', token: 'legacy', role: 'operator', scopes: ['uploads'] },
      { kind: 'account', account: 'gone', role: 'admin' },
    ]
    for (const maker of makers) {
      const made = accounts.makeToken(maker, { name: 'x', role: 'viewer', scopes: ['uploads'] })
      await expect(made).rejects.toMatchObject({ kind: 'forbidden' })
    }
  })

  it('tells when it was last used, and the store knows at the end', async () => {
    const { accounts, clock, store } = await withAnna()
    const { token } = await accounts.makeToken(anna, { name: 'ci', role: 'viewer' })
    for (const n of [7, 8, 9]) {
      clock.pass(1000)
      await accounts.callerOfToken(token, `10.0.0.${n}`)
    }
    const lastUse = { lastUsedMs: clock.nowMs, lastFrom: '10.0.0.9' }
    expect(await accounts.tokens()).toMatchObject([lastUse])
    await accounts.close()
    expect([...(await store.accounts.current()).tokens.values()]).toMatchObject([lastUse])
  })
})

describe('uses', () => {
  it('of one token are stored once a minute at most, and those of several together', async () => {
    const clock = new HandClock()
    const { accounts: store } = memoryStore()
    const batches: string[] = []
    store.noteUses = async (uses) => void batches.push(uses.map(({ hash, from }) => hash + from).join())
    const uses = new UseNotes({ store, clock, onTrouble: (error) => batches.push(String(error)) })
    for (const from of ['1', '2']) for (const hash of ['a', 'b']) uses.note(hash, from)
    await uses.flush()
    clock.pass(minute - 1)
    uses.note('a', '3')
    await uses.flush()
    expect(uses.latest('a')).toEqual({ hash: 'a', from: '3', atMs: clock.nowMs })
    clock.pass(1)
    uses.note('a', '4')
    await uses.flush()
    await uses.flush()
    expect(batches).toEqual(['a2,b2', 'a4'])
  })

  it('that cannot be stored are told, and hinder nobody', async () => {
    const { accounts, store, troubles } = await withAnna()
    const { token } = await accounts.makeToken(anna, { name: 'ci', role: 'viewer' })
    store.accounts.noteUses = () => Promise.reject(new Error('disk full'))
    expect(await accounts.callerOfToken(token, address)).toBeDefined()
    await accounts.close()
    expect(troubles.map(String)).toEqual(['Error: disk full'])
  })
})

type Step =
  | { readonly do: 'role'; readonly role: Role }
  | { readonly do: 'disable'; readonly disabled: boolean }
  | { readonly do: 'make'; readonly by: number; readonly role: Role; readonly scopes: Scope[] | undefined }
  | { readonly do: 'revoke'; readonly token: number }

const aRole = fc.constantFrom(...roles)
const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('role' as const), role: aRole }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disable' as const), disabled: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('make' as const),
      by: fc.nat(6),
      role: aRole,
      scopes: fc.option(fc.subarray([...scopes]), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), token: fc.nat(6) }) },
)

/** Everything that a request can need. */
const needs: Need[] = roles.flatMap((role) => [{ role }, ...scopes.map((scope) => ({ role, scope }))])

/** An admin has not got `answers:reveal` by himself, and may hand it on. */
function isGift({ scope }: Need, maker: Caller): boolean {
  return scope === 'answers:reveal' && maker.role === 'admin' && maker.scopes === undefined
}

/** What the caller may do and its maker may not. */
function beyond(caller: Caller, maker: Caller): readonly Need[] {
  const may = (who: Caller, need: Need) => whyNotAllowed(who, need) === undefined
  return needs.filter((need) => may(caller, need) && !may(maker, need) && !isGift(need, maker))
}

/** An account and the tokens that it and they made. */
class Family {
  readonly #accounts: Awaited<ReturnType<typeof withAnna>>['accounts']
  /** Each with the place of its maker in this list; -1 is the account. */
  readonly #made: { readonly token: string; readonly name: string; readonly by: number }[] = []

  constructor(accounts: Awaited<ReturnType<typeof withAnna>>['accounts']) {
    this.#accounts = accounts
  }

  async do(step: Step, n: number): Promise<void> {
    const accounts = this.#accounts
    if (step.do === 'role') await accounts.setAccount('ben', { role: step.role }, host)
    else if (step.do === 'disable') await accounts.setAccount('ben', { disabled: step.disabled }, host)
    else if (step.do === 'revoke') {
      const name = this.#made[step.token]?.name ?? 'none'
      await accounts.revokeToken('ben', name, host).catch(() => undefined)
    } else await this.#make(step, n)
  }

  async #make(step: Extract<Step, { do: 'make' }>, n: number): Promise<void> {
    const by = Math.min(step.by, this.#made.length) - 1
    const maker = await this.#callerAt(by)
    const wanted = { name: `t${n}`, role: step.role, ...(step.scopes && { scopes: step.scopes }) }
    const token = maker && (await this.#accounts.makeToken(maker, wanted).catch(() => undefined))
    if (token) this.#made.push({ token: token.token, name: wanted.name, by })
  }

  async #callerAt(at: number): Promise<Caller | undefined> {
    if (at >= 0) return this.#accounts.callerOfToken(this.#made[at]?.token ?? '', address)
    const ben = (await this.#accounts.accounts()).find(({ name }) => name === 'ben')
    return ben && !ben.disabled ? { kind: 'account', account: 'ben', role: ben.role } : undefined
  }

  /** The tokens that live, each with its maker. */
  async pairs(): Promise<{ readonly caller: Caller; readonly maker: Caller | undefined }[]> {
    const all = this.#made.map(async ({ by }, at) => ({
      caller: await this.#callerAt(at),
      maker: await this.#callerAt(by),
    }))
    return (await Promise.all(all)).flatMap(({ caller, maker }) => (caller ? [{ caller, maker }] : []))
  }
}

it('whatever happens, a token may do nothing that its maker may not do at that moment', async () => {
  let pairs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { minLength: 1, maxLength: 14 }), async (steps) => {
      const { accounts } = await withAnna()
      await accounts.addAccount({ name: 'ben', role: 'admin', password: goodPassword }, host)
      const family = new Family(accounts)
      for (const [n, step] of steps.entries()) {
        await family.do(step, n)
        for (const { caller, maker } of await family.pairs()) {
          pairs++
          expect(maker).toBeDefined()
          if (maker) expect([hasRole(maker, caller.role), beyond(caller, maker)]).toEqual([true, []])
        }
      }
    }),
    { numRuns: runs(400) },
  )
  expect(pairs).toBeGreaterThan(50)
})
