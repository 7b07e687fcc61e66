import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { requireClient } from '../support/clients.ts'
import { client, TestProvider } from '../support/openid.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const run = promisify(execFile)

/** curl keeps cookies as browsers do: those of a host count for each of its ports, the provider's here too. */
test('curl with a jar for cookies signs in by the provider, and reads with the session', async () => {
  const curl = requireClient('curl')
  const provider = await TestProvider.open()
  onTestFinished(() => provider.close())
  const folder = temporaryFolder()
  writeBelow(
    folder,
    'config.yaml',
    `${httpOnly.replace(/access:.*\n/, '')}
access:
  oidc:
    issuer: ${provider.issuer}
    client-id: ${client.id}
    client-secret: ${client.secret}
    scopes: [profile, groups]
    roles: { operator: ops }
`,
  )
  const app = testApp(folder)
  await app.start()
  onTestFinished(() => app.stop())
  const base = `http://127.0.0.1:${portOf(app)}`
  await provider.register([`${base}/api/v1/session/oidc/callback`])
  provider.people.set('7', { preferred_username: 'ben', groups: ['ops'] })
  provider.who = '7'
  const jar = join(folder, 'jar')
  const get = async (path: string, ...options: string[]): Promise<string> => {
    const all = ['-s', '-L', '--max-time', '30', '-b', jar, '-c', jar, ...options, `${base}${path}`]
    return (await run(curl, all)).stdout
  }
  const shown = ['-o', join(folder, 'page'), '-w', '%{http_code} %{url_effective}']
  expect(await get('/api/v1/session/oidc?return=/readyz', ...shown)).toBe(`200 ${base}/readyz`)
  expect(JSON.parse(await get('/api/v1/session'))).toMatchObject({
    kind: 'account',
    account: 'ben',
    role: 'operator',
  })
})
