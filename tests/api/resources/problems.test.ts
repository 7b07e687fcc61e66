import request from 'supertest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { TemplateRenderer } from '../../../server/templates/renderer.ts'
import { httpOnly, portOf, quickApp } from '../../support/app.ts'
import { treebootWith } from '../../support/cli.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

/** A template that does not end, as the clients and the operator of a running server see it. */

const config = `${httpOnly}
guests:
  bad: { mac: "52:54:00:aa:bb:01", template: hang.ks }
  good: { mac: "52:54:00:aa:bb:02", template: fine.ks }
`
const home = keptFolder()
const newRenderer = () => new TemplateRenderer({ timeoutMs: 500 })
const ofServer = newRenderer()
const ofCommand = newRenderer()
let app: App
let base: string

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/hang.ks', `{{ '${'a'.repeat(40)}!' | regex_search('^(a+)+$') }}`)
  writeBelow(home.path, 'kickstart-templates/fine.ks', 'text\n')
  app = quickApp({ cwd: home.path, newStore: 'install', renderer: ofServer })
  await app.start()
  base = `http://127.0.0.1:${portOf(app)}`
}, 20_000)
afterAll(async () => {
  await app.stop()
  await Promise.all([ofServer.close(), ofCommand.close()])
  home.remove()
})

test('a template that does not end: 503 for its guests, the others get theirs, and a problem names it', async () => {
  const ends: string[] = []
  const ask = async (guest: string, host: string): Promise<void> => {
    const { status, headers } = await request(base).get(`/ks/${guest}`).set('Host', host)
    ends.push(`${guest} ${status} ${headers['retry-after'] ?? ''}`)
  }
  // Each Host gets a text of its own, so all of these are asked of the template.
  const hosts = Array.from({ length: 12 }, (_, i) => ask('bad', `host-${i}`))
  await Promise.all([...hosts, ask('good', 'host')])
  expect(ends.filter((end) => end === 'bad 503 5')).toHaveLength(12)
  expect(ends).toContain('good 200 ')

  const { body } = await request(base).get('/api/v1/problems').expect(200)
  expect(body.items).toContainEqual(expect.objectContaining({ severity: 'error', where: 'hang.ks:1' }))
  const { text } = await request(base).get('/').expect(200)
  expect(text).toContain('hang.ks:1')
}, 20_000)

test('`check` names the template, too', async () => {
  const { code, out } = await treebootWith(ofCommand, home.path, 'check')
  expect(code).not.toBe(0)
  expect(out).toMatch(/hang\.ks:1: .*did not end/)
}, 20_000)
