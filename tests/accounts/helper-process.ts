import { createInterface } from 'node:readline'
import { Accounts } from '../../server/accounts/accounts.ts'
import { failureKind } from '../../server/core/failure.ts'
import { openStore } from '../../server/store/sqlite/open.ts'

/** A process for the tests: does what each line of its input says, and replies with a line. `node helper-process.ts DATA` */
const [folder = ''] = process.argv.slice(2)
const store = await openStore({ data: folder })
const accounts = new Accounts({
  session: () => ({ idleMs: 1_000_000_000_000, maxMs: 1_000_000_000_000 }),
  onTrouble: (error) => process.stderr.write(`${error}\n`),
  cost: { ln: 10, r: 1, p: 1 },
})
await accounts.open({ store: store.accounts, dataFolder: folder })
const by = { account: 'helper', from: 'test' }
const anna = { kind: 'account', account: 'anna', role: 'admin' } as const

const deeds: Readonly<Record<string, (name: string) => Promise<string>>> = {
  token: async (name) => (await accounts.makeToken(anna, { name, role: 'operator' })).token,
  revoke: async (name) => accounts.revokeToken('anna', name, by).then(() => 'done'),
  sessions: async () => String((await accounts.sessions('anna')).length),
  end: async () => String(await accounts.revokeSessions('anna', by)),
  remove: async (name) => accounts.removeAccount(name, by).then(() => 'done'),
  add: async (name) =>
    accounts.addAccount({ name, role: 'viewer', password: 'correct horse battery' }, by).then(() => 'done'),
}

for await (const line of createInterface({ input: process.stdin })) {
  const [deed = '', name = ''] = line.split(' ')
  const reply = await deeds[deed]?.(name).catch((error: unknown) => failureKind(error))
  process.stdout.write(`${reply}\n`)
}
