/**
 * The whole server, as compiled, for `bench/api.ts` and `bench/watchers.ts`: a process of its own that sends its HTTP port and
 * as many tokens to its parent as are asked for. Each may make only so many calls in a second, and each ten are of another
 * account.
 */
import { join } from 'node:path'
import type * as Application from '../../server/app.ts'

const built = join(import.meta.dirname, '../../dist/server')
const { createApp } = (await import(join(built, 'app.js'))) as typeof Application

const [cwd = '.', count = '1'] = process.argv.slice(2)
const app = createApp({ cwd, version: 'bench', newStore: 'install' })
await app.start()
const by = { account: 'bench', from: 'bench' }
const tokens: string[] = []
while (tokens.length < Number(count)) {
  const account = `bench${Math.floor(tokens.length / 10)}`
  if (tokens.length % 10 === 0)
    await app.accounts.addAccount({ name: account, role: 'operator', password: 'a long password' }, by)
  const maker = { kind: 'account', account, role: 'operator' } as const
  tokens.push((await app.accounts.makeToken(maker, { name: `t${tokens.length}`, role: 'operator' })).token)
}
process.send?.({ port: app.serviceLines().find(({ name }) => name === 'http')?.port, tokens })
process.once('SIGTERM', () => void app.stop().then(() => process.exit()))
