import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { ApiClient } from '../../../server/cli/remote/client.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const planted = 'planted-secret'
const config = `${httpOnly}
profiles:
  web: { tree: fedora-40, template: web.ks, vars: { rootpw: ${planted} } }
guests:
  web01: { mac: "52:54:00:aa:bb:01", profile: web }
  web02: { mac: "52:54:00:aa:bb:02", profile: web }
  odd: { mac: "52:54:00:aa:bb:03", profile: web, vars: { zone: b } }
  db: { mac: "52:54:00:aa:bb:04", tree: fedora-40, template: db.ks }
`
const web = "name {{ guest.name }}\nrootpw {{ rootpw }}\n{% include 'snippets/disk' %}\n"
const hash = '$6$saltsalt$0123456789abcdefghij'
const home = keptFolder()
let app: App
const tokens = new Map<string, string>()
const base = () => `http://127.0.0.1:${portOf(app)}`
const as = (who: string) => asking(base, () => tokens.get(who) ?? '')
const plain = { 'content-type': 'text/plain' }
const send = (method: string, path: string, body: string, headers: Record<string, string> = {}) =>
  as('writer')(method, `/api/v1/templates/${path}`, { body, headers: { ...plain, ...headers } })
const fileOf = (name: string) => readFileSync(join(home.path, 'kickstart-templates', name), 'utf8')

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', web)
  writeBelow(home.path, 'kickstart-templates/db.ks', `rootpw --iscrypted ${hash}\n`)
  writeBelow(home.path, 'kickstart-templates/snippets/disk', 'autopart\n')
  app = testApp(home.path)
  await app.start()
  tokens.set('viewer', await makeToken(app, 'viewer'))
  tokens.set('writer', await makeToken(app, 'operator', 'templates:write'))
  tokens.set('admin', await makeToken(app, 'admin'))
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

