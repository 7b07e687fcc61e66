import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join, relative } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiDescription, describeApi } from '../../server/api/openapi.ts'
import { routes } from '../../server/api/routes.ts'
import type { App } from '../../server/app.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { asking, makeToken } from '../support/api.ts'
import { type ApiRequest, anyRequest, type OperationAt, operationsOf } from '../support/api-requests.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { isSearch, seed } from '../support/fuzz.ts'
import { keptFolder, makeTree, writeBelow } from '../support/tree-folder.ts'

/** 2,000 among the tests; the nightly run asks for 100,000. */
const requests = Number(process.env.API_REQUESTS ?? (isSearch ? 20_000 : 2_000))

const config = `${httpOnly}
webhooks: [{ url: 'http://192.0.2.1:9/in', secret: a secret of the receiver }]
profiles:
  base: { args: [quiet] }
guests:
  web01: { mac: "52:54:00:aa:bb:01", profile: base, tree: fedora-40, template: web.ks }
mirrors:
  kept/1: { url: 'http://127.0.0.1:1/kept/' }
`
const description: ApiDescription = describeApi(routes, 'test')
const operations = new Map(operationsOf(description).map((each) => [each.operation.operationId, each]))
/** The operations that were answered with a status below 300. */
const answered = new Set<string>()
const home = keptFolder()
let app: App
let token: string
/** Takes connections, and says nothing. */
const silent = createServer(() => undefined)
let silentUrl: string
const base = () => `http://127.0.0.1:${portOf(app)}`
const ask = asking(base, () => token)

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  silentUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`
  writeBelow(home.path, 'config.yaml', `${config}imports: { allow: '${silentUrl}' }\n`)
  writeBelow(home.path, 'guests.d/file1.yaml', 'mac: 52:54:00:aa:bb:02\n')
  writeBelow(home.path, 'kickstart-templates/web.ks', '{{ report_url }}\n')
  // Versions 1 to 3, of which 3 was replaced long ago.
  let nowMs = Date.now() - 30 * 86_400_000
  const store = new VersionStore(join(home.path, 'trees'), () => nowMs)
  for (const version of ['1', '2', '3']) {
    const staged = join(home.path, 'trees/.treeboot/incoming', version)
    makeTree(staged, { version })
    await store.publish({ id: 'disc', kind: 'folder', path: staged, source: 'test' })
    nowMs += 86_400_000
  }
  await store.rollback('disc', 2)
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'admin')
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
  // Two machines for the inbox.
  for (const mac of ['52:54:00:cc:00:01', '52:54:00:cc:00:02']) await ask('GET', `/boot/by/${mac}/ipxe`)
}, 20_000)

afterAll(async () => {
  await app.stop()
  silent.close()
  home.remove()
})

/** Sends a request, and checks that its response is one that the description names. */
async function check({ operation, method, path, headers, body }: ApiRequest): Promise<number> {
  const {
    status,
    headers: got,
    text,
    body: sent,
  } = await ask(method, path, {
    headers: { ...headers },
    ...(body !== undefined && method !== 'GET' && { body }),
  })
  const row = operations.get(operation)
  const what = `${method} ${path} ${body ?? ''}: ${status} ${text.slice(0, 500)}`
  expect(status, what).not.toBe(500)
  if (status >= 400 && operation !== 'getReadiness') {
    expect(got.get('content-type'), what).toMatch(/^application\/problem\+json/)
    const problem = {
      status,
      type: expect.any(String),
      title: expect.any(String),
      detail: expect.any(String),
    }
    // The answer to HEAD has no body (RFC 9110, 9.3.2).
    if (method === 'HEAD') expect(text, what).toBe('')
    else expect(sent, what).toMatchObject(problem)
  }
  expect(Object.keys(row?.operation.responses ?? {}), what).toContain(String(status))
  const schema = routes.find((each) => each.operation === operation)?.answers[status]?.schema
  // What a schema does not name is left out when it is parsed: so nothing is sent that is not described.
  if (schema && sent !== undefined) expect(schema.parse(sent), what).toEqual(sent)
  if (status < 300) answered.add(operation)
  return status
}

/** Requests that are right: each operation has one that succeeds. */
const right: Record<string, Partial<ApiRequest> | readonly Partial<ApiRequest>[]> = {
  lookUp: { path: '/api/v1/lookup?tree=fedora-40' },
  report: { path: '/api/v1/guests/file1/progress' },
  getMirror: { path: '/api/v1/mirrors/made/1' },
  getMirrorDefinition: { path: '/api/v1/mirrors/made/1/definition' },
  createGuest: { body: '{"name":"made1","definition":{"mac":"52:54:00:aa:bb:03"}}' },
  createProfile: { body: '{"name":"made1","definition":{"inherits":"base"}}' },
  createMirror: { body: '{"name":"made/1","definition":{"url":"http://127.0.0.1:1/x/"}}' },
  putGuestDefinition: { path: '/api/v1/guests/made1/definition', body: '{"mac":"52:54:00:aa:bb:04"}' },
  patchGuestDefinition: { path: '/api/v1/guests/made1/definition', body: '{"ip":"192.0.2.7"}' },
  putProfileDefinition: { path: '/api/v1/profiles/made1/definition', body: '{"args":["text"]}' },
  patchProfileDefinition: { path: '/api/v1/profiles/made1/definition', body: '{"args":null}' },
  putMirrorDefinition: { path: '/api/v1/mirrors/made/1/definition', body: '{"url":"http://127.0.0.1:1/y/"}' },
  patchMirrorDefinition: {
    path: '/api/v1/mirrors/made/1/definition',
    body: '{"url":"http://127.0.0.1:1/z/"}',
  },
  importGuests: {
    path: '/api/v1/imports/guests',
    body: '52:54:00:dd:00:01 imported1\n',
    headers: { 'content-type': 'text/plain' },
  },
  renameGuest: { path: '/api/v1/guests/made1/rename', body: '{"to":"made9"}', headers: { 'If-Match': '*' } },
  renameProfile: {
    path: '/api/v1/profiles/made1/rename',
    body: '{"to":"made9"}',
    headers: { 'If-Match': '*' },
  },
  tryBoot: [
    { path: '/api/v1/guests/web01/try', body: '{"firmware":"direct"}' },
    { path: '/api/v1/guests/web01/try', body: '{"firmware":"direct","vm":true}' },
  ],
  putTemplate: {
    path: '/api/v1/templates/made/1',
    body: 'a\n',
    headers: { 'content-type': 'text/plain', 'If-None-Match': '*' },
  },
  getTemplate: { path: '/api/v1/templates/web.ks' },
  listTemplateVersions: { path: '/api/v1/templates/web.ks/history' },
  lintTemplate: {
    path: '/api/v1/templates/web.ks/lint',
    body: '{{ x }',
    headers: { 'content-type': 'text/plain' },
  },
  previewTemplate: { path: '/api/v1/templates/web.ks/preview?guest=web01' },
  reviewTemplate: {
    path: '/api/v1/templates/web.ks/review',
    body: 'b',
    headers: { 'content-type': 'text/plain' },
  },
  renameTemplate: {
    path: '/api/v1/templates/made/1/rename',
    body: '{"to":"made/9"}',
    headers: { 'If-Match': '*' },
  },
  deleteTemplate: { path: '/api/v1/templates/made/9' },
  adoptMachine: { path: '/api/v1/inbox/52:54:00:cc:00:01/adopt', body: '{"name":"adopted1"}' },
  dropMachine: { path: '/api/v1/inbox/52:54:00:cc:00:02' },
  getDhcpConfig: { path: '/api/v1/dhcp-config/kea' },
  moveMirror: { path: '/api/v1/mirrors/kept/1/move' },
  deleteGuest: { path: '/api/v1/guests/made9' },
  deleteProfile: { path: '/api/v1/profiles/made9' },
  deleteMirror: { path: '/api/v1/mirrors/made/1' },
  createAccount: { body: '{"name":"made1","role":"admin","password":"a long password"}' },
  getAccount: { path: '/api/v1/accounts/made1' },
  patchAccount: { path: '/api/v1/accounts/made1', body: '{"role":"viewer"}' },
  listSessions: { path: '/api/v1/accounts/made1/sessions' },
  deleteSessions: { path: '/api/v1/accounts/made1/sessions' },
  deleteAccount: { path: '/api/v1/accounts/made1' },
  createToken: { body: '{"name":"made1","role":"viewer","scopes":["guests:read"]}' },
  deleteToken: { path: '/api/v1/tokens/made1' },
  signIn: { body: '{"name":"made1","password":"a long password"}' },
  takeBackInstallation: [
    { path: '/api/v1/guests/web01/install' },
    { path: '/api/v1/guests/web01/take-back' },
  ],
  createTusUpload: {
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '1', 'Upload-Metadata': 'filename eA==' },
  },
  putUpload: { path: '/api/v1/uploads/up/images/pxeboot/vmlinuz', body: 'kernel' },
  getUpload: { path: '/api/v1/uploads/up' },
  headUpload: { path: '/api/v1/uploads/up/images/pxeboot/vmlinuz' },
  listDeliveries: { path: '/api/v1/webhooks/1/deliveries' },
  publishUpload: { path: '/api/v1/uploads/whole/publish' },
  createJob: { body: '{"kind":"verify","tree":"disc"}' },
  verifyTree: { path: '/api/v1/trees/fedora-40/verify' },
  bootTestTree: { path: '/api/v1/trees/disc/boot-test', body: '{"firmware":["bios"]}' },
  runMirror: { path: '/api/v1/mirrors/made/1/run' },
  listTreeVersions: { path: '/api/v1/trees/disc/versions' },
  getTreeVersion: { path: '/api/v1/trees/disc/versions/2' },
  rollBackTree: { path: '/api/v1/trees/disc/rollback', body: '{"version":1}' },
  deleteTreeVersion: { path: '/api/v1/trees/disc/versions/3' },
  deleteTree: { path: '/api/v1/trees/disc' },
}

/** A job that waits for a server without words. */
async function openJob(path: string): Promise<number> {
  const json = { kind: 'import', source: `${silentUrl}${path}` }
  return (await ask('POST', '/api/v1/jobs', { json })).body.number
}

/** What a path without a row above is about. */
const usual = { name: 'web01', id: 'fedora-40', path: 'up', report: 'progress', token: '', number: '1' }

function requestsFor(operation: string, method: string, path: string): readonly ApiRequest[] {
  const rows = [right[operation] ?? {}].flat() as readonly Partial<ApiRequest>[]
  return rows.map(({ path: own, headers = {}, body }) => ({
    operation,
    method,
    path:
      own ??
      path
        .replace(/profiles\/\{name\}/, 'profiles/base')
        .replace(/\{(\w+)\}/g, (_, name: keyof typeof usual) => usual[name]),
    headers: {
      ...(['PUT', 'PATCH', 'DELETE'].includes(method) && { 'If-Match': '*' }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body }),
  }))
}

/** What has a secret that works once. */
const oneTime: Readonly<Record<string, () => Promise<Partial<ApiRequest>>>> = {
  async setUp() {
    const { link } = await app.accounts.setupLink({ base: base() })
    return {
      body: JSON.stringify({ secret: link.split('#')[1], name: 'first', password: 'a long password' }),
    }
  },
  async deleteSessionsWithReference() {
    await app.accounts.signIn('first', 'a long password', 'test')
    const [session] = await app.accounts.sessions('first')
    return { path: `/api/v1/accounts/first/sessions/${session?.reference}` }
  },
  async getBoot() {
    const mac = '52:54:00:aa:bb:01'
    app.events.emit({ type: 'dhcp', step: 'offered', client: mac, mac, xid: 1, port: 67, ms: 1 })
    const [boot] = await app.boots.list({ limit: 1 })
    return { path: `/api/v1/boots/${boot?.id}` }
  },
  async getTemplateVersion() {
    const { body } = await ask('GET', '/api/v1/templates/web.ks/history')
    return { path: `/api/v1/templates/web.ks/history/${body.items[0].digest}` }
  },
  async rollBackTemplate() {
    const { body } = await ask('GET', '/api/v1/templates/web.ks/history')
    return {
      path: '/api/v1/templates/web.ks/rollback',
      body: JSON.stringify({ digest: body.items[0].digest }),
      headers: { 'If-Match': '*' },
    }
  },
  async cancelJob() {
    return { path: `/api/v1/jobs/${await openJob('cancel')}/cancel` }
  },
  async pauseJob() {
    return { path: `/api/v1/jobs/${await openJob('pause')}/pause` }
  },
  async startJob() {
    const number = await openJob('start')
    await ask('POST', `/api/v1/jobs/${number}/cancel`)
    return { path: `/api/v1/jobs/${number}/start` }
  },
  async deleteAccountToken() {
    const maker = { kind: 'account', account: 'first', role: 'admin' } as const
    await app.accounts.makeToken(maker, { name: 't', role: 'viewer' })
    return { path: '/api/v1/accounts/first/tokens/t' }
  },
}

/** What makes something comes first, and what removes it last. */
function rankOf({ operation: { operationId } }: OperationAt): number {
  const order = [
    /^create/,
    /^put|signIn/,
    /^(?!delete|publish|signOut|rename)/,
    /^rename/,
    /^publish/,
    /^delete.*(Sessions|Token)/,
    /^delete/,
    /./,
  ]
  return order.findIndex((form) => form.test(operationId))
}

/** A whole tree in the upload area, to be published. */
async function uploadTree(): Promise<void> {
  const tree = join(home.path, 'trees/fedora-40')
  for (const file of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const path = join(file.parentPath, file.name)
    const body = readFileSync(path, 'latin1')
    await ask('PUT', `/api/v1/uploads/whole/${relative(tree, path)}`, { body })
  }
}

describe('the description of the API', () => {
  test('names each operation once, and has a group for each path', () => {
    expect(operations.size).toBe(operationsOf(description).length)
    for (const { operation, path } of operations.values()) {
      expect([path, operation.summary]).toEqual([path, expect.stringMatching(/\w/)])
      expect(description.tags.map(({ name }) => name)).toContain(operation.tags[0])
    }
  })

  test('is served, and so is its page, which loads nothing', async () => {
    const served = await ask('GET', '/api/v1/openapi.json')
    expect(Object.keys(served.body.paths)).toEqual(Object.keys(description.paths))
    const page = await ask('GET', '/api/docs')
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
    for (const id of operations.keys()) expect(page.text).toContain(`id="${id}"`)
    expect(page.text).not.toMatch(/<script|src=|http:|https:/)
  })

  test('has a request for every operation that is answered as described', async () => {
    const ranked = [...operations.values()].sort((a, b) => rankOf(a) - rankOf(b))
    for (const { method, path, operation } of ranked) {
      const { operationId } = operation
      if (operationId === 'publishUpload') await uploadTree()
      if (oneTime[operationId]) right[operationId] = await oneTime[operationId]()
      if (operationId === 'reportWithToken')
        usual.token = (await ask('GET', '/ks/web01')).text.trim().split('/').at(-1) ?? ''
      for (const request of requestsFor(operationId, method, path))
        await check({ ...request, operation: operationId })
    }
    expect([...operations.keys()].filter((id) => !answered.has(id))).toEqual([])
  }, 60_000)

  test('holds for any requests: no fault, and no answer outside of it', async () => {
    const known = ['web01', 'file1', 'base', 'fedora-40', 'made2', 'x', '*', '52:54:00:aa:bb:09']
    await fc.assert(
      fc.asyncProperty(anyRequest(description, known), async (request) => {
        await check(request)
      }),
      { numRuns: requests, seed, interruptAfterTimeLimit: 3_600_000 },
    )
    expect(existsSync(join(home.path, 'guests.d/file1.yaml'))).toBeTypeOf('boolean')
  }, 600_000)
})
