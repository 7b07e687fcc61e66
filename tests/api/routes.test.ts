import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import request from 'supertest'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { isAppPath, routes } from '../../server/api/routes.ts'
import type { App } from '../../server/app.ts'
import { requestLimits } from '../../server/core/limits/requests.ts'
import { cleanPath } from '../../server/files/path.ts'
import { makeToken } from '../support/api.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { keptFolder, makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const config = `${httpOnly}
guests:
  web01: { mac: "52:54:00:aa:bb:01", tree: old/fedora-40, template: web.ks, vars: { password: secret } }
`
const home = keptFolder()
let app: App
let base: string
let token: string

beforeAll(async () => {
  makeTree(join(home.path, 'trees/old/fedora-40'), { version: '40' })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', 'text\n')
  app = testApp(home.path)
  await app.start()
  base = `http://127.0.0.1:${portOf(app)}`
  token = await makeToken(app, 'operator')
  await eventually(() => expect(app.snapshot().trees.byId('old/fedora-40')?.state).toBe('ready'), 15_000)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

describe('the route table', () => {
  test('has no row twice', () => {
    const keys = routes.map(({ method, path }) => `${method} ${path}`)
    expect(new Set(keys).size).toBe(keys.length)
  })

  test.each(routes.filter(({ params }) => params).map((each) => [`${each.method} ${each.path}`, each]))(
    '%s reads the parameters of its path',
    (_name, { path, params }) => {
      const inPath = [...path.matchAll(/[:*](\w+)/g)].map((match) => match[1])
      expect(Object.keys(params?.shape ?? {})).toEqual(inPath)
    },
  )

  test('says which paths are not of the namespace', () => {
    for (const path of ['/', '/healthz', '/metrics', '/api', '/api/v1/trees', '/api/nothing'])
      expect([path, isAppPath(cleanPath(path))]).toEqual([path, true])
    for (const path of ['/trees', '/ks/web01', '/healthz/x', '/apis'])
      expect([path, isAppPath(cleanPath(path))]).toEqual([path, false])
  })

  test('is listed at /api/v1, with parameters and rights', async () => {
    const { body } = await request(base).get('/api/v1/').expect(200)
    expect(body.paths).toEqual(
      expect.arrayContaining([
        'GET /api/v1/lookup?tree=&distro=&version=&variant=&arch=&guest=&mac=&uuid=&virt=&as=',
        'GET /api/v1/trees/<id>  (viewer)',
        'GET /api/v1/guests/<name>/plan?as=  (viewer)',
        'POST /api/v1/guests/<name>/{installing,progress,installed,failed}[/<token>]?message=',
        'POST /api/v1/guests/<name>/install  (operator)',
        'POST /api/v1/uploads/<id>/publish?replace=&accept=  (operator)',
      ]),
    )
  })
})

