import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { requestLimits } from '../../../server/core/limits/requests.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

const config = `${httpOnly}
profiles:
  base: { args: [quiet] }
guests:
  main: { mac: "52:54:00:aa:bb:01", profile: web }
`
const profile =
  '# for web servers\ninherits: base # quiet\nvars:\n  root_password: $6$salt$hash # secret\n  zone: a\n'
const home = keptFolder()
let app: App
let token: string
const ask = asking(
  () => `http://127.0.0.1:${portOf(app)}`,
  () => token,
)
const fileOf = (name: string) => readFileSync(join(home.path, name), 'utf8')

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'profiles.d/web.yaml', profile)
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'admin')
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

describe('a definition', () => {
  test('is made in a file of its own, is in force at once, and boots its disk unless told', async () => {
    const definition = { mac: '52:54:00:aa:bb:10', profile: 'web' }
    const made = await ask('POST', '/api/v1/guests', { json: { name: 'new1', definition } })
    expect(made).toMatchObject({
      status: 201,
      body: { name: 'new1', where: 'guests.d/new1.yaml', changed: true },
    })
    expect(made.headers.get('location')).toBe('/api/v1/guests/new1/definition')
    expect(fileOf('guests.d/new1.yaml')).toBe('mac: 52:54:00:aa:bb:10\nprofile: web\n')
    expect((await ask('GET', '/api/v1/guests/new1')).body).toMatchObject({ state: 'local' })
    const armed = { name: 'new2', definition: { mac: '52:54:00:aa:bb:11' }, firstBoot: 'install' }
    expect((await ask('POST', '/api/v1/guests', { json: armed })).status).toBe(201)
    expect((await ask('GET', '/api/v1/guests/new2')).body).toMatchObject({ state: 'install' })
    expect((await ask('POST', '/api/v1/guests', { json: armed })).body).toMatchObject({
      status: 409,
      error: 'conflict',
    })
  })

  test('is refused with each key, what was found there and what was expected, as a form needs it', async () => {
    const definition = { mac: 'zz', colour: 'red', vars: { root_password: 'geheim' }, retry: 7 }
    const { status, body } = await ask('POST', '/api/v1/guests', { json: { name: 'wrong', definition } })
    expect(status).toBe(422)
    expect(body.errors).toEqual([
      {
        field: 'guests.wrong.mac',
        where: 'guests.d/wrong.yaml:1:6',
        found: "'zz'",
        expected: expect.any(String),
      },
      { field: 'guests.wrong.colour', where: 'guests.d/wrong.yaml:2:1', expected: expect.any(String) },
      {
        field: 'guests.wrong.retry',
        where: 'guests.d/wrong.yaml:5:8',
        found: '7',
        expected: expect.any(String),
      },
    ])
    const named = await ask('POST', '/api/v1/guests', { json: { name: 'x y', definition } })
    expect(named.body.errors).toEqual([{ field: 'name', found: 'x y', expected: expect.any(String) }])
  })

  test('is refused in the words of treeboot check, and nothing is written', async () => {
    const wrong = { name: 'new3', definition: { mac: '52:54:00:aa:bb:12', profil: 'web' } }
    const { status, headers, body } = await ask('POST', '/api/v1/guests', { json: wrong })
    expect([status, headers.get('content-type')]).toEqual([422, 'application/problem+json; charset=utf-8'])
    expect(body.errors).toEqual([
      {
        field: 'guests.new3.profil',
        where: 'guests.d/new3.yaml:2:1',
        expected: expect.stringContaining('profil'),
      },
    ])
    expect(existsSync(join(home.path, 'guests.d/new3.yaml'))).toBe(false)
    expect((await ask('GET', '/api/v1/guests/new3')).status).toBe(404)
  })

  test('is changed by whoever names its state, also among others', async () => {
    const made = await ask('POST', '/api/v1/guests', {
      json: { name: 'tagged', definition: { mac: '52:54:00:aa:bb:77' } },
    })
    const change = (tag: string, ip: string) =>
      ask('PATCH', '/api/v1/guests/tagged/definition', { json: { ip }, headers: { 'if-match': tag } })
    const tag = made.headers.get('etag') ?? ''
    expect((await change(`"x", W/${tag}`, '192.0.2.77')).status).toBe(409)
    expect((await change(`"x", ${tag}`, '192.0.2.77')).status).toBe(200)
    expect((await change(`${tag}, "x"`, '192.0.2.78')).status).toBe(409)
  })

  test('only tries with dry-run', async () => {
    const json = { name: 'tried', definition: { mac: '52:54:00:aa:bb:13' }, firstBoot: 'install' }
    const tried = await ask('POST', '/api/v1/guests?dry-run', { json })
    expect(tried).toMatchObject({
      status: 200,
      body: { changed: false, difference: '+mac: 52:54:00:aa:bb:13\n' },
    })
    expect(existsSync(join(home.path, 'guests.d/tried.yaml'))).toBe(false)
    expect((await ask('GET', '/api/v1/guests/tried')).status).toBe(404)
  })

  test('shows no secret, and a change keeps secrets, comments and all other bytes', async () => {
    const path = '/api/v1/profiles/web/definition'
    const shown = await ask('GET', path)
    expect(shown.text).not.toContain('$6$')
    expect(shown.body).toMatchObject({ data: { vars: { root_password: '***', zone: 'a' } }, text: null })
    const tag = shown.headers.get('etag') ?? ''
    expect(tag).toBe(shown.body.etag)
    const sent = { ...shown.body.data, vars: { ...shown.body.data.vars, zone: 'b' } }
    const put = await ask('PUT', path, { json: sent, headers: { 'if-match': tag } })
    expect(put).toMatchObject({ status: 200, body: { changed: true } })
    expect(put.text).not.toContain('$6$')
    expect(fileOf('profiles.d/web.yaml')).toBe(profile.replace('zone: a', 'zone: b'))
    const patch = await ask('PATCH', path, {
      body: '{"vars":{"zone":null}}',
      headers: { 'if-match': put.headers.get('etag') ?? '', 'content-type': 'application/merge-patch+json' },
    })
    expect(patch.status).toBe(200)
    expect(fileOf('profiles.d/web.yaml')).toBe(profile.replace('  zone: a\n', ''))
    expect((await ask('GET', '/api/v1/guests/main/settings')).body.items).toContainEqual({
      key: 'vars.root_password',
      value: '***',
      from: expect.stringMatching(/^profiles\.d\/web\.yaml:\d+$/),
    })
  })

  test('is changed only by who names what it changes', async () => {
    const path = '/api/v1/profiles/web/definition'
    const json = { inherits: 'base' }
    expect((await ask('PUT', path, { json })).body).toMatchObject({
      status: 428,
      error: 'precondition-required',
    })
    const old = await ask('PUT', path, { json, headers: { 'if-match': '"of yesterday"' } })
    expect(old.body).toMatchObject({ status: 409, error: 'conflict' })
    expect((await ask('DELETE', '/api/v1/profiles/web')).status).toBe(428)
  })

  test('of config.yaml is shown, and belongs to people', async () => {
    const { body } = await ask('GET', '/api/v1/guests/main/definition')
    expect(body).toMatchObject({
      where: 'config.yaml:11',
      etag: null,
      readOnly: expect.stringContaining('config.yaml'),
    })
    const headers = { 'if-match': '*' }
    expect(
      (await ask('PATCH', '/api/v1/guests/main/definition', { json: { ip: null }, headers })).status,
    ).toBe(403)
    expect((await ask('DELETE', '/api/v1/guests/main', { headers })).status).toBe(403)
  })

  test('as YAML is a whole file, and its stars are refused', async () => {
    const path = '/api/v1/guests/new1/definition'
    const headers = { 'if-match': '*', 'content-type': 'application/yaml' }
    const text = '# by hand\nmac: "52:54:00:aa:bb:10"\n'
    expect((await ask('PUT', path, { body: text, headers })).status).toBe(200)
    expect(fileOf('guests.d/new1.yaml')).toBe(text)
    const starred = await ask('PUT', path, { body: `${text}vars: { pw: "***" }\n`, headers })
    expect(starred).toMatchObject({ status: 400, body: { errors: [{ field: 'body' }] } })
    const lost = await ask('PUT', path, { json: { vars: { pw: '***' } }, headers: { 'if-match': '*' } })
    expect(lost).toMatchObject({ status: 400, body: { errors: [{ field: 'vars.pw' }] } })
  })

  test('is removed, and its row stays', async () => {
    const headers = { 'if-match': '*' }
    expect((await ask('DELETE', '/api/v1/guests/new1', { headers })).body).toMatchObject({
      changed: true,
      etag: null,
    })
    expect((await ask('GET', '/api/v1/guests/new1')).status).toBe(404)
    const again = { name: 'new1', definition: { mac: '52:54:00:aa:bb:10' }, firstBoot: 'install' }
    await ask('POST', '/api/v1/guests', { json: again })
    expect((await ask('GET', '/api/v1/guests/new1')).body.state).toBe('local')
  })

  test('of a mirror has slashes in its id', async () => {
    const json = { name: 'fedora/41', definition: { url: 'http://127.0.0.1:1/41/' } }
    expect((await ask('POST', '/api/v1/mirrors', { json })).status).toBe(201)
    for (const id of ['fedora/41', 'fedora%2F41']) {
      expect((await ask('GET', `/api/v1/mirrors/${id}`)).body).toMatchObject({ id: 'fedora/41' })
      expect((await ask('GET', `/api/v1/mirrors/${id}/definition`)).body).toMatchObject({ name: 'fedora/41' })
    }
    expect((await ask('GET', '/api/v1/mirrors')).body).toMatchObject({ total: 1, next: null })
  })

  test.each([
    ['a list', []],
    ['a deep mapping', JSON.parse(`${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`)],
    ['a prototype', JSON.parse('{"vars":{"__proto__":{"x":1}}}')],
  ])('of %s is no mapping of keys', async (_, definition) => {
    const { body } = await ask('POST', '/api/v1/guests', { json: { name: 'odd', definition } })
    expect(body).toMatchObject({ status: 400, errors: [{ field: 'body.definition' }] })
  })
})

