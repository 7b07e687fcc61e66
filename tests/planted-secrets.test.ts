import { readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { describeEvent, logSink } from '../server/events/log.ts'
import { type Ask, asking, makeToken } from './support/api.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { treebootIn } from './support/cli.ts'
import { StreamClient } from './support/event-stream.ts'
import { eventually } from './support/eventually.ts'
import { cellsOf, filesBelow, found, planted } from './support/planted-secrets.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/**
 * Secrets are planted wherever people put them, everything is done that the server can do, and then all that it has said and
 * written is searched for them.
 */

const services = httpOnly
  .replace(/(t?ftp): { enabled: false }/g, '$1: { port: 0 }')
  .replace(
    'anonymous: viewer',
    `anonymous: viewer, oidc: { issuer: "http://127.0.0.1:9", client-id: us, client-secret: ${planted.oidcSecret}, roles: { viewer: all } }`,
  )
const config = (hook: number) => `${services}
webhooks:
  - { url: "http://127.0.0.1:${hook}/", secret: ${planted.webhookSecret}, allow-private: true }
profiles:
  base:
    tree: fedora-40
    template: web.ks
    vars: { api_token: ${planted.profileVar} }
    args: ["inst.vncpassword=${planted.argument}", "proxy=http://me:${planted.urlPassword}@proxy:3128"]
`
const guest = `# root_password was ${planted.guestVar}
mac: 52:54:00:aa:bb:01
profile: base
vars:
  root_password: ${planted.guestVar}
  rootpw: ${planted.guestHash}
  users:
    - { name: ann, password: ${planted.nestedVar} }
`
const template = `# a comment with ${planted.templateHash}
rootpw --iscrypted {{ rootpw }}
user --name=ann --password={{ users[0].password }}
echo {{ root_password | b64encode }} {{ api_token }}
curl {{ report_url }}
`

const home = keptFolder()
const log: string[] = []
/** As JSON a line has all fields of its event. */
const asJson = logSink({
  format: 'json',
  level: 'debug',
  color: false,
  stream: { write: (line) => void log.push(line) },
})
const hooked: string[] = []
const said: [string, string][] = []
let app: App
let admin: Ask
let viewer: Ask
let nobody: Ask
let adminToken: string
let stream: StreamClient
const receiver = createServer((req: IncomingMessage, res) => {
  let body = `${req.url} ${JSON.stringify(req.headers)}`
  req.on('data', (bytes) => {
    body += String(bytes)
  })
  req.on('end', () => {
    hooked.push(body)
    res.end()
  })
})

const base = () => `http://127.0.0.1:${portOf(app)}`
const noted =
  (who: string, token: () => string): Ask =>
  async (...args) => {
    const response = await asking(base, token)(...args)
    said.push([
      `${who}: ${args[0]} ${args[1]} -> ${response.status}`,
      `${response.text}${JSON.stringify([...response.headers])}`,
    ])
    return response
  }

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home.path, 'config.yaml', config((receiver.address() as AddressInfo).port))
  writeBelow(home.path, 'guests.d/web01.yaml', guest)
  writeBelow(home.path, 'kickstart-templates/web.ks', template)
  writeBelow(home.path, 'mirrors.d/m.yaml', `url: http://anna:${planted.mirrorPassword}@127.0.0.1:9/x/\n`)
  app = testApp(home.path)
  app.events.subscribe((event) => {
    log.push(describeEvent(event).text)
    asJson(event)
  })
  await app.start()
  adminToken = await makeToken(app, 'admin')
  const viewerToken = await makeToken(app, 'viewer')
  admin = noted('admin', () => adminToken)
  viewer = noted('viewer', () => viewerToken)
  nobody = noted('nobody', () => '')
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
  stream = await new StreamClient(`${base()}/api/v1/events`, {
    authorization: `Bearer ${adminToken}`,
  }).opened()
  await doEverything()
}, 60_000)

afterAll(async () => {
  stream.close()
  await app.stop()
  receiver.close()
  home.remove()
})

