import { describe, expect, it } from 'vitest'
import { isRevokedBy, type Revoked } from '../../server/core/access/revoked.ts'
import { stating } from '../support/stating.ts'
import { goodPassword, host, hour, minute, openAccounts, withAnna } from './support.ts'

const address = '10.0.0.7'

describe('accounts', () => {
  it('are listed with what they have', async () => {
    const { accounts } = await withAnna()
    await accounts.addAccount({ name: 'ben', role: 'viewer', password: goodPassword }, host)
    await accounts.signIn('ben', goodPassword, address)
    expect(await accounts.accounts()).toMatchObject([
      { name: 'anna', role: 'admin', disabled: false, hasPassword: true, tokens: 0, sessions: 0 },
      { name: 'ben', role: 'viewer', sessions: 1, lastSignInMs: Date.UTC(2026, 0, 1) },
    ])
    expect(JSON.stringify(await accounts.accounts())).not.toContain('$scrypt$')
  })

  it.each([
    ['', 'bad-request'],
    ['a b', 'bad-request'],
    ['../x', 'bad-request'],
    ['x'.repeat(65), 'bad-request'],
    ['anna', 'conflict'],
    ['ANNA', 'conflict'],
  ])('the name %j is refused', async (name, kind) => {
    const { accounts } = await withAnna()
    const added = accounts.addAccount({ name, role: 'viewer', password: goodPassword }, host)
    await expect(added).rejects.toMatchObject({ kind })
  })

  it.each([
    ['elf Zeichen', 11],
    ['ééééééééééé'.normalize('NFD'), 11],
    ['x'.repeat(1025), 1024],
    ['é'.repeat(513), 1024],
    ['x'.repeat(1_000_000), 1024],
  ])('a password that is too short or too long is refused', async (password, told) => {
    const { accounts } = await withAnna()
    const change = accounts.setAccount('anna', { password }, host)
    await expect(change).rejects.toMatchObject({ kind: 'bad-request' })
    await expect(change).rejects.toThrow(stating(told))
  })

  it('a password is the same however a keyboard composes it', async () => {
    const { accounts } = await withAnna()
    await accounts.setAccount('anna', { password: 'Äpfel und Birnen'.normalize('NFD') }, host)
    expect((await accounts.signIn('anna', 'Äpfel und Birnen'.normalize('NFC'), address)).caller.role).toBe(
      'admin',
    )
  })

  it('the last admin stays one, whatever is tried', async () => {
    const { accounts } = await withAnna()
    const refused = [
      accounts.removeAccount('anna', host),
      accounts.setAccount('anna', { role: 'operator' }, host),
      accounts.setAccount('anna', { disabled: true }, host),
    ]
    for (const each of refused) await expect(each).rejects.toMatchObject({ kind: 'conflict' })
    await accounts.addAccount({ name: 'ben', role: 'admin', password: goodPassword }, host)
    // At once: one of them is the last then.
    const both = await Promise.allSettled(['anna', 'ben'].map((name) => accounts.removeAccount(name, host)))
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await accounts.accounts()).toHaveLength(1)
  })

  it('an unknown name is answered by the nearest', async () => {
    const { accounts } = await withAnna()
    await expect(accounts.removeAccount('ana', host)).rejects.toThrow(stating('ana', 'anna'))
  })
})

