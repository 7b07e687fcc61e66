import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { RawFtp } from '../../support/ftp.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { imagesOfTree, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

async function serving() {
  const cwd = temporaryFolder()
  mkdirSync(join(cwd, 'trees'))
  writeFileSync(
    join(cwd, 'config.yaml'),
    'server: { bind: 127.0.0.1 }\nhttp: { port: 0 }\nftp: { port: 0 }\ntftp: { enabled: false }\n',
  )
  const app = testApp(cwd)
  const events: Event[] = []
  app.events.subscribe((event) => events.push(event))
  onTestFinished(() => app.stop())
  await app.start()
  const port = (name: 'http' | 'ftp') => portOf(app, name)
  const token = readFileSync(join(cwd, 'data/admin-token'), 'utf8').trim()
  const base = `http://127.0.0.1:${port('http')}`
  const api = (
    method: string,
    path: string,
    init: { body?: string; headers?: Record<string, string> } = {},
  ) =>
    fetch(`${base}/api/v1/uploads/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
      ...(init.body !== undefined && { body: init.body }),
    })
  return { cwd, app, events, base, api, token, port, trees: join(cwd, 'trees') }
}

const said = async (answer: Response) =>
  (await answer.json()) as { outcome?: string; message?: string; lines?: string[]; items?: unknown[] }

const treeFiles = (version = '40') => ({
  ...imagesOfTree({ version }),
  '.treeinfo': treeinfoText({ version }),
})

test('a tree that is put file by file is invisible until it is verified and published, and offered then', async () => {
  const { api, base, app, trees } = await serving()
  for (const [path, body] of Object.entries(treeFiles())) {
    const answer = await api('PUT', `fedora-40/${path}`, { body })
    expect(answer.status).toBe(201)
  }
  expect((await fetch(`${base}/trees/.treeboot/incoming/uploads/fedora-40/.treeinfo`)).status).toBe(404)
  expect(await (await fetch(`${base}/trees/`)).text()).not.toContain('treeboot/')
  expect((await fetch(`${base}/trees/fedora-40/.treeinfo`)).status).toBe(404)
  const answer = await api('POST', 'fedora-40/publish')
  // The tree is offered before the response is sent.
  expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready')
  expect(await answer.json()).toEqual({
    outcome: 'published',
    lines: [expect.stringMatching(/^fedora-40: .*version 1.* 4 files/)],
  })
  expect(await (await fetch(`${base}/trees/fedora-40/images/pxeboot/vmlinuz`)).text()).toBe('kernel of 40\n')
  expect((await said(await api('GET', ''))).items).toEqual([])
  expect(existsSync(join(trees, '.treeboot/incoming/uploads/fedora-40'))).toBe(false)
})

test('only the administrator may look or write', async () => {
  const { base, token } = await serving()
  const url = `${base}/api/v1/uploads/x/y`
  const status = async (authorization: string | undefined, method = 'PUT') =>
    (await fetch(url, { method, body: 'z', ...(authorization && { headers: { authorization } }) })).status
  expect(await status(undefined)).toBe(401)
  expect(await status('Bearer wrong-token-wrong-token')).toBe(401)
  const basic = (user: string) => `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`
  expect(await status(basic('root'))).toBe(401)
  expect(await status(basic('admin'))).toBe(201)
})

test('a wrong checksum or a cut connection keeps the tree from being published, and the response says why', async () => {
  const { api, port, token, trees } = await serving()
  for (const [path, body] of Object.entries(treeFiles())) await api('PUT', `fedora/${path}`, { body })
  const wrong = await api('PUT', 'fedora/images/install.img', { body: 'second stage of 99\n' })
  expect(wrong.status).toBe(200)
  const damaged = await api('POST', 'fedora/publish')
  expect(damaged.status).toBe(422)
  expect(await damaged.json()).toMatchObject({
    status: 422,
    outcome: 'refused',
    lines: [expect.stringMatching(/^fedora: images\/install.img is damaged: sha256 is .* \.treeinfo says /)],
  })
  const announced = await api('PUT', 'fedora/images/install.img', {
    body: 'second stage of 40\n',
    headers: { 'repr-digest': `sha-256=:${createHash('sha256').update('other').digest('base64')}:` },
  })
  expect(announced.status).toBe(422)
  expect((await said(announced)).message).toContain('wrong checksum: found sha256')

  // The connection breaks after 6 of the 19 bytes of `second stage of 40\n`.
  await new Promise<void>((resolve) => {
    const socket = connect(port('http'), '127.0.0.1', () => {
      const head = `PUT /api/v1/uploads/fedora/images/install.img HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 19\r\n\r\n`
      socket.write(`${head}second`, () => setTimeout(() => socket.destroy(), 100))
    })
    socket.on('close', () => resolve())
  })
  await eventually(async () =>
    expect((await api('HEAD', 'fedora/images/install.img')).headers.get('upload-offset')).toBe('6'),
  )
  await eventually(async () => {
    const cut = await said(await api('POST', 'fedora/publish'))
    expect(cut.lines).toEqual([
      expect.stringMatching(/^fedora\/images\/install\.img was cut off after 6 bytes/),
    ])
  })
  expect(await said(await api('GET', 'fedora'))).toMatchObject({
    state: 'refused',
    partial: ['fedora/images/install.img'],
  })
  expect(existsSync(join(trees, 'fedora'))).toBe(false)

  const rest = await api('PUT', 'fedora/images/install.img', {
    body: ' stage of 40\n',
    headers: { 'content-range': 'bytes 6-18/19' },
  })
  expect(rest.status).toBe(200)
  expect((await said(await api('POST', 'fedora/publish'))).outcome).toBe('published')
})

test('a folder without a tree is refused; faults can be accepted, and that is recorded', async () => {
  const { api, app } = await serving()
  await api('PUT', 'junk/readme', { body: 'hello' })
  expect((await said(await api('POST', 'junk/publish'))).lines).toEqual([
    expect.stringMatching(/^\/junk .*\.treeinfo.*disc image/),
  ])
  expect((await api('DELETE', 'junk')).status).toBe(204)
  for (const [path, body] of Object.entries(treeFiles())) await api('PUT', `own/${path}`, { body })
  await api('PUT', 'own/images/pxeboot/vmlinuz', { body: 'my kernel' })
  expect((await api('POST', 'own/publish')).status).toBe(422)
  expect((await api('POST', 'own/publish?accept=my%20own%20kernel')).status).toBe(200)
  expect(app.snapshot().trees.byId('own')?.state).toBe('ready')
  expect(
    app
      .snapshot()
      .trees.byId('own')
      ?.problems.map(({ message }) => message)
      .join(),
  ).toContain('my own kernel')
})

test('tus: an upload is created and resumed, and a damaged piece is refused with 460', async () => {
  const { api, base } = await serving()
  const tus = { 'tus-resumable': '1.0.0' }
  const pieces = { ...tus, 'content-type': 'application/offset+octet-stream' }
  for (const [path, body] of Object.entries(treeFiles())) {
    const created = await api('POST', 'tus', {
      headers: {
        ...tus,
        'upload-length': String(body.length),
        'upload-metadata': `relativePath ${Buffer.from(`f40/${path}`).toString('base64')},filetype`,
      },
    })
    expect(created.status).toBe(201)
    const place = (created.headers.get('location') ?? '').replace('/api/v1/uploads/', '')
    const first = await api('PATCH', place, {
      body: body.slice(0, 5),
      headers: { ...pieces, 'upload-offset': '0' },
    })
    expect([first.status, first.headers.get('upload-offset')]).toEqual([204, '5'])
    const wrongPlace = await api('PATCH', place, { body: 'x', headers: { ...pieces, 'upload-offset': '3' } })
    expect(wrongPlace.status).toBe(409)
    const damaged = await api('PATCH', place, {
      body: 'junk',
      headers: {
        ...pieces,
        'upload-offset': '5',
        'upload-checksum': `sha1 ${Buffer.alloc(20).toString('base64')}`,
      },
    })
    expect(damaged.status).toBe(460)
    const head = await api('HEAD', place, { headers: tus })
    expect([head.headers.get('upload-offset'), head.headers.get('upload-length')]).toEqual([
      '5',
      String(body.length),
    ])
    const last = await api('PATCH', place, {
      body: body.slice(5),
      headers: { ...pieces, 'upload-offset': '5' },
    })
    expect(last.headers.get('upload-offset')).toBe(String(body.length))
  }
  expect((await api('POST', 'tus', { headers: { 'upload-length': '1' } })).status).toBe(412)
  expect((await said(await api('POST', 'f40/publish'))).outcome).toBe('published')
  expect((await fetch(`${base}/trees/f40/.treeinfo`)).status).toBe(200)
})

test('FTP: the user admin with the token uploads by STOR and publishes by SITE PUBLISH', async () => {
  const { port, token, base } = await serving()
  const stranger = await RawFtp.open(port('ftp'))
  await stranger.reply()
  await stranger.ask('USER admin')
  expect((await stranger.ask('PASS guess')).code).toBe(530)
  const admin = await RawFtp.login(port('ftp'), 'admin', token)
  for (const folder of ['f41', 'f41/images', 'f41/images/pxeboot'])
    expect((await admin.ask(`MKD /incoming/${folder}`)).code).toBe(257)
  for (const [path, body] of Object.entries(treeFiles('41')))
    expect((await admin.put(`STOR /incoming/f41/${path}`, Buffer.from(body))).code).toBe(226)
  expect((await admin.ask('SITE PUBLISH /incoming/f41')).code).toBe(250)
  expect(await (await fetch(`${base}/trees/f41/images/pxeboot/vmlinuz`)).text()).toBe('kernel of 41\n')
})

test('a HEAD gives the size of an uploaded file, also at the top of the area', async () => {
  const { api } = await serving()
  await api('PUT', 'some.iso', { body: 'x'.repeat(1000) })
  const answer = await api('HEAD', 'some.iso')
  expect([answer.status, answer.headers.get('upload-offset')]).toEqual([200, '1000'])
})

test('a name that is too long is refused, and does not keep its tree from being published', async () => {
  const { api } = await serving()
  for (const [path, body] of Object.entries(treeFiles())) await api('PUT', `f40/${path}`, { body })
  expect((await api('PUT', `f40/${'n'.repeat(300)}`, { body: 'x' })).status).toBe(400)
  expect(await said(await api('POST', 'f40/publish'))).toMatchObject({ outcome: 'published' })
})

test('an image is published, whatever lies beside it', async () => {
  const { api } = await serving()
  await api('PUT', '.treeinfo', { body: treeinfoText({ version: '39' }) })
  const files = treeFiles()
  const image = writeIso({ files }).bytes
  // `api` is typed for texts; `fetch` sends bytes as they are.
  await api('PUT', 'f40.iso', { body: image as unknown as string })
  expect(await said(await api('POST', 'f40.iso/publish'))).toMatchObject({ outcome: 'published' })
})