/** Everything that people and machines do with a guest, and much that is refused. */
async function doEverything(): Promise<void> {
  const json = { name: 'kate', role: 'operator', password: planted.password }
  await admin('POST', '/api/v1/accounts', { json })
  await nobody('POST', '/api/v1/session', { json: { name: 'kate', password: planted.password } })
  await nobody('POST', '/api/v1/session', { json: { name: 'kate', password: planted.wrongPassword } })
  await nobody('POST', '/api/v1/session', { json: { name: planted.wrongPassword, password: 'x' } })
  await noted('bad token', () => planted.badToken)('GET', '/api/v1/guests')
  await nobody('GET', `/api/v1/guests?access_token=${planted.query}`)
  await nobody('GET', `/trees/fedora-40/nothing?token=${planted.query}`)
  const basic = Buffer.from(`kate:${planted.wrongPassword}`).toString('base64')
  await nobody('GET', '/api/v1/guests', { headers: { authorization: `Basic ${basic}` } })
  for (const ask of [admin, viewer]) {
    for (const path of [
      '',
      '/definition',
      '/settings',
      '/explain',
      '/plan',
      '/plan?as=libvirt',
      '/plan?as=virt-install',
      '/answer',
      '/story',
    ])
      await ask('GET', `/api/v1/guests/web01${path}`)
    for (const path of [
      '/profiles',
      '/profiles/base',
      '/profiles/base/definition',
      '/profiles/base/settings',
      '/mirrors',
      '/mirrors/m',
      '/mirrors/m/definition',
    ])
      await ask('GET', `/api/v1${path}`)
    for (const path of [
      '/templates',
      '/guests',
      '/problems',
      '/webhooks',
      '/boots',
      '/inbox',
      '/jobs',
      '/services',
      '/audit',
      '/exports/guests',
      '/exports/guests?as=ansible',
      '/openapi.json',
    ])
      await ask('GET', `/api/v1${path}`)
    await ask('POST', '/api/v1/templates/web.ks/preview?guest=web01', { body: template, headers: text })
    await ask('POST', '/api/v1/templates/web.ks/review', { body: `${template}# more\n`, headers: text })
    await ask('POST', '/api/v1/templates/web.ks/lint', { body: `${template}{{ x }`, headers: text })
    await ask('POST', '/api/v1/guests/web01/try', { json: { firmware: 'direct', as: 'install' } })
  }
  await viewer('GET', '/api/v1/templates/web.ks')
  await changeDefinitions()
  await boot()
  await admin('POST', '/api/v1/jobs', { json: { kind: 'mirror', mirror: 'm' } })
  await eventually(async () => {
    const { body } = await admin('GET', '/api/v1/jobs')
    expect(body.items.every(({ state }: { state: string }) => !['waiting', 'running'].includes(state))).toBe(
      true,
    )
  }, 20_000)
  await admin('GET', '/api/v1/audit?limit=1000')
  await admin('GET', '/metrics')
  await admin('POST', '/api/v1/guests/web01/hold')
  await eventually(() => expect(hooked.length).toBeGreaterThan(0))
}

const text = { 'content-type': 'text/plain' }
const anyTag = { 'if-match': '*' }

async function changeDefinitions(): Promise<void> {
  const definition = {
    mac: '52:54:00:aa:bb:02',
    vars: { root_password: planted.guestVar, note: planted.guestHash },
  }
  await admin('POST', '/api/v1/guests', { json: { name: 'web02', definition } })
  await admin('PATCH', '/api/v1/guests/web02/definition', {
    json: { vars: { password: planted.nestedVar }, mac: 'zz' },
    headers: anyTag,
  })
  await admin('PATCH', '/api/v1/guests/web02/definition', {
    json: { vars: { password: planted.nestedVar } },
    headers: anyTag,
  })
  await admin('PATCH', '/api/v1/guests/web02/definition', {
    json: { args: [`rd.luks.key=${planted.argument}`] },
    headers: anyTag,
  })
  await admin('PUT', '/api/v1/guests/web02/definition', {
    body: `mac: [ # ${planted.guestVar}\npassword: ${planted.nestedVar}\n`,
    headers: { ...anyTag, 'content-type': 'application/yaml' },
  })
  await admin('POST', '/api/v1/guests/web02/rename', { json: { to: 'web03' }, headers: anyTag })
  await admin('DELETE', '/api/v1/guests/web03', { headers: anyTag })
  await admin('POST', '/api/v1/imports/guests', {
    body: `name,mac,vars.root_password\nbad,zz,${planted.guestVar}\n`,
    headers: text,
  })
  await admin('PUT', '/api/v1/templates/other.ks', {
    body: template,
    headers: { ...text, 'if-none-match': '*' },
  })
  await admin('PUT', '/api/v1/templates/other.ks', {
    body: `${template}{{ nope }}`,
    headers: { ...text, ...anyTag },
  })
  await admin('DELETE', '/api/v1/templates/other.ks', { headers: anyTag })
  await admin('POST', '/api/v1/mirrors', {
    json: { name: 'n', definition: { url: `http://a:${planted.mirrorPassword}@127.0.0.1:9/` } },
  })
  await admin('POST', '/api/v1/jobs', {
    json: { kind: 'import', source: `http://a:${planted.mirrorPassword}@127.0.0.1:9/x.iso` },
  })
  // By hand, with a mistake beside the secret.
  writeBelow(
    home.path,
    'guests.d/hand.yaml',
    `mac: 52:54:00:aa:bb:09\nvars: { password: "${planted.nestedVar}\n`,
  )
  await eventually(() =>
    expect(app.snapshot().problems.some(({ where }) => where.includes('hand.yaml'))).toBe(true),
  )
}