describe('templates', () => {
  test('are listed with the guests that have each', async () => {
    const { body } = await as('viewer')('GET', '/api/v1/templates?sort=-guests')
    expect(body.items.map(({ name, guests }: { name: string; guests: number }) => [name, guests])).toEqual([
      ['web.ks', 3],
      ['db.ks', 1],
      ['snippets/disk', 0],
    ])
    expect(body.items[0]).toMatchObject({
      where: 'kickstart-templates/web.ks',
      bytes: web.length,
      readOnly: null,
    })
  })

  test('are read as they are by who may write them', async () => {
    const { text, headers } = await as('viewer')('GET', '/api/v1/templates/web.ks')
    expect([text, headers.get('etag')]).toEqual([web, expect.stringMatching(/^"[0-9a-f]{64}"$/)])
    expect((await as('viewer')('GET', '/api/v1/templates/db.ks')).text).toBe('rootpw --iscrypted ***\n')
    expect((await as('writer')('GET', '/api/v1/templates/db.ks')).text).toContain(hash)
    expect((await as('viewer')('GET', '/api/v1/templates/snippets%2Fdisk')).text).toBe('autopart\n')
    for (const none of ['nope', '..%2Fconfig.yaml', 'snippets'])
      expect((await as('viewer')('GET', `/api/v1/templates/${none}`)).status).toBe(404)
  })

  test('are made and changed only by who says what is there, and are in force at once', async () => {
    expect((await send('PUT', 'snippets/motd', 'echo a\n')).status).toBe(404)
    const made = await send('PUT', 'snippets/motd', 'echo a\n', { 'if-none-match': '*' })
    expect(made).toMatchObject({
      status: 201,
      body: { changed: true, difference: '+echo a\n', problems: [] },
    })
    expect(app.snapshot().templates.get('snippets/motd')).toBe('echo a\n')
    expect((await send('PUT', 'snippets/motd', 'b\n', { 'if-none-match': '*' })).status).toBe(409)
    expect((await send('PUT', 'snippets/motd', 'b\n')).status).toBe(428)
    expect((await send('PUT', 'snippets/motd', 'b\n', { 'if-match': '"x"' })).status).toBe(409)
    const tag = made.headers.get('etag') ?? ''
    const tried = await send('PUT', 'snippets/motd?dry-run', 'b\n', { 'if-match': tag })
    expect(tried.body).toMatchObject({ changed: false, difference: '-echo a\n+b\n' })
    expect(fileOf('snippets/motd')).toBe('echo a\n')
    expect((await send('PUT', 'snippets/motd', 'b\n', { 'if-match': tag })).body.changed).toBe(true)
    expect(fileOf('snippets/motd')).toBe('b\n')
    expect((await as('admin')('GET', '/api/v1/audit?limit=1')).body.items[0]).toMatchObject({
      action: 'templates.change',
      target: 'snippets/motd',
      after: { difference: '-echo a\n+b\n' },
    })
  })

  test('have a history, whoever changes them, and an earlier content comes back as any change', async () => {
    await send('PUT', 'history.ks', 'one\n', { 'if-none-match': '*' })
    writeFileSync(join(home.path, 'kickstart-templates/history.ks'), 'two\n')
    await eventually(() => expect(app.snapshot().templates.get('history.ks')).toBe('two\n'))
    const list = async () => (await as('viewer')('GET', '/api/v1/templates/history.ks/history')).body.items
    const [two, one] = await list()
    expect([two, one]).toMatchObject([
      { by: null, bytes: 4, current: true },
      { by: expect.any(String), bytes: 4, current: false },
    ])
    const old = await as('viewer')('GET', `/api/v1/templates/history.ks/history/${one.digest}`)
    expect(old.text).toBe('one\n')
    const back = (by: string, headers = {}) =>
      as(by)('POST', '/api/v1/templates/history.ks/rollback', { json: { digest: one.digest }, headers })
    expect((await back('viewer', { 'if-match': '*' })).status).toBe(403)
    expect((await back('writer')).status).toBe(428)
    expect((await back('writer', { 'if-match': '*' })).body).toMatchObject({
      changed: true,
      difference: '-two\n+one\n',
    })
    expect(fileOf('history.ks')).toBe('one\n')
    expect(await list()).toHaveLength(3)
    await send('DELETE', 'history.ks', '', { 'if-match': '*' })
    expect((await list())[0]).toMatchObject({ digest: null, current: false })
    expect((await as('viewer')('GET', '/api/v1/templates/never/history')).status).toBe(404)
    expect((await as('viewer')('GET', `/api/v1/templates/web.ks/history/${one.digest}`)).status).toBe(404)
  })

  test('may be called as a path of the API ends, and are read where their slashes are escaped', async () => {
    await send('PUT', 'x/history', 'one\n', { 'if-none-match': '*' })
    await send('PUT', 'x/lint', 'two\n', { 'if-none-match': '*' })
    const client = new ApiClient({
      url: base(),
      credentials: { token: tokens.get('viewer') ?? '', from: 'a test' },
    })
    for (const [name, text] of [
      ['x/history', 'one\n'],
      ['x/lint', 'two\n'],
    ] as const) {
      const path = `/api/v1/templates/${encodeURIComponent(name)}`
      expect((await as('viewer')('GET', path)).text).toBe(text)
      expect((await as('viewer')('GET', `${path}/history`)).body.items).toHaveLength(1)
      expect(await client.call('getTemplate', { params: { name } })).toBe(text)
    }
    const { body } = await as('viewer')('GET', '/api/v1/templates/x/history')
    expect(body.detail).toContain('template x/history is at /api/v1/templates/x%2Fhistory')
    for (const name of ['x%2Fhistory', 'x%2Flint']) await send('DELETE', name, '', { 'if-match': '*' })
  })

  test('are UTF-8, in which U+FFFD is a character like any other', async () => {
    const headers = { ...plain, 'if-none-match': '*' }
    const put = (bytes: Uint8Array) =>
      as('writer')('PUT', '/api/v1/templates/odd.ks', { body: new Uint8Array(bytes), headers })
    expect((await put(Buffer.from('# Köln\n', 'latin1'))).status).toBe(400)
    expect((await put(Buffer.from('# \ufffd Köln\n'))).status).toBe(201)
    expect(fileOf('odd.ks')).toBe('# \ufffd Köln\n')
    await send('DELETE', 'odd.ks', '', { 'if-match': '*' })
  })

  test.each(['../x', '.hidden', 'a/../../x', 'a b', 'x~'])('are not made as %j', async (name) => {
    const path = name.split('/').map(encodeURIComponent).join('%2F')
    expect((await send('PUT', path, 'a\n', { 'if-none-match': '*' })).status).toBe(400)
  })

  test('are texts in UTF-8', async () => {
    const path = `${base()}/api/v1/templates/bytes`
    const headers = { authorization: `Bearer ${tokens.get('writer')}`, 'if-none-match': '*', ...plain }
    const put = (body: Uint8Array<ArrayBuffer>) => fetch(path, { method: 'PUT', headers, body })
    expect((await put(Uint8Array.of(0x61, 0xff))).status).toBe(400)
    expect((await put(Uint8Array.of(0x61, 0))).status).toBe(400)
    expect((await put(new Uint8Array(2 ** 20 + 1))).status).toBe(413)
    expect(existsSync(join(home.path, 'kickstart-templates/bytes'))).toBe(false)
  })

  test('that break guests are saved with a reason alone, which is kept', async () => {
    const broken = `${web}{{ nope }}\n`
    const refused = await send('PUT', 'web.ks', broken, { 'if-match': '*' })
    expect(refused).toMatchObject({ status: 422 })
    expect(refused.body.errors[0].expected).toMatch(/guest web01 and 2 more cannot be installed/)
    expect(refused.text).not.toContain(planted)
    expect(fileOf('web.ks')).toBe(web)
    const saved = await send('PUT', 'web.ks?reason=the+var+comes+next', broken, { 'if-match': '*' })
    expect(saved.body).toMatchObject({ changed: true, problems: [{ severity: 'error' }] })
    expect(readFileSync(join(home.path, 'data/template-reasons.json'), 'utf8')).toContain(
      'the var comes next',
    )
    expect((await send('PUT', 'web.ks', web, { 'if-match': '*' })).body.problems).toEqual([])
  })

  test('that are named stay, or another one takes their place', async () => {
    const used = await send('DELETE', 'snippets/disk', '', { 'if-match': '*' })
    expect(used.body).toMatchObject({ status: 409, errors: [{ found: 'template web.ks' }] })
    const replaced = await send('DELETE', 'snippets/disk?replace-by=snippets/motd', '', { 'if-match': '*' })
    expect(replaced.body).toMatchObject({ changed: true, others: [{ where: 'kickstart-templates/web.ks' }] })
    expect(fileOf('web.ks')).toContain("include 'snippets/motd'")
  })

  test('get another name in all that name them', async () => {
    const rename = (query = '') =>
      as('writer')('POST', `/api/v1/templates/snippets/motd/rename${query}`, {
        json: { to: 'snippets/disk' },
        headers: { 'if-match': '*' },
      })
    expect((await rename('?dry-run')).body).toMatchObject({ name: 'snippets/disk', changed: false })
    expect(fileOf('web.ks')).toContain("include 'snippets/motd'")
    expect((await rename()).body).toMatchObject({ name: 'snippets/disk', changed: true })
    expect(fileOf('web.ks')).toBe(web)
    expect(app.snapshot().templates.get('web.ks')).toBe(web)
  })

  test('are nobody else’s to write', async () => {
    const headers = { ...plain, 'if-match': '*' }
    for (const [method, path] of [
      ['PUT', 'web.ks'],
      ['DELETE', 'web.ks'],
      ['POST', 'web.ks/preview?guest=web01'],
    ] as const)
      expect((await as('viewer')(method, `/api/v1/templates/${path}`, { body: 'x', headers })).status).toBe(
        403,
      )
  })
})

