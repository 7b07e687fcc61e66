import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goodPassword, host, minute, type Opened, openAccounts, withAnna } from './support.ts'

const base = 'http://boot.example:8080/'
const me = { name: 'anna', password: goodPassword }
const secretIn = (link: string): string => /#([\w-]{43})$/.exec(link)?.[1] ?? ''

async function made(opened: Opened, shown = false) {
  const { link, file } = await opened.accounts.setupLink({ base, shown }, host)
  return { link, file, use: () => opened.accounts.useSetupLink(secretIn(link), me, '10.0.0.7') }
}

describe('a setup link', () => {
  it('lies in a file that only its owner may read, makes one admin, and is gone then', async () => {
    const opened = await openAccounts()
    const { accounts, dataFolder } = opened
    const { link, file, use } = await made(opened)
    expect(link).toMatch(/^http:\/\/boot\.example:8080\/setup#/)
    expect(file).toBe(join(dataFolder, 'setup-link'))
    expect(readFileSync(file ?? '', 'utf8')).toBe(`${link}\n`)
    expect(statSync(file ?? '').mode & 0o777).toBe(0o600)
    expect(await accounts.isSetupOpen()).toBe(true)
    const both = await Promise.allSettled([use(), use()])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await accounts.accounts()).toMatchObject([{ name: 'anna', role: 'admin' }])
    expect(existsSync(file ?? '')).toBe(false)
    expect(await accounts.isSetupOpen()).toBe(false)
    await expect(use()).rejects.toMatchObject({ kind: 'forbidden' })
    expect((await accounts.signIn('anna', goodPassword, '10.0.0.7')).caller.role).toBe('admin')
    const [, used] = await accounts.audit.list({ limit: 2 })
    expect(used).toMatchObject({ account: 'setup link', from: '10.0.0.7' })
  })

  it('in a file waits until somebody looks, and lives for an hour then', async () => {
    const opened = await openAccounts()
    const { accounts, clock } = opened
    const { use } = await made(opened)
    clock.pass(1000 * 60 * minute)
    expect(await accounts.isSetupOpen()).toBe(true)
    await accounts.firstLook()
    clock.pass(59 * minute)
    await accounts.firstLook()
    expect(await accounts.isSetupOpen()).toBe(true)
    clock.pass(minute)
    await expect(use()).rejects.toThrow(/hour.*setup-link/)
    expect(await accounts.accounts()).toEqual([])
  })

  it('that is shown begins its hour at once, and lies in no file', async () => {
    const opened = await openAccounts()
    const first = await made(opened)
    const { file, use } = await made(opened, true)
    expect([file, existsSync(first.file ?? '')]).toEqual([undefined, false])
    await expect(first.use()).rejects.toMatchObject({ kind: 'forbidden' })
    opened.clock.pass(60 * minute)
    await expect(use()).rejects.toMatchObject({ kind: 'forbidden' })
  })

  it('is not prolonged by a clock that is set back', async () => {
    const opened = await openAccounts()
    const { use } = await made(opened, true)
    expect(await opened.accounts.isSetupOpen()).toBe(true)
    for (let n = 0; n < 60; n++) {
      opened.clock.pass(minute)
      opened.clock.step(-minute)
    }
    await expect(use()).rejects.toMatchObject({ kind: 'forbidden' })
  })

  it('makes one admin also when two persons use it at once', async () => {
    const opened = await openAccounts()
    const { link } = await made(opened)
    const uses = ['anna', 'ben'].map((name) =>
      opened.accounts.useSetupLink(secretIn(link), { name, password: goodPassword }),
    )
    expect((await Promise.allSettled(uses)).map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'rejected',
    ])
    expect(await opened.accounts.accounts()).toHaveLength(1)
  })

  it('is not used up by a name or a password that cannot be', async () => {
    const opened = await withAnna()
    const { accounts } = opened
    const { link } = await made(opened)
    const use = (name: string, password: string) => accounts.useSetupLink(secretIn(link), { name, password })
    await expect(use('anna', goodPassword)).rejects.toMatchObject({ kind: 'conflict' })
    await expect(use('a b', goodPassword)).rejects.toMatchObject({ kind: 'bad-request' })
    await expect(use('ben', 'short')).rejects.toMatchObject({ kind: 'bad-request' })
    await use('ben', goodPassword)
    expect((await accounts.accounts()).map(({ name }) => name)).toEqual(['anna', 'ben'])
  })

  it('ends when the first admin is made in another way, and not by others', async () => {
    const opened = await openAccounts()
    const { accounts } = opened
    const { file, use } = await made(opened)
    await accounts.addAccount({ name: 'ben', role: 'viewer', password: goodPassword }, host)
    expect([await accounts.isSetupOpen(), existsSync(file ?? '')]).toEqual([true, true])
    await accounts.setAccount('ben', { role: 'admin' }, host)
    expect([await accounts.isSetupOpen(), existsSync(file ?? '')]).toEqual([false, false])
    await expect(use()).rejects.toMatchObject({ kind: 'forbidden' })
    // One that is made on purpose then stays, whoever else becomes an admin.
    const later = await made(opened)
    await accounts.addAccount({ name: 'eva', role: 'admin', password: goodPassword }, host)
    await later.use()
    expect((await accounts.accounts()).map(({ name }) => name)).toEqual(['anna', 'ben', 'eva'])
  })

  it('ends when the first account is an admin, too', async () => {
    const opened = await openAccounts()
    const { file, use } = await made(opened)
    await opened.accounts.addAccount({ name: 'ben', role: 'admin', password: goodPassword }, host)
    expect(existsSync(file ?? '')).toBe(false)
    await expect(use()).rejects.toMatchObject({ kind: 'forbidden' })
  })

  it('can be taken back, and a guessed one is none', async () => {
    const opened = await openAccounts()
    const { accounts } = opened
    const { file, use } = await made(opened)
    for (const guess of ['', 'x', 'A'.repeat(43), 'x'.repeat(1_000_000)])
      await expect(accounts.useSetupLink(guess, me)).rejects.toMatchObject({ kind: 'forbidden' })
    expect(await accounts.revokeSetupLink(host)).toBe(true)
    expect(await accounts.revokeSetupLink(host)).toBe(false)
    expect(existsSync(file ?? '')).toBe(false)
    await expect(use()).rejects.toMatchObject({ kind: 'forbidden' })
  })
})