test('a definition of 5,000 values and 128 KiB is read, and a larger one is refused', async () => {
  const { bytes, entries } = requestLimits.definitionBody
  const send = (values: number, more = '') => {
    // Two of the values are `vars` and its list.
    const definition = {
      mac: '52:54:00:aa:bb:30',
      vars: { list: Array.from({ length: values - 3 }, () => 1) },
    }
    const text = JSON.stringify({ name: 'large', definition })
    return ask('POST', '/api/v1/guests?dry-run', {
      body: text + more.padEnd(Math.max(more.length, more === '' ? 0 : bytes - text.length)),
      headers: { 'content-type': 'application/json' },
    })
  }
  expect((await send(entries)).status).toBe(200)
  expect((await send(entries + 1)).body).toMatchObject({
    status: 400,
    errors: [{ field: 'body.definition' }],
  })
  const many = await ask('PUT', '/api/v1/profiles/web/definition', {
    body: `vars: { list: [${'1,'.repeat(entries)}1] }\n`,
    headers: { 'content-type': 'application/yaml', 'if-match': '*' },
  })
  expect(many.body).toMatchObject({ status: 400, errors: [{ field: 'body' }] })
  expect((await send(10, ' ')).status).toBe(200)
  const long = await ask('POST', '/api/v1/guests?dry-run', {
    body: ' '.repeat(bytes + 1),
    headers: { 'content-type': 'application/json' },
  })
  expect(long.body).toMatchObject({ status: 413, error: 'too-large' })
})

