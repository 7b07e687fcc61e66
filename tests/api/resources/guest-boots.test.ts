import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const planted = 'planted-secret'
const config = `${httpOnly}
guests:
  web01:
    mac: "52:54:00:aa:bb:01"
    tree: fedora-40
    template: web.ks
    args: [quiet, "inst.rootpw=${planted}", "proxy=http://u:${planted}@h:1"]
    vars: { rootpw: ${planted}, zone: a }
  bad: { mac: "52:54:00:aa:bb:02", tree: fedora-40, template: bad.ks }
  bare: { mac: "52:54:00:aa:bb:03", tree: fedora-40 }
`
const home = keptFolder()
let app: App
const tokens = new Map<string, string>()
const base = () => `http://127.0.0.1:${portOf(app)}`
const as = (who: string) => asking(base, () => tokens.get(who) ?? '')

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(
    home.path,
    'kickstart-templates/web.ks',
    'rootpw {{ rootpw }}\nzone {{ zone }}\n# {{ report_url }}\n',
  )
  writeBelow(home.path, 'kickstart-templates/bad.ks', 'fine\n{{ nope }}\n')
  app = testApp(home.path)
  await app.start()
  tokens.set('viewer', await makeToken(app, 'viewer'))
  tokens.set('admin', await makeToken(app, 'admin'))
  tokens.set('revealer', await makeToken(app, 'admin', 'guests:read', 'answers:reveal'))
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

describe('the answer file of a guest', () => {
  test('is shown to viewers without its secrets, and nothing is claimed', async () => {
    const { status, headers, text } = await as('viewer')('GET', '/api/v1/guests/web01/answer')
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(text).toMatch(
      /^rootpw \*\*\*\nzone a\n# http:\/\/\S+\/api\/v1\/guests\/web01\/installed\/\*\*\*\n$/,
    )
    expect((await as('viewer')('GET', '/api/v1/guests/web01')).body.state).toBe('install')
  })

  test('is shown as it is to a token of that scope alone, and that is written down', async () => {
    const path = '/api/v1/guests/web01/answer?reveal'
    for (const who of ['viewer', 'admin']) {
      const { status, text } = await as(who)('GET', path)
      expect([status, text]).toEqual([403, expect.not.stringContaining(planted)])
    }
    const { status, text } = await as('revealer')('GET', path)
    expect([status, text]).toEqual([200, expect.stringContaining(`rootpw ${planted}\n`)])
    const { body } = await as('admin')('GET', '/api/v1/audit?limit=1')
    expect(body.items[0]).toMatchObject({ action: 'guests.reveal', target: 'web01', token: 'test' })
  })

  test('that cannot be made, or is none, says why', async () => {
    const bad = await as('viewer')('GET', '/api/v1/guests/bad/answer')
    expect(bad).toMatchObject({ status: 422, body: { detail: expect.stringContaining('bad.ks:2') } })
    expect((await as('viewer')('GET', '/api/v1/guests/bare/answer')).status).toBe(404)
    expect((await as('viewer')('GET', '/api/v1/guests/nobody/answer')).status).toBe(404)
  })
})

test.each(['json', 'env', 'ipxe', 'grub', 'pxelinux', 'qemu', 'libvirt', 'virt-install', 'xl'])(
  'a plan as %s shows no secret of its arguments',
  async (format) => {
    const { status, text } = await as('viewer')('GET', `/api/v1/guests/web01/plan?as=${format}`)
    expect([status, text]).toEqual([200, expect.not.stringContaining(planted)])
    expect(text).toContain('inst.rootpw')
    expect(text).toContain('***')
    expect(text).toContain('quiet')
  },
)

test('neither does the explanation of a guest', async () => {
  const { text } = await as('viewer')('GET', '/api/v1/guests/web01/explain')
  expect(text).not.toContain(planted)
  expect(text).toContain('inst.rootpw=***')
})
