import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { asking, makeToken } from '../support/api.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

const home = keptFolder()
let app: App
let token: string
const ask = asking(
  () => `http://127.0.0.1:${portOf(app)}`,
  () => token,
)

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', httpOnly)
  writeBelow(home.path, 'guests.d/web01.yaml', 'mac: 52:54:00:aa:bb:01\n')
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'admin')
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

/** Each of these was taken once, and did more than its sender meant. */
describe('a name that nothing reads', () => {
  test('in the query removes nothing', async () => {
    const path = '/api/v1/guests/web01?dryrun=1'
    const { status, body } = await ask('DELETE', path, { headers: { 'If-Match': '*' } })
    expect([status, body.errors]).toEqual([
      400,
      [{ field: 'query.dryrun', found: 'a name that nothing here reads', expected: 'dry-run' }],
    ])
    expect(existsSync(join(home.path, 'guests.d/web01.yaml'))).toBe(true)
  })

  test('in the query of a path that has none is refused, too', async () => {
    const before = (await ask('GET', '/api/v1/guests/web01')).text
    const { status, body } = await ask('POST', '/api/v1/guests/web01/install?dry-run')
    expect([status, body.errors?.[0]?.expected]).toEqual([400, 'nothing'])
    expect((await ask('GET', '/api/v1/guests/web01')).text).toBe(before)
  })

  test('in a filter lists nothing', async () => {
    const { status, body } = await ask('GET', '/api/v1/guests?stat=install')
    expect([status, body.errors?.[0]?.expected]).toEqual([400, 'state'])
  })

  test('in the body makes no token', async () => {
    const json = { name: 'ci', role: 'admin', scope: ['uploads'], expire: '2027-01-01T00:00:00Z' }
    const answer = await ask('POST', '/api/v1/tokens', { json })
    expect([
      answer.status,
      answer.body.errors?.map(({ expected }: { expected: string }) => expected),
    ]).toEqual([400, ['scopes', 'expires']])
    const { items } = (await ask('GET', '/api/v1/tokens')).body
    expect(items.map(({ name }: { name: string }) => name)).not.toContain('ci')
  })

  test('in a body that may be absent is refused, too', async () => {
    const { status } = await ask('POST', '/api/v1/guests/web01/hold', { json: { resaon: 'database' } })
    expect(status).toBe(400)
  })

  test('of a path that is open to everybody does no harm', async () => {
    expect((await ask('GET', '/api/v1/version?from=ipxe')).status).toBe(400)
    expect((await ask('GET', '/healthz?from=proxy')).status).toBe(200)
  })
})
