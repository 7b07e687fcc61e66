import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { type CliResult, treebootAt } from '../../support/cli.ts'
import { keptFolder, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
const password = 'correct horse battery'
let app: App
let folder = ''
let url = ''
const by = { account: 'test', from: 'test' }

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', httpOnly.replace('access: { anonymous: viewer }\n', ''))
  app = testApp(home.path)
  await app.start()
  url = `http://127.0.0.1:${portOf(app)}`
  await app.accounts.addAccount({ name: 'anna', role: 'admin', password }, by)
}, 20_000)
beforeEach(() => {
  folder = join(temporaryFolder(), 'config/treeboot')
})
afterAll(async () => {
  await app.stop()
  home.remove()
})

const at = (
  args: readonly string[],
  more: { typed?: readonly string[]; environment?: Record<string, string> } = {},
): Promise<CliResult> =>
  treebootAt(folder.split('/config/')[0] ?? '', args, { configFolder: async () => folder, ...more })
const file = (): string => join(folder, 'tokens.json')
const names = async (): Promise<string[]> => (await app.accounts.tokens('anna')).map(({ name }) => name)
const login = (...words: string[]) => at(['login', `${url}/`, ...words], { typed: ['anna', password] })

test('login keeps a token of 30 days with the name of this machine, which only its owner can read', async () => {
  const { code, out, err } = await login()
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toBe(`anna (admin) at ${url} until ${out.slice(out.indexOf('until ') + 6)}`)
  expect(statSync(file()).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  const [token] = (await app.accounts.tokens('anna')).filter(({ name }) =>
    hostname().startsWith(name.slice(0, 3)),
  )
  const days = ((token?.expiresMs ?? 0) - Date.now()) / 86_400_000
  expect([token?.role, Math.round(days)]).toEqual(['admin', 30])
  // The session in which it was made has ended, and the token is shown to nobody.
  expect(await app.accounts.sessions('anna')).toEqual([])
  const kept = JSON.parse(readFileSync(file(), 'utf8'))
  expect(out + err).not.toContain(kept[url].token)
  expect((await at(['accounts', '--server', url])).out).toMatch(/^anna +admin/m)
  expect((await at(['accounts'], { environment: { TREEBOOT_SERVER: url } })).out).toMatch(/^anna +admin/m)

  const before = await names()
  expect((await login('--role', 'viewer')).out).toContain('anna (viewer)')
  expect(await names()).toEqual(before)
  expect((await at(['accounts', '--server', url])).err).toMatch(/needs the role admin/)

  expect((await at(['logout'])).out).toMatch(/is forgotten, and ended there$/m)
  expect(await names()).toHaveLength(before.length - 1)
  expect(readFileSync(file(), 'utf8')).toBe('{}\n')
  expect(await at(['logout'])).toMatchObject({ code: 3, err: expect.stringContaining('signed in nowhere') })
})

test('the token of another machine or user keeps its name', async () => {
  const before = await names()
  await login()
  const mine = folder
  folder = join(temporaryFolder(), 'config/treeboot')
  expect((await login()).code).toBe(0)
  expect(await names()).toHaveLength(before.length + 2)
  await at(['logout', url])
  folder = mine
  expect((await at(['accounts', '--server', url])).code).toBe(0)
  await at(['logout', url])
})

test('a wrong password makes nothing, and an empty one is not sent', async () => {
  const before = await names()
  expect(await at(['login', url], { typed: ['anna', 'wrong horse battery'] })).toMatchObject({
    code: 1,
    err: 'treeboot: name or password is wrong\n',
  })
  expect(await at(['login', url], { typed: ['anna', ''] })).toMatchObject({ code: 2 })
  expect(await at(['login', url])).toMatchObject({ code: 2, err: expect.stringContaining('TREEBOOT_TOKEN') })
  expect(existsSync(file())).toBe(false)
  expect(await names()).toEqual(before)
})

test('tokens that others can read are not used, and a damaged file is told', async () => {
  await login()
  chmodSync(file(), 0o640)
  const { code, err } = await at(['accounts', '--server', url])
  expect([code, err]).toEqual([
    1,
    `treeboot: ${file()} has tokens and can be read by others: chmod 600 ${file()}\n`,
  ])
  chmodSync(file(), 0o600)
  await at(['logout', url])
  writeFileSync(file(), '{"http://x": 1}')
  expect(await at(['accounts', '--server', url])).toMatchObject({
    code: 2,
    err: expect.stringContaining('is damaged'),
  })
})

test('without a folder of his own nobody signs in', async () => {
  const { code, err } = await treebootAt(home.path, ['login', url], { typed: ['anna', password] })
  expect([code, err]).toEqual([2, expect.stringContaining('set TREEBOOT_TOKEN instead')])
})

test('a token that is wrong is named by where it was found', async () => {
  const environment = { TREEBOOT_TOKEN: 'nonsense' }
  const wrong = await at(['guests', '--server', url], { environment })
  expect([wrong.code, wrong.out]).toEqual([1, ''])
  expect(wrong.err).toMatch(
    /^treeboot: this token is not known here.*the token of TREEBOOT_TOKEN: "treeboot login http/,
  )
  await login()
  await app.accounts.revokeToken('anna', JSON.parse(readFileSync(file(), 'utf8'))[url].name, by)
  expect((await at(['guests', '--server', url])).err).toContain(`the token of ${file()}`)
  expect((await at(['guests', '--server', url], { environment: { TREEBOOT_TOKEN: 'a b' } })).err).toMatch(
    /has blanks/,
  )
  expect((await at(['logout'])).out).toContain('is forgotten')
  expect((await at(['guests', '--server', url])).err).toMatch(/who are you\?.*"treeboot login http/)
})

test('a server that is not treeboot gets no password twice, and is called that', async () => {
  let asked = 0
  const other = createServer((_, res) => {
    asked++
    res.end('<h1>It works!</h1>')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const base = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  expect((await at(['login', base], { typed: ['anna', password] })).err).toMatch(
    /does not answer as treeboot does/,
  )
  expect(asked).toBe(1)
  expect(await at(['guests', '--server', base])).toMatchObject({
    code: 2,
    err: expect.stringContaining('expected the URL of a treeboot server'),
  })
  other.close()
})