describe('sessions', () => {
  it('begin with a sign-in, and end with a sign-out', async () => {
    const { accounts, clock } = await withAnna()
    const { id, csrf, caller, endsMs } = await accounts.signIn('anna', goodPassword, address)
    expect(caller).toEqual({ kind: 'account', account: 'anna', role: 'admin' })
    expect(endsMs).toBe(clock.nowMs + 12 * hour)
    expect(Buffer.from(id, 'base64url')).toHaveLength(32)
    expect(await accounts.callerOfSession(id)).toMatchObject({ caller, csrf })
    await accounts.signOut(id)
    await accounts.signOut(id)
    expect(await accounts.callerOfSession(id)).toBeUndefined()
    expect(await accounts.callerOfSession('nonsense')).toBeUndefined()
  })

  it('are listed without their secrets, and can be ended singly', async () => {
    const { accounts, clock } = await withAnna()
    const first = await accounts.signIn('anna', goodPassword, address)
    clock.pass(minute)
    const second = await accounts.signIn('anna', goodPassword, '10.0.0.8')
    clock.pass(minute)
    await accounts.callerOfSession(first.id, '10.0.0.9')
    const [newest, other] = await accounts.sessions('anna')
    expect(newest).toMatchObject({ account: 'anna', from: '10.0.0.9', lastUsedMs: clock.nowMs })
    expect(await accounts.revokeSessions('anna', host, other?.reference)).toBe(1)
    expect(await accounts.callerOfSession(second.id)).toBeUndefined()
    expect(await accounts.callerOfSession(first.id)).toMatchObject({ session: newest?.reference })
    expect(await accounts.revokeSessions('anna', host)).toBe(1)
    expect(await accounts.callerOfSession(first.id)).toBeUndefined()
  })

  it('have the role that the account has now, and end with its password, its being disabled, and itself', async () => {
    const { accounts } = await withAnna()
    const add = () => accounts.addAccount({ name: 'ben', role: 'operator', password: goodPassword }, host)
    const begin = async () => (await accounts.signIn('ben', goodPassword, address)).id
    await add()
    const id = await begin()
    await accounts.setAccount('ben', { role: 'viewer' }, host)
    expect((await accounts.callerOfSession(id))?.caller.role).toBe('viewer')
    await accounts.setAccount('ben', { password: goodPassword }, host)
    expect(await accounts.callerOfSession(id)).toBeUndefined()
    const next = await begin()
    await accounts.setAccount('ben', { disabled: true }, host)
    expect(await accounts.callerOfSession(next)).toBeUndefined()
    await expect(begin()).rejects.toMatchObject({ kind: 'forbidden' })
    await accounts.setAccount('ben', { disabled: false }, host)
    expect(await accounts.callerOfSession(next)).toBeUndefined()
    const last = await begin()
    await accounts.removeAccount('ben', host)
    await add()
    expect(await accounts.callerOfSession(last)).toBeUndefined()
  })

  it('are fifty for each account: the one that was used longest ago makes room', async () => {
    const { accounts, clock } = await withAnna()
    const ids: string[] = []
    for (let n = 0; n < 51; n++) {
      clock.pass(1000)
      ids.push((await accounts.signIn('anna', goodPassword, address)).id)
      if (n === 49) await accounts.callerOfSession(ids[0] ?? '')
    }
    expect(await accounts.sessions('anna')).toHaveLength(50)
    expect(await accounts.callerOfSession(ids[0] ?? '')).toBeDefined()
    expect(await accounts.callerOfSession(ids[1] ?? '')).toBeUndefined()
  })
})

describe('listeners', () => {
  it('hear whose access ended or changed, and whom it concerns', async () => {
    const { accounts } = await withAnna()
    await accounts.addAccount({ name: 'ben', role: 'operator', password: goodPassword }, host)
    const { id, caller } = await accounts.signIn('ben', goodPassword, address)
    const session = (await accounts.callerOfSession(id))?.session ?? ''
    const made = await accounts.makeToken(caller, { name: 'ci', role: 'viewer' })
    const byToken = await accounts.callerOfToken(made.token, address)
    const heard: Revoked[] = []
    const end = accounts.onRevoked((revoked) => heard.push(revoked))
    const takeHeard = () => heard.splice(0)

    await accounts.revokeToken('ben', 'ci', host)
    const [ofToken] = takeHeard()
    expect(ofToken).toEqual({ account: 'ben', token: 'ci' })
    expect(ofToken && byToken && isRevokedBy(ofToken, byToken)).toBe(true)
    expect(ofToken && isRevokedBy(ofToken, caller, session)).toBe(false)

    await accounts.setAccount('ben', { role: 'viewer' }, host)
    expect(takeHeard()).toEqual([{ account: 'ben' }])
    await accounts.signOut(id)
    const [ofSession] = takeHeard()
    expect(ofSession).toEqual({ account: 'ben', session })
    expect(ofSession && isRevokedBy(ofSession, caller, session)).toBe(true)
    expect(ofSession && isRevokedBy(ofSession, caller, 'other')).toBe(false)
    await accounts.removeAccount('ben', host)
    expect(takeHeard()).toContainEqual({ account: 'ben' })
    end()
    await accounts.addAccount({ name: 'cleo', role: 'operator', password: goodPassword }, host)
    await accounts.removeAccount('cleo', host)
    expect(heard).toEqual([])
  })
})

