import { generateKey } from 'openpgp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
let app: App
let publicKey: string

beforeAll(async () => {
  const made = await generateKey({ userIDs: [{ name: 'Mirror', email: 'mirror@example.org' }] })
  publicKey = made.publicKey
  writeBelow(home.path, 'mirror.asc', made.publicKey)
  const config = httpOnly.replace('anonymous: viewer', 'anonymous: none')
  writeBelow(home.path, 'config.yaml', `${config}verify: { keys: [mirror.asc] }\n`)
  app = testApp(home.path)
  await app.start()
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

test('everybody may have the public keys by which trees are verified', async () => {
  const ask = asking(
    () => `http://127.0.0.1:${portOf(app)}`,
    () => '',
  )
  const { status, body, text } = await ask('GET', '/api/v1/keys')
  expect(status).toBe(200)
  expect(body.items).toEqual([
    {
      kind: 'openpgp',
      fingerprint: expect.stringMatching(/^[0-9a-f]{40}/),
      users: ['Mirror <mirror@example.org>'],
      armored: publicKey,
    },
  ])
  expect(text).not.toContain('PRIVATE')
})
