import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { treebootIn } from '../../support/cli.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
let app: App
const tokens = new Map<string, string>()
const as = (who: string) =>
  asking(
    () => `http://127.0.0.1:${portOf(app)}`,
    () => tokens.get(who) ?? '',
  )

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', httpOnly)
  for (const name of ['undionly.kpxe', 'snponly.efi', 'ipxe.efi'])
    writeBelow(home.path, `tftpboot/${name}`, 'loader')
  app = testApp(home.path)
  await app.start()
  tokens.set('viewer', await makeToken(app, 'viewer'))
  tokens.set('admin', await makeToken(app, 'admin'))
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

describe('the loaders', () => {
  test('are those of the command, and only admins see where they lie', async () => {
    const printed = JSON.parse((await treebootIn(home.path, 'loaders', '--json')).out)
    const forAdmin = await as('admin')('GET', '/api/v1/loaders')
    expect(forAdmin.body).toEqual(printed)
    const { body, text } = await as('viewer')('GET', '/api/v1/loaders')
    expect(body.firmware).toEqual(printed.firmware)
    expect(body.loaders.map(({ place }: { place: string }) => place)).toContain('/undionly.kpxe')
    expect(text).not.toContain(home.path)
  })

  test('are a table, too', async () => {
    const { out } = await treebootIn(home.path, 'loaders')
    expect((await as('admin')('GET', '/api/v1/loaders?as=text')).text).toBe(out)
    const { text } = await as('viewer')('GET', '/api/v1/loaders?as=text')
    expect(text).toMatch(/^tftpboot +undionly\.kpxe +-$/m)
    expect(text).not.toContain(join(home.path, 'tftpboot'))
  })
})

describe('what another DHCP server must say', () => {
  test('names the address and the port that are open now', async () => {
    const { body } = await as('viewer')('GET', '/api/v1/dhcp-config?address=192.0.2.9')
    expect(body).toMatchObject({
      server: '192.0.2.9',
      scriptUrl: `http://192.0.2.9:${portOf(app)}/boot.ipxe`,
    })
    expect(body.notes[0]).toMatch(/tftp\.enabled is false/)
    expect((await as('viewer')('GET', '/api/v1/dhcp-config?address=fe80::1')).body).toMatchObject({
      status: 400,
      detail: expect.stringContaining('link-local'),
    })
  })

  test.each([
    ['dnsmasq', 'dhcp-boot'],
    ['isc', 'option'],
    ['kea', '"client-classes"'],
  ])('as %s reads it', async (server, word) => {
    const { status, headers, text } = await as('viewer')(
      'GET',
      `/api/v1/dhcp-config/${server}?address=192.0.2.9`,
    )
    expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(text).toContain(word)
    expect(text).toContain(`http://192.0.2.9:${portOf(app)}/boot.ipxe`)
  })

  test('is not known for other servers', async () => {
    expect((await as('viewer')('GET', '/api/v1/dhcp-config/other')).status).toBe(404)
  })
})
