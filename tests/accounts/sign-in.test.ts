import { createHook } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import { Passwords, TryLater } from '../../server/accounts/passwords.ts'
import { SignInThrottle } from '../../server/accounts/throttle.ts'
import { addressPrefix } from '../../server/core/net/prefix.ts'
import { goodPassword, host, hour, openAccounts, quickCost, withAnna } from './support.ts'

const mine = '10.0.0.7'

/** How many hashes the crypto of Node begins during the work. */
async function hashesOf(work: () => Promise<unknown>): Promise<number> {
  let count = 0
  const hook = createHook({
    init(_id, type) {
      if (type === 'SCRYPTREQUEST') count++
    },
  }).enable()
  await work().finally(() => hook.disable())
  return count
}

describe('a sign-in', () => {
  it('says no more than that name or password is wrong', async () => {
    const { accounts } = await withAnna()
    await accounts.addAccount({ name: 'ben', role: 'viewer', password: goodPassword }, host)
    await accounts.setAccount('ben', { disabled: true }, host)
    const failures = await Promise.all(
      [
        ['anna', 'wrong'],
        ['nobody', goodPassword],
        ['ben', goodPassword],
        ['', ''],
        ['__proto__', goodPassword],
        ['anna', 'x'.repeat(100_000)],
      ].map(([name = '', password = ''], n) =>
        accounts.signIn(name, password, `10.0.1.${n}`).catch((error) => error),
      ),
    )
    for (const failure of failures)
      expect(failure).toMatchObject({ kind: 'forbidden', message: 'name or password is wrong' })
  })

  it('hashes once, whether there is such an account or not', async () => {
    const { accounts } = await withAnna()
    await accounts.addAccount({ name: 'ben', role: 'viewer', password: goodPassword }, host)
    await accounts.setAccount('ben', { disabled: true }, host)
    const hashes: number[] = []
    for (const name of ['anna', 'nobody', 'ben', 'no name at all', '']) {
      hashes.push(await hashesOf(() => accounts.signIn(name, 'wrong', mine).catch(() => undefined)))
    }
    expect(hashes).toEqual([1, 1, 1, 1, 1])
    expect(await hashesOf(() => accounts.signIn('anna', goodPassword, mine))).toBe(1)
  })

  it('finds no password right that it has not stored in its own form', async () => {
    const passwords = new Passwords(quickCost)
    const good = await passwords.hash(goodPassword, mine)
    const stored = [
      good,
      undefined,
      'nonsense',
      good.replace('ln=10', 'ln=30'),
      good.slice(0, -1),
      `x${good}`,
    ]
    const right: boolean[] = []
    for (const each of stored) right.push((await passwords.check(goodPassword, each, mine)).isRight)
    expect(right).toEqual([true, false, false, false, false, false])
  })

  it.each([{ password: 'another password' }, { disabled: true }])(
    'begins no session when the account is changed while the password is compared: %j',
    async (settings) => {
      const { accounts, store } = await withAnna()
      await accounts.addAccount({ name: 'ben', role: 'viewer', password: goodPassword }, host)
      const { change } = store.accounts
      let isFirst = true
      store.accounts.change = async (decide) => {
        const comesFirst = isFirst
        isFirst = false
        if (comesFirst) await accounts.setAccount('ben', settings, host)
        return change.call(store.accounts, decide)
      }
      await expect(accounts.signIn('ben', goodPassword, mine)).rejects.toMatchObject({ kind: 'forbidden' })
      expect((await store.accounts.current()).sessions.size).toBe(0)
    },
  )

  it('makes the hash anew when its parameters rose, and keeps it otherwise', async () => {
    const { accounts, store } = await withAnna()
    const stored = async () => (await store.accounts.current()).accounts.get('anna')?.password
    const first = await stored()
    await accounts.signIn('anna', goodPassword, mine)
    expect(await stored()).toBe(first)
    await accounts.close()
    const dearer = (await openAccounts({ store, cost: { ...quickCost, ln: 11 } })).accounts
    // Two at once: both find the old hash, and one of them the other's new one.
    await Promise.all([1, 2].map(() => dearer.signIn('anna', goodPassword, mine)))
    expect(await stored()).toContain('ln=11,')
    const second = await stored()
    await dearer.signIn('anna', goodPassword, mine)
    expect(await stored()).toBe(second)
  })

  it("with today's parameters costs 128 MiB", async () => {
    const passwords = new Passwords()
    const hash = await passwords.hash(goodPassword, mine)
    expect(hash).toMatch(/^\$scrypt\$ln=17,r=8,p=1\$/)
    expect(await passwords.check(goodPassword, hash, mine)).toEqual({ isRight: true })
    expect(await passwords.check(`${goodPassword}!`, hash, mine)).toEqual({ isRight: false })
  })

  it('is refused while too many wait, and one address does not fill the line', async () => {
    const passwords = new Passwords({ ...quickCost, ln: 14 })
    const all = Array.from({ length: 100 }, (_, n) => passwords.hash('x', n < 50 ? mine : `10.1.0.${n}`))
    const done = await Promise.allSettled(all)
    const kept = (from: number, to: number) =>
      done.slice(from, to).filter(({ status }) => status === 'fulfilled').length
    expect(kept(0, 50)).toBe(4)
    expect(kept(50, 100)).toBe(2 + 16 - 4)
    expect(done.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { kind: 'too-many', retryAfterMs: 2000 },
    })
    // Nothing is left over.
    expect(await Promise.all([1, 2, 3, 4].map(() => passwords.hash('x', mine)))).toHaveLength(4)
  })
})