describe('the API', () => {
  const get = (path: string) => request(base).get(path).auth(token, { type: 'bearer' })

  test('gives a tree whose id has slashes, without its place on the disk', async () => {
    const { body } = await get('/api/v1/trees/old/fedora-40').expect(200)
    expect(body).toMatchObject({ id: 'old/fedora-40', state: 'ready', origin: 'folder' })
    expect(JSON.stringify(body)).not.toContain(home.path)
    expect(Object.values(body.checksums)[0]).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  test('gives a guest without its variables', async () => {
    const { body, text } = await get('/api/v1/guests/web01').expect(200)
    expect(body).toMatchObject({ name: 'web01', state: 'install', since: null, tree: 'old/fedora-40' })
    expect(text).not.toContain('secret')
    const { nextBoot, install, ...summary } = body
    expect(install).toBe(0)
    expect(nextBoot).toEqual({ plan: 'install', why: null })
    expect((await get('/api/v1/guests')).body).toEqual({ items: [summary], total: 1, next: null })
  })

  test('explains a guest, tells its story, lists unknown machines and problems', async () => {
    expect((await get('/api/v1/guests/web01/explain').expect(200)).body.items).toContainEqual(
      expect.objectContaining({ what: 'tree', value: 'old/fedora-40' }),
    )
    for (const path of ['guests/web01/story', 'inbox', 'problems'])
      expect((await get(`/api/v1/${path}`).expect(200)).body).toEqual({ items: [], total: 0, next: null })
  })

  test('tells only who may change something the paths of this machine', async () => {
    const other = temporaryFolder()
    const far = temporaryFolder()
    symlinkSync(far, join(other, 'mirror'))
    writeBelow(other, 'config.yaml', `${config}paths: { trees: mirror }\n`)
    writeBelow(far, 'fedora-40/.treeinfo', 'no tree')
    symlinkSync('/etc', join(far, 'out'))
    const second = testApp(other)
    onTestFinished(() => second.stop())
    await second.start()
    const url = `http://127.0.0.1:${portOf(second)}`
    const shown = await request(url).get('/api/v1/problems').expect(200)
    expect(shown.body.total).toBeGreaterThan(0)
    const page = await request(url).get('/').expect(200)
    for (const text of [shown.text, page.text]) {
      expect(text).not.toContain(other)
      expect(text).not.toContain(far)
    }
    const secret = await makeToken(second, 'operator')
    const whole = await request(url).get('/api/v1/problems').auth('admin', secret).expect(200)
    expect(whole.text).toMatch(/treeboot-test-/)
  })

  test('the front page may run nothing, and no cache may keep an answer file', async () => {
    expect((await get('/').expect(200)).headers['content-security-policy']).toMatch(/^default-src 'none'/)
    for (const answer of [await request(base).head('/ks/web01'), await get('/ks/web01')])
      expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store'])
    expect((await get('/trees/old/fedora-40/.treeinfo')).headers['cache-control']).toBeUndefined()
  })

  test('renders the plan of a guest in each format, JSON unless told', async () => {
    const json = await get('/api/v1/guests/web01/plan').expect(200)
    expect(json.body.kernel.url).toContain('/trees/old/fedora-40/')
    expect((await get('/api/v1/guests/web01/plan?as=').expect(200)).body).toEqual(json.body)
    const script = await get('/api/v1/guests/web01/plan?as=ipxe').expect(200)
    expect(script.text).toMatch(/^#!ipxe/)
    const { body } = await get('/api/v1/guests/web01/plan?as=pdf').expect(400)
    expect(body).toMatchObject({ error: 'bad-request', message: expect.stringContaining('as=pdf') })
    expect(body.message).toContain('virt-install')
  })

  test.each(['/api/v1/guests/nobody', '/api/v1/trees/nothing', '/api/v1/nothing', '/api/v2'])(
    'says that %s is not there',
    async (path) => expect((await get(path).expect(404)).body.error).toBe('not-found'),
  )

  test.each(['/api/v1/guests/%', '/api/v1/trees/%E0%A4%A'])('refuses the broken escape in %s', async (path) =>
    expect((await get(path).expect(400)).status).toBe(400),
  )

  test('takes a report whatever its detail looks like, and refuses one that it does not know', async () => {
    const report = (path: string) => request(base).post(`/api/v1/guests/web01/${path}`)
    await report('progress?message=a&message=b').expect(204)
    await report('progress')
      .send({ detail: { odd: true } })
      .expect(204)
    // More than the 500 characters that are kept.
    await report('progress')
      .send({ detail: 'x'.repeat(600) })
      .expect(204)
    const { body } = await report('exploded').expect(404)
    expect(body.message).toContain('installing, progress, installed, failed')
    await report('progress').set('Content-Type', 'application/json').send('{').expect(400)
    // More than the 16 kB that a body may have.
    await report('progress')
      .send({ detail: 'x'.repeat(20_000) })
      .expect(413)
    await report('installed/guessed').expect(403)
  })

  test.each([
    [
      'cloud-init',
      'pub_key_rsa=ssh-rsa+AAAA&instance_id=i-7&hostname=web01&fqdn=web01.example.org',
      'cloud-init of web01.example.org, instance i-7',
    ],
    ['cloud-init that knows little', 'instance_id=i-8&hostname=N%2FA&fqdn=N%2FA', 'cloud-init, instance i-8'],
    ['curl -d', 'detail=half+done', 'half done'],
  ])('reads the form of %s', async (_name, form, detail) => {
    await request(base).post('/api/v1/guests/web01/progress').type('form').send(form).expect(204)
    expect((await get('/api/v1/guests/web01/story').expect(200)).text).toContain(detail)
  })

  test.each([
    ['no field of ours', 'a=b'],
    ['a broken escape', 'detail=%E0%A4%A'],
    ['no form at all', 'what the installer logged'],
    ['a log of 20 KiB', 'x'.repeat(20_000)],
  ])('takes a report whose form has %s', async (_name, form) => {
    await request(base).post('/api/v1/guests/web01/progress').type('form').send(form).expect(204)
  })

  test('reads a body of 16 KiB, and refuses a longer one, announced or in chunks', async () => {
    const { bytes } = requestLimits.jsonBody
    const post = (body: string | ReadableStream) =>
      fetch(`${base}/api/v1/guests/web01/progress`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        duplex: 'half',
      } as RequestInit)
    const json = JSON.stringify({ detail: 'x' })
    expect((await post(json.padEnd(bytes))).status).toBe(204)
    for (const body of [json.padEnd(bytes + 1), new Blob([json.padEnd(bytes + 1)]).stream()]) {
      const refused = await post(body)
      expect([refused.status, await refused.json()]).toMatchObject([413, { error: 'too-large' }])
    }
  })

  test('keeps the first 500 characters of a detail', async () => {
    const { bytes: most } = requestLimits.reportDetail
    const detail = 'x'.repeat(most)
    for (const sent of [detail, `${detail}y`])
      await request(base).post('/api/v1/guests/web01/progress').send({ detail: sent }).expect(204)
    const { text } = await get('/api/v1/guests/web01/story').expect(200)
    expect(text.split(detail)).toHaveLength(3)
    expect(text).not.toContain('xy')
  })

  test('takes a file of 100 GiB by tus, and refuses a longer one before its first byte', async () => {
    const { bytes: most } = requestLimits.upload
    const tus = (method: 'post' | 'patch' | 'delete', path: string) =>
      request(base)[method](`/api/v1/uploads/tus${path}`).auth('admin', token).set('Tus-Resumable', '1.0.0')
    const create = (length: number) =>
      tus('post', '').set('Upload-Length', String(length)).set('Upload-Metadata', 'filename eA==')
    await create(most + 1).expect(413)
    const { location } = (await create(most).expect(201)).headers
    const append = (length: number) =>
      tus('patch', `/${length}/x`)
        .set({ 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' })
        .send('x')
    // The length is a part of the URL, which a client may change.
    await append(most + 1).expect(413)
    await append(most).expect(204)
    expect(location).toBe(`/api/v1/uploads/tus/${most}/x`)
    await tus('delete', `/${most}/x`).expect(204)
  })

  test('lets only an operator decide about a guest, and no browser opens a dialog', async () => {
    const order = () => request(base).post('/api/v1/guests/web01/local')
    const { body, headers } = await order().expect(401)
    expect(body.error).toBe('unauthenticated')
    expect(headers['www-authenticate']).toMatch(/^Bearer /)
    expect((await order().set('Authorization', `Bearer ${token}`).expect(200)).body.state).toBe('local')
    expect((await get('/api/v1/guests/web01')).body.state).toBe('local')
  })

  test('takes a token as the password of its account, as curl -u sends it, or of admin', async () => {
    const { headers } = await request(base).put('/api/v1/uploads/x').send('x').expect(401)
    expect(headers['www-authenticate']).toMatch(/^Bearer /)
    await request(base).get('/api/v1/uploads').expect(401)
    await request(base).get('/api/v1/uploads').auth('ben', token).expect(401)
    const listed = await request(base).get('/api/v1/uploads').auth('admin', token).expect(200)
    expect(listed.body).toEqual({ items: [], total: 0, next: null })
  })

  test('keeps the name of tus for tus', async () => {
    const put = await request(base).put('/api/v1/uploads/tus/x').auth('admin', token).send('x')
    expect(put.status).toBe(400)
    const abilities = await request(base).options('/api/v1/uploads/tus').auth('admin', token).expect(204)
    expect(abilities.headers['tus-version']).toBe('1.0.0')
    await request(base).post('/api/v1/uploads/tus').auth('admin', token).expect(412)
  })
})

test.each(['http://other.example:99/api/v1/lookup', '/api/v1/lookup/'])(
  'a lookup by %s is one',
  async (path) => {
    const { status, body } = await get(portOf(app), `${path}?guest=web01`)
    expect([status, JSON.parse(body.toString())]).toMatchObject([200, { tree: { id: 'old/fedora-40' } }])
  },
)
