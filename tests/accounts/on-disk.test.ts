import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Revoked } from '../../server/core/access/revoked.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { builtFile } from '../support/built-file.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder } from '../support/tree-folder.ts'
import { goodPassword, host, openAccounts } from './support.ts'

const address = '10.0.0.7'
const anna = { kind: 'account', account: 'anna', role: 'admin' } as const

async function onDisk(folder = temporaryFolder()) {
  const store = await openStore({ data: folder })
  const opened = await openAccounts({ store, folder })
  onTestFinished(() => store.close())
  return { ...opened, folder }
}

/** Another process on the same store, which does what it is told, line by line. */
function helper(folder: string): { readonly child: ChildProcess; tell(line: string): Promise<string> } {
  const child = spawn(process.execPath, [builtFile('tests/accounts/helper-process.ts'), folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  return {
    child,
    async tell(line) {
      const reply = once(lines, 'line')
      child.stdin.write(`${line}\n`)
      return String((await reply)[0])
    },
  }
}

describe('on the disk', () => {
  it('lies no password, token, session, secret of a link, and nothing that was typed as a name', async () => {
    const { accounts, folder, clock } = await onDisk()
    const password = 'planted-password-4711'
    await accounts.addAccount({ name: 'anna', role: 'admin', password }, host)
    const session = await accounts.signIn('anna', password, address)
    const { token } = await accounts.makeToken(anna, { name: 'ci', role: 'operator' })
    await accounts.callerOfToken(token, address)
    const { link } = await accounts.setupLink({ base: 'http://boot', shown: true }, host)
    await accounts.signIn('planted-name-4711', password, address).catch(() => undefined)
    await accounts.audit.write(host, {
      action: 'guests.set',
      target: 'web01',
      before: { vars: { rootpw: 'planted-rootpw-4711' } },
      after: 'rootpw --iscrypted $6$salt$planted-crypt-4711',
    })
    clock.pass(1)
    await accounts.close()
    const bytes = readdirSync(folder).map((name) => readFileSync(join(folder, name)))
    expect(bytes.length).toBeGreaterThan(0)
    const all = Buffer.concat(bytes)
    expect(all.includes('web01')).toBe(true)
    expect(all.includes('anna')).toBe(true)
    const secrets = [session.id, session.csrf, token, token.slice(9), link.split('#')[1] ?? '', '4711']
    expect(secrets.filter((secret) => secret.length < 4 || all.includes(secret))).toEqual([])
  })

  it('is all of it after another start', async () => {
    const first = await onDisk()
    await first.accounts.addAccount({ name: 'anna', role: 'admin', password: goodPassword }, host)
    const { id } = await first.accounts.signIn('anna', goodPassword, address)
    const { token } = await first.accounts.makeToken(anna, {
      name: 'ci',
      role: 'viewer',
      scopes: ['uploads'],
    })
    await first.accounts.callerOfToken(token, '10.0.0.9')
    const view = await first.accounts.tokens()
    await first.accounts.close()
    await first.store.close()
    const again = await onDisk(first.folder)
    expect((await again.accounts.callerOfSession(id))?.caller).toEqual(anna)
    expect(await again.accounts.tokens()).toEqual(view)
    expect(await again.accounts.audit.list({ limit: 9 })).toHaveLength(3)
  })
})

describe('two processes', () => {
  it('what one acknowledged is in force in the other with the next request', async () => {
    const { accounts, folder } = await onDisk()
    await accounts.addAccount({ name: 'anna', role: 'admin', password: goodPassword }, host)
    const other = helper(folder)
    const token = await other.tell('token ci')
    expect(token).toMatch(/^treeboot_/)
    expect((await accounts.callerOfToken(token, address))?.token).toBe('ci')
    const { id } = await accounts.signIn('anna', goodPassword, address)
    expect(await other.tell('sessions')).toBe('1')

    const heard: Revoked[] = []
    const end = accounts.onRevoked((revoked) => heard.push(revoked))
    expect(await other.tell('revoke ci')).toBe('done')
    expect(await accounts.callerOfToken(token, address)).toBeUndefined()
    expect(heard).toEqual([{ account: 'anna', token: 'ci' }])
    const session = (await accounts.callerOfSession(id))?.session ?? ''
    expect(await other.tell('end')).toBe('1')
    // Nobody asks: a stream has no requests.
    await eventually(() => expect(heard).toContainEqual({ account: 'anna', session }))
    end()
    expect(await accounts.callerOfSession(id)).toBeUndefined()
  })

  it('keep one admin between them, and lose no account', async () => {
    const { accounts, folder } = await onDisk()
    for (const name of ['anna', 'ben'])
      await accounts.addAccount({ name, role: 'admin', password: goodPassword }, host)
    const other = helper(folder)
    const done = await Promise.all([
      other.tell('remove ben'),
      accounts.removeAccount('anna', host).then(
        () => 'done',
        (error) => error.kind,
      ),
    ])
    expect(done.sort()).toEqual(['conflict', 'done'])
    const added = [1, 2, 3].flatMap((n) => [
      accounts.addAccount({ name: `here${n}`, role: 'viewer', password: goodPassword }, host),
    ])
    await Promise.all([...added, other.tell('add there')])
    expect(await accounts.accounts()).toHaveLength(5)
  })

  it('a token that was acknowledged is there after kill -9', async () => {
    const { accounts, folder } = await onDisk()
    await accounts.addAccount({ name: 'anna', role: 'admin', password: goodPassword }, host)
    const other = helper(folder)
    const token = await other.tell('token ci')
    const ended = once(other.child, 'exit')
    other.child.kill('SIGKILL')
    await ended
    expect((await accounts.callerOfToken(token, address))?.token).toBe('ci')
  })
})