describe('a text that is not saved', () => {
  test('is told what is wrong with it', async () => {
    const { body } = await send('POST', 'new.ks/lint', "a\n{% include 'nope' %}\n{{ x | noflt }}\n")
    expect(
      body.items.map(({ line, severity }: { line: number; severity: string }) => [line, severity]),
    ).toEqual([
      [2, 'error'],
      [3, 'error'],
    ])
    expect((await send('POST', 'new.ks/lint', 'fine\n')).body.items).toEqual([])
  })

  test('is shown as a guest would get it, without its secrets', async () => {
    const text = '{{ guest.name }} {{ rootpw | b64encode }} {{ rootpw }}\n'
    const { status, text: shown } = await send('POST', 'new.ks/preview?guest=web01', text)
    expect([status, shown]).toEqual([200, 'web01 ***\n'])
    expect((await send('POST', 'web.ks/preview?guest=web02', '')).text).toContain('name web02\nrootpw ***\n')
    expect((await send('POST', 'new.ks/preview?guest=web01', '{{ nope }}')).status).toBe(422)
    expect((await send('POST', 'new.ks/preview?guest=nobody', 'x')).status).toBe(404)
    expect(app.snapshot().templates.has('new.ks')).toBe(false)
  })

  test('is reviewed: which guests it breaks, and each difference once', async () => {
    const text = `${web}{% if zone == "b" %}{{ 1 / (0 if rootpw else 1) }}{{ nope }}{% else %}new {{ rootpw }}{% endif %}\n`
    const { body, text: said } = await send(
      'POST',
      'web.ks/review',
      text.replace('zone ==', '(zone | default("")) =='),
    )
    expect(body).toMatchObject({ concerned: 3, reviewed: 3, untouched: 0, unknown: [] })
    expect(body.broken).toEqual([{ why: expect.any(String), guests: ['odd'], already: false }])
    expect(body.touched).toEqual([
      { difference: expect.stringContaining('+new ***\n'), guests: ['web01', 'web02'] },
    ])
    expect(said).not.toContain(planted)
    const same = await send('POST', 'web.ks/review', `{# a comment #}${web}`)
    expect(same.body).toMatchObject({ concerned: 3, untouched: 3, broken: [], touched: [] })
    const secret = await send('POST', 'web.ks/review', web.replace('{{ rootpw }}', '{{ rootpw | reverse }}'))
    expect(secret.body.touched).toEqual([{ difference: '', guests: ['web01', 'web02', 'odd'] }])
    expect(fileOf('web.ks')).toBe(web)
  })

  test('that never ends harms no machine', async () => {
    const text = '{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}'
    const { status, body } = await send('POST', 'web.ks/preview?guest=web01', text)
    expect([status, body.error]).toEqual([
      expect.any(Number),
      expect.stringMatching(/invalid-data|unavailable/),
    ])
    expect((await as('viewer')('GET', '/ks/web01')).text).toContain(planted)
  }, 30_000)
})