async function boot(): Promise<void> {
  await nobody('GET', '/api/v1/session/oidc')
  await nobody('GET', '/boot.ipxe')
  await fetch(`${base()}/boot/by/52-54-00-aa-bb-01/ipxe?serial=x`)
  await fetch(`${base()}/ks/web01`)
  await fetch(`${base()}/ks/web01?password=${planted.query}`)
  await nobody('POST', '/api/v1/guests/web01/progress?message=going')
  await nobody('POST', `/api/v1/guests/web01/installed/${planted.badToken}`)
  const ftp = app.serviceLines().find(({ name }) => name === 'ftp')?.port ?? 0
  const { connect } = await import('node:net')
  const socket = connect(ftp, '127.0.0.1')
  socket.on('error', () => undefined).resume()
  socket.end(`USER admin\r\nPASS ${planted.ftpPassword}\r\nUSER ${planted.ftpPassword}\r\nQUIT\r\n`)
  await new Promise((resolve) => socket.on('close', resolve))
}

describe('no secret that was planted is', () => {
  test('in a response of the API, for a viewer and for an administrator', () => {
    expect(said.length).toBeGreaterThan(80)
    // What somebody asked for by its own text: the description of what he sent is his own.
    expect(found(said)).toEqual([])
  })

  test('in a line of the log, as text or as JSON', () => {
    expect(log.length).toBeGreaterThan(20)
    expect(found(log.map((line) => [line, line]))).toEqual([])
  })

  test('in the stream of events, or in what a webhook was sent', () => {
    expect(stream.events.length).toBeGreaterThan(2)
    expect(found([['the stream', stream.text]])).toEqual([])
    expect(found(hooked.map((body) => ['a webhook', body]))).toEqual([])
  })

  test('in a cell of the database, or in a file beside it', async () => {
    const cells: [string, string][] = []
    for (const file of filesBelow(join(home.path, 'data'))) {
      const shown = relative(home.path, file)
      if (file.endsWith('.db')) cells.push(...cellsOf(file))
      else if (statSync(file).size < 4_000_000) cells.push([shown, readFileSync(file, 'latin1')])
    }
    expect(cells.length).toBeGreaterThan(50)
    const kept = found(cells).filter((each) => !isCopy(each))
    expect(kept).toEqual([])
  })

  test('in the audit, or in what commands print', async () => {
    const printed: [string, string][] = []
    for (const words of [
      ['audit', '--limit', '500', '--json-lines'],
      ['guests', 'show', 'web01'],
      ['explain', 'web01'],
      ['check'],
      ['boots'],
      ['guests', 'export'],
      ['guests', 'set', 'web01', 'ip=192.0.2.9', '--dry-run'],
      ['guests', 'rename', 'web01', 'web09', '--dry-run'],
      ['templates', 'rename', 'web.ks', 'web9.ks', '--dry-run'],
      ['try', 'web01', '--firmware', 'direct'],
    ]) {
      const { out, err } = await treebootIn(home.path, ...words)
      printed.push([words.join(' '), out + err])
    }
    expect(found(printed)).toEqual([])
  })
})

/**
 * Copies of what people wrote, with its secrets: the last good configuration, and earlier contents of templates. Only the
 * server may read them.
 */
function isCopy(finding: string): boolean {
  const [, file = ''] = / in (data\/(?:last-good-config\.json|template-history\/\w+))$/.exec(finding) ?? []
  return file !== '' && (statSync(join(home.path, file)).mode & 0o077) === 0
}