test('a second request with the same Idempotency-Key gets the first response', async () => {
  const json = { name: 'once', definition: { mac: '52:54:00:aa:bb:20' } }
  const headers = { 'idempotency-key': 'k1' }
  const [first, second] = await Promise.all(
    [1, 2].map(() => ask('POST', '/api/v1/guests', { json, headers })),
  )
  expect([first?.status, second?.status]).toEqual([201, 201])
  expect(second?.text).toBe(first?.text)
  const other = await ask('POST', '/api/v1/guests', { json: { ...json, name: 'twice' }, headers })
  expect(other.status).toBe(409)
})

test('profiles say who inherits them', async () => {
  const { body } = await ask('GET', '/api/v1/profiles?sort=-guests')
  expect(body.items[0]).toMatchObject({
    name: 'web',
    guests: 1,
    inherits: ['base'],
    where: 'profiles.d/web.yaml',
  })
  expect((await ask('GET', '/api/v1/profiles/web/settings')).body.items).toContainEqual({
    key: 'args',
    value: 'quiet',
    from: expect.stringMatching(/^config\.yaml:/),
  })
})

test('no viewer sees a secret by a comment, a removed argument or a mistake', async () => {
  const profile = 'vars: { root_pass: MARKED }\nargs: [rootpw=MARKED, "url=http://u:MARKED@h/"]\n'
  writeBelow(home.path, 'profiles.d/marked.yaml', profile)
  const texts = {
    m1: '# the password was MARKED\nprofile: marked\nargs: ["-rootpw=MARKED"]\n',
    m2: 'args: ["rootpw=MARKED 2"]\n',
    m3: 'args: "x=http://u:MARKED@h/ y"\n',
    m4: 'vars: { root_password: *MARKED }\n',
    m5: 'vars: { root_password: !MARKED x }\n',
    m6: '%MARKED\n---\nvars: {}\n',
    m8: '# the password was MARKED\nprofile: marked\n',
  }
  for (const [name, text] of Object.entries(texts)) writeBelow(home.path, `guests.d/${name}.yaml`, text)
  writeBelow(home.path, 'mirrors.d/m7.yaml', 'url: htps://u:MARKED@h/\n')
  await app.reload()
  const viewer = await makeToken(app, 'viewer')
  const see = asking(
    () => `http://127.0.0.1:${portOf(app)}`,
    () => viewer,
  )
  const problems = await see('GET', '/api/v1/problems')
  const where = problems.body.items.map((each: { where: string }) => each.where.split(':')[0])
  for (const name of ['m2', 'm3', 'm4', 'm5', 'm6']) expect(where).toContain(`guests.d/${name}.yaml`)
  const seen = [
    problems,
    await see('GET', '/api/v1/profiles'),
    await see('GET', '/api/v1/mirrors/m7/definition'),
  ]
  for (const name of Object.keys(texts))
    for (const part of ['definition', 'settings', 'explain'])
      seen.push(await see('GET', `/api/v1/guests/${name}/${part}`))
  const path = '/api/v1/guests/m1/definition'
  for (const json of [{ vars: { root_pass: 'MARKED***' } }, { args: ['rootpw=MARKED x'] }])
    seen.push(await ask('PATCH', path, { json, headers: { 'if-match': '*' } }))
  const gone = await ask('DELETE', '/api/v1/guests/m8?dry-run=1', { headers: { 'if-match': '*' } })
  expect(gone).toMatchObject({ status: 200, body: { difference: '-profile: marked\n' } })
  for (const { text } of seen) expect(text).not.toContain('MARKED')
})

test('a change of several files that stopped is a problem that the server tells, until it is whole', async () => {
  const where = 'profiles.d/web.yaml'
  const step = {
    kind: 'profile',
    name: 'web',
    where,
    path: join(home.path, where),
    before: null,
    after: null,
  }
  const set = {
    version: 1,
    config: join(home.path, 'config.yaml'),
    what: 'profile web goes',
    remedy: 'rm it',
    steps: [step],
  }
  const note = join(home.path, 'data/definitions-stopped.json')
  writeFileSync(note, JSON.stringify(set))
  const told = async () =>
    (await ask('GET', '/api/v1/problems')).body.items.filter((each: { where: string }) =>
      /web\.yaml|stopped/.test(each.where),
    )
  expect(await told()).toEqual([
    expect.objectContaining({
      severity: 'warning',
      where: expect.stringContaining(where),
      message: expect.stringContaining('in part'),
    }),
  ])
  rmSync(note)
  expect(await told()).toEqual([])
})
