/**
 * The whole server, as compiled, for `bench/api.ts`: a process of its own that sends its HTTP port and tokens of an
 * operator to its parent, as many as are asked for. Each token may make only so many calls in a second.
 */
import { join } from 'node:path'
import type * as Application from '../../server/app.ts'

const built = join(import.meta.dirname, '../../dist/server')
const { createApp } = (await import(join(built, 'app.js'))) as typeof Application

const [cwd = '.', count = '1'] = process.argv.slice(2)
const app = createApp({ cwd, version: 'bench' })
await app.start()
const by = { account: 'bench', from: 'bench' }
await app.accounts.addAccount({ name: 'bench', role: 'operator', password: 'a long password' }, by)
const maker = { kind: 'account', account: 'bench', role: 'operator' } as const
const tokens: string[] = []
while (tokens.length < Number(count))
  tokens.push(
    (await app.accounts.makeToken(maker, { name: `bench${tokens.length}`, role: 'operator' })).token,
  )
process.send?.({ port: app.serviceLines().find(({ name }) => name === 'http')?.port, tokens })
process.once('SIGTERM', () => void app.stop().then(() => process.exit()))
