import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { type CliResult, treebootAt, treebootIn } from '../../support/cli.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** `treeboot render` against a server, which stars what it does not show. */

const home = keptFolder()
let app: App
const there = async (token: string, ...args: string[]): Promise<CliResult> =>
  treebootAt(temporaryFolder(), ['render', ...args], {
    environment: { TREEBOOT_SERVER: `http://127.0.0.1:${portOf(app)}`, TREEBOOT_TOKEN: token },
  })

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  writeBelow(home.path, 'kickstart-templates/web.ks', 'rootpw {{ vars.password }}\ntext {{ guest.name }}\n')
  const web01 = `{ tree: fedora-40, template: web.ks, serial: S, vars: { password: "sesame" }, args: ["password=sesame", quiet] }`
  const server = httpOnly.replace('bind: 127.0.0.1', 'bind: 127.0.0.1, url: "http://boot.example:8080"')
  writeBelow(home.path, 'config.yaml', `${server}guests: { web01: ${web01} }\n`)
  app = testApp(home.path)
  await app.start()
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
}, 20_000)
afterAll(async () => {
  await app.stop()
  home.remove()
})

test('secrets are starred, which is said, and shown to a token that may see them', async () => {
  const here = await treebootIn(home.path, 'render', 'web01')
  expect(here).toEqual({ code: 0, out: 'rootpw sesame\ntext web01\n', err: '' })
  const viewer = await makeToken(app, 'viewer')
  const starred = await there(viewer, 'web01')
  expect(starred).toMatchObject({ code: 0, out: here.out.replace('sesame', '***') })
  expect(starred.err).toMatch(/^note: secrets are starred; --with-secrets shows them.*answers:reveal\n$/)
  expect((await there(viewer, 'web01', '--with-secrets')).err).toContain('answers:reveal')
  const revealing = await makeToken(app, 'admin', 'guests:read', 'answers:reveal')
  expect(await there(revealing, 'web01', '--with-secrets')).toEqual(here)
  expect(await treebootIn(home.path, 'render', 'web01', '--with-secrets')).toEqual(here)
})

test('a boot plan has its secrets starred, and is the same otherwise', async () => {
  const viewer = await makeToken(app, 'viewer')
  const here = await treebootIn(home.path, 'render', 'web01', '--as', 'ipxe')
  const starred = await there(viewer, 'web01', '--as', 'ipxe')
  expect(here.out).toContain('password=sesame')
  expect(starred.out).not.toContain('sesame')
  expect(starred.out).toBe(here.out.replaceAll('sesame', '***'))
  expect(starred.err).toContain('a server shows none in a boot plan')
})
