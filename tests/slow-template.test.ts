import { join } from 'node:path'
import request from 'supertest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { TemplateRenderer } from '../server/templates/renderer.ts'
import { httpOnly, portOf, quickApp } from './support/app.ts'
import { treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { sharedRenderer } from './support/renderer.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/** A template that took too long: its guests boot their disks until it is tried again, and everybody says when. */

const home = keptFolder()
const hang = `{{ '${'a'.repeat(40)}!' | regex_search('^(a+)+$') }}`
const renderer = new TemplateRenderer({ timeoutMs: 400 })
let app: App
let base: string

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  const guest = '{ mac: 52-54-00-aa-bb-01, tree: fedora-40, template: slow.ks }'
  writeBelow(home.path, 'config.yaml', `${httpOnly}guests:\n  slow: ${guest}\n`)
  writeBelow(home.path, 'kickstart-templates/slow.ks', hang)
  app = quickApp({ cwd: home.path, newStore: 'install', renderer })
  await app.start()
  base = `http://127.0.0.1:${portOf(app)}`
}, 20_000)
afterAll(async () => {
  await app.stop()
  await renderer.close()
  // The commands have used the renderer that all tests share: other templates let it forget the slow one.
  await sharedRenderer.render({ name: 'fine', templates: new Map([['fine', 'fine']]), context: {} })
  expect(sharedRenderer.stopped).toEqual([])
  home.remove()
})

const again =
  /did not end within \d+ ms \(look for [^)]*\); tried again at \d\d:\d\d UTC, or when a template is changed/

test('the page, the problems, explain, the API and the screen of the machine say when it is tried again', async () => {
  await eventually(async () =>
    expect((await request(base).get('/')).text).toMatch(
      /refused: its answer file cannot be made: slow\.ks:1: .*; tried again at \d\d:\d\d UTC/,
    ),
  )
  const paths = ['/api/v1/guests/slow', '/api/v1/guests/slow/explain', '/grub.cfg-01-52-54-00-aa-bb-01']
  for (const path of paths) expect((await request(base).get(path)).text, path).toMatch(again)
  const { body } = await request(base).get('/api/v1/problems')
  expect(body.items).toContainEqual(
    expect.objectContaining({
      message: expect.stringMatching(again),
      where: expect.stringMatching(/config\.yaml:8$/),
    }),
  )
  // The template itself, whose remedy stands apart.
  expect(body.items).toContainEqual(
    expect.objectContaining({
      where: 'slow.ks:1',
      message: expect.stringMatching(/did not end within 400 ms; tried again at \d\d:\d\d UTC, or when/),
    }),
  )
})

test('check and explain say the same', async () => {
  for (const command of [['check'], ['explain', 'slow']])
    expect((await treebootIn(home.path, ...command)).out, command.join(' ')).toMatch(again)
}, 30_000)