describe('wrong passwords', () => {
  const wrong = (accounts: Awaited<ReturnType<typeof withAnna>>['accounts'], from: string) =>
    accounts.signIn('anna', 'wrong', from).catch((error: unknown) => error)

  it('make the next try wait, longer each time, up to a quarter of an hour', async () => {
    const { accounts, clock } = await withAnna()
    const pauses: number[] = []
    for (let n = 0; n < 16; n++) {
      expect(await wrong(accounts, mine)).toMatchObject({ kind: 'forbidden' })
      const told = await wrong(accounts, mine)
      if (!(told instanceof TryLater)) continue
      pauses.push(told.retryAfterMs / 1000)
      clock.pass(told.retryAfterMs - 1)
      expect(await accounts.signIn('anna', goodPassword, mine).catch((error) => error)).toBeInstanceOf(
        TryLater,
      )
      clock.pass(1)
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900])
  })

  it('are forgotten after the right one, and after an hour', async () => {
    const { accounts, clock } = await withAnna()
    const pauseAfterOne = async () => {
      await wrong(accounts, mine)
      const told = await wrong(accounts, mine)
      return told instanceof TryLater
    }
    for (let n = 0; n < 3; n++) await wrong(accounts, mine)
    clock.pass(1000)
    await accounts.signIn('anna', goodPassword, mine)
    expect(await pauseAfterOne()).toBe(false)
    for (let n = 0; n < 4; n++) await wrong(accounts, mine)
    clock.pass(hour)
    expect(await pauseAfterOne()).toBe(false)
  })

  it('lock nobody out elsewhere, nor with another name at the same address', async () => {
    const { accounts } = await withAnna()
    await accounts.addAccount({ name: 'ben', role: 'viewer', password: goodPassword }, host)
    await accounts.signIn('ben', goodPassword, '10.6.6.6')
    for (let n = 0; n < 2000; n++)
      await wrong(accounts, n % 2 === 0 ? '10.6.6.6' : `10.7.${n >> 8}.${n & 255}`)
    // All names from the address where ben has signed in.
    for (let n = 0; n < 60; n++) await accounts.signIn(`name${n}`, 'wrong', '10.6.6.6').catch(() => undefined)
    expect(await accounts.signIn('name61', 'wrong', '10.6.6.6').catch((error) => error)).toBeInstanceOf(
      TryLater,
    )
    expect((await accounts.signIn('anna', goodPassword, mine)).caller.account).toBe('anna')
    expect((await accounts.signIn('ben', goodPassword, '10.6.6.6')).caller.account).toBe('ben')
  })

  it('of many names from one address wait, too', () => {
    let upMs = 0
    const throttle = new SignInThrottle(() => upMs)
    let tried = 0
    for (let second = 0; second < 3600; second++, upMs += 1000)
      for (let n = 0; n < 10; n++)
        if (typeof throttle.begin(`name ${second} ${n}`, mine) !== 'number') tried++
    expect(tried).toBeLessThan(100)
  })

  it('of a network of IPv6 are those of one', () => {
    expect(addressPrefix('2001:db8:1:2:3:4:5:6', 64)).toBe('2001:db8:1:2::/64')
    expect(addressPrefix('2001:db8:1:2:3:4:5:6', 48)).toBe('2001:db8:1::/48')
    expect(addressPrefix('::ffff:10.0.0.7', 64)).toBe('10.0.0.7')
    expect(addressPrefix('command line', 64)).toBe('command line')
    const throttle = new SignInThrottle(() => 0)
    const begun = Array.from({ length: 10 }, (_, n) => throttle.begin('anna', `2001:db8::${n}`))
    expect(begun.filter((each) => typeof each === 'number')).toHaveLength(7)
  })

  it('a hundred thousand of them take no more memory than ten thousand', () => {
    const throttle = new SignInThrottle(() => 0)
    for (let n = 0; n < 100_000; n++) {
      const address =
        n % 2 ? `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}` : `2001:db8:${(n >> 2).toString(16)}::1`
      const begun = throttle.begin(`user${n}${'x'.repeat(1000)}`, address)
      if (n % 5 === 0 && typeof begun !== 'number') begun.right()
    }
    expect(throttle.size).toBeLessThanOrEqual(30_000)
    expect(throttle.size).toBeGreaterThan(20_000)
  })
})
