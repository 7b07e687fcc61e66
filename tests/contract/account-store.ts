import { describe, expect, test } from 'vitest'
import type { AccessChange, AccountRecord, TokenRecord } from '../../server/core/access/records.ts'
import { auditKept } from '../../server/store/accounts.ts'
import type { Store } from '../../server/store/store.ts'

const account = (name: string, more: Partial<AccountRecord> = {}): AccountRecord => ({
  name,
  role: 'viewer',
  password: `hash of ${name}`,
  disabled: false,
  createdMs: 1,
  ...more,
})
const token = (of: string, name: string, more: Partial<TokenRecord> = {}): TokenRecord => ({
  hash: `hash of ${of} ${name}`,
  account: of,
  name,
  role: 'viewer',
  maker: of,
  createdMs: 2,
  ...more,
})
const session = (of: string, n = 0) => ({
  hash: `session ${of} ${n}`,
  account: of,
  createdMs: 3,
  lastUsedMs: 3,
  from: '10.0.0.7',
})
const line = (n: number) => ({ atMs: n, account: 'anna', from: '10.0.0.7', action: 'a.b', target: String(n) })

/** The suite of the accounts that every store passes. `make` returns an empty store, and the suite closes it. */
export function accountStoreContract(name: string, make: () => Promise<Store>): void {
  async function use(work: (store: Store['accounts']) => Promise<void>): Promise<void> {
    const store = await make()
    try {
      await work(store.accounts)
    } finally {
      await store.close()
    }
  }

  describe(`${name}: accounts`, () => {
    test('keeps every field, and returns the same object until something changes', () =>
      use(async (store) => {
        const anna = account('anna', { role: 'admin', disabled: true, lastSignInMs: 9 })
        const { password: _, ...ben } = account('ben', {
          oidc: { issuer: 'https://login.example', subject: '7', withoutRole: true },
        })
        const full = token('anna', 'ci', {
          role: 'operator',
          scopes: ['uploads', 'guests:read'],
          parent: 'other',
          expiresMs: 7,
        })
        const link = { hash: 'ab', madeMs: 4, begunMs: 5 }
        await store.change(() => [
          { kind: 'account', record: anna },
          { kind: 'account', record: ben },
          { kind: 'token', record: full },
          { kind: 'token', record: token('ben', 'ci', { scopes: [] }) },
          { kind: 'session', record: session('ben') },
          { kind: 'setup-link', link },
        ])
        const records = await store.current()
        expect([...records.accounts.values()]).toEqual([anna, ben])
        expect(records.tokens.get(full.hash)).toEqual(full)
        expect([...records.tokens.values()][1]?.scopes).toEqual([])
        expect([...records.sessions.values()]).toEqual([session('ben')])
        expect(records.setupLink).toEqual(link)
        expect(await store.current()).toBe(records)
        await store.change(() => [])
        expect(await store.current()).toBe(records)
      }))

    test('an account takes its tokens and sessions along', () =>
      use(async (store) => {
        const of = (owner: string): AccessChange[] => [
          { kind: 'account', record: account(owner) },
          { kind: 'token', record: token(owner, 'ci') },
          { kind: 'session', record: session(owner) },
        ]
        await store.change(() => [...of('anna'), ...of('ben')])
        await store.change(() => [{ kind: 'remove-account', name: 'anna' }])
        const { accounts, tokens, sessions } = await store.current()
        const owners = [
          accounts.keys(),
          [...tokens.values(), ...sessions.values()].map((each) => each.account),
        ]
        expect(owners.map((each) => [...each])).toEqual([['ben'], ['ben', 'ben']])
      }))

    test('what a decision throws changes nothing, and hurts no other change of that moment', () =>
      use(async (store) => {
        const added = (n: string) => store.change(() => [{ kind: 'account', record: account(n) }])
        const refused = store.change(() => {
          throw new Error('refused')
        })
        const all = await Promise.allSettled([added('anna'), refused, added('ben')])
        expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
        await expect(refused).rejects.toThrow('refused')
        expect([...(await store.current()).accounts.keys()]).toEqual(['anna', 'ben'])
      }))

    test('simultaneous changes are each decided on the result of the one before', () =>
      use(async (store) => {
        await Promise.all(
          Array.from({ length: 30 }, () =>
            store.change(({ accounts }) => [{ kind: 'account', record: account(`a${accounts.size}`) }]),
          ),
        )
        expect((await store.current()).accounts.size).toBe(30)
      }))

    test('notes uses of what is there', () =>
      use(async (store) => {
        await store.change(() => [
          { kind: 'token', record: token('anna', 'ci') },
          { kind: 'session', record: session('anna') },
        ])
        const used = { atMs: 50, from: '10.0.0.9' }
        await store.noteUses([
          { hash: token('anna', 'ci').hash, ...used },
          { hash: session('anna').hash, ...used },
          { hash: 'gone', ...used },
        ])
        await store.change(() => [{ kind: 'account', record: account('anna') }])
        const { tokens, sessions } = await store.current()
        expect([tokens.size, sessions.size]).toEqual([1, 1])
      }))
  })

  describe(`${name}: audit`, () => {
    test('lists the newest first, page by page, with the lines of changes among them', () =>
      use(async (store) => {
        await store.addAudit([line(1), line(2)])
        await store.change(() => [
          { kind: 'audit', line: { ...line(3), token: 'ci', before: '1', after: '2' } },
        ])
        const newest = await store.audit({ limit: 2 })
        expect(newest).toMatchObject([{ target: '3', token: 'ci', before: '1', after: '2' }, line(2)])
        expect(await store.audit({ limit: 5, before: newest[1]?.id ?? 0 })).toMatchObject([line(1)])
      }))

    test('keeps so many lines and no more', () =>
      use(async (store) => {
        const most = auditKept + 300
        for (let n = 0; n < most; n += 1000)
          await store.addAudit(Array.from({ length: Math.min(1000, most - n) }, (_, more) => line(n + more)))
        const kept = await store.audit({ limit: auditKept * 2 })
        expect(kept[0]?.target).toBe(String(most - 1))
        // Old lines are removed when there are some together.
        expect(kept.length - auditKept).toBeGreaterThanOrEqual(0)
        expect(kept.length - auditKept).toBeLessThan(64)
      }))
  })
}