describe('the file admin-token', () => {
  it('is a token for uploads, and its use is a problem that shows what to do', async () => {
    const { accounts } = await openAccounts({ legacy: 'the old token of the file' })
    expect(await accounts.callerOfToken('another', address)).toBeUndefined()
    expect(accounts.problems()).toEqual([])
    expect(await accounts.callerOfToken('the old token of the file', address)).toEqual({
      kind: 'token',
      account: 'admin',
      token: 'legacy',
      role: 'operator',
      scopes: ['uploads'],
    })
    const [problem] = accounts.problems()
    expect(problem?.message).toContain(address)
    expect(problem?.remedy).toContain('treeboot tokens add')
  })

  it('has a name that no other token can take', async () => {
    const { accounts } = await withAnna()
    const maker = { kind: 'account', account: 'anna', role: 'admin' } as const
    await expect(accounts.makeToken(maker, { name: 'legacy', role: 'viewer' })).rejects.toMatchObject({
      kind: 'bad-request',
    })
    await expect(accounts.revokeToken('admin', 'legacy', host)).rejects.toThrow(/admin-token/)
  })
})

describe('the audit', () => {
  it('has a line for each change, with who and from where, and no secret', async () => {
    const { accounts } = await withAnna()
    await accounts.setAccount('anna', { password: 'another long password' }, host)
    const { id, caller } = await accounts.signIn('anna', 'another long password', address)
    await accounts.makeToken(caller, { name: 'ci', role: 'operator' }, { account: 'anna', from: address })
    await accounts.revokeToken('anna', 'ci', host)
    await accounts.signIn('anna', 'wrong', address).catch(() => undefined)
    await accounts.signIn('my password in the wrong field', 'x', address).catch(() => undefined)
    await accounts.signOut(id, address)
    const lines = await accounts.audit.list({ limit: 100 })
    expect(lines.map(({ action, account, from }) => `${action} ${account} ${from}`).reverse()).toEqual([
      'accounts.add root on the host command line',
      'accounts.set root on the host command line',
      'session.begin anna 10.0.0.7',
      'tokens.add anna 10.0.0.7',
      'tokens.revoke root on the host command line',
      'session.refused anna 10.0.0.7',
      'session.refused somebody 10.0.0.7',
      'session.end anna 10.0.0.7',
    ])
    expect(JSON.stringify(lines)).not.toMatch(/another long|wrong field|scrypt|treeboot_/)
  })

  it('is exported in pages, and refused sign-ins cannot push the rest out', async () => {
    const { accounts, clock } = await withAnna()
    for (let n = 0; n < 1200; n++)
      await accounts.audit.write(host, { action: 'guests.set', target: `web${n}` })
    const targets: string[] = []
    for await (const { target } of accounts.audit.export()) targets.push(target)
    expect(targets).toHaveLength(1201)
    expect(targets[0]).toBe('web1199')

    const refused = async () =>
      (await accounts.audit.list({ limit: 1000 })).filter(({ action }) => action === 'session.refused')
    for (let n = 0; n < 300; n++)
      await accounts.signIn('anna', 'wrong', `10.1.${n >> 8}.${n & 255}`).catch(() => undefined)
    expect(await refused()).toHaveLength(20)
    clock.pass(minute)
    await accounts.signIn('anna', 'wrong', '10.9.9.9').catch(() => undefined)
    expect((await refused())[0]?.after).toContain('"notWritten":280')
  })
})
