import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import request from 'supertest'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { testApp } from './support/app.ts'
import { type CliResult, treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { fetchTftp } from './support/tftp-client.ts'
import { keptFolder, makeTree, temporaryFolder, writeBelow } from './support/tree-folder.ts'

/**
 * The main job, end to end: a tree in a folder, and a guest that boots and installs from it through every
 * service.
 */

const mac = '52:54:00:aa:bb:01'
const config = `
server: { bind: 127.0.0.1 }
access: { anonymous: viewer }
http: { port: 0 }
tftp: { port: 0 }
ftp: { port: 0 }
nfs: { enabled: false }
profiles:
  web: { tree: { distro: fedora, arch: x86_64 }, template: web.ks, args: [console=ttyS0] }
guests:
  web01: { mac: "${mac}", profile: web, vars: { hostname: web01.example } }
`
const template = 'text\nnetwork --hostname={{ vars.hostname }}\n# {{ tree.id }} by {{ server.http }}\n'

const home = keptFolder()
let app: App
let base: string
let tftpPort: number

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  makeTree(join(home.path, 'trees/old/fedora-39'), { version: '39' })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', template)
  writeBelow(home.path, 'tftpboot/pxelinux.0', 'a loader of the operator')
  app = testApp(home.path)
  await app.start()
  const ports = Object.fromEntries(app.serviceLines().map(({ name, port }) => [name, port]))
  base = `http://127.0.0.1:${ports.http}`
  tftpPort = ports.tftp ?? 0
  await eventually(() => expect(readyTrees()).toBe(2), 15_000)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

function readyTrees(): number {
  return app.snapshot().trees.all.filter((tree) => tree.state === 'ready').length
}

/** One command, and what a person would see of it. */
const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home.path, ...args)

describe('a lookup', () => {
  test('finds the newest tree, and what it names is there, with that digest', async () => {
    const { body } = await request(base).get('/api/v1/lookup?distro=fedora&arch=x86_64').expect(200)
    expect(body).toMatchObject({
      tree: { id: 'fedora-40', family: 'Fedora', version: '40', arch: 'x86_64' },
      virt: 'hvm',
      location: `${base}/trees/fedora-40`,
      others: ['old/fedora-39'],
    })
    expect(body.kernel.sha256).toMatch(/^[0-9a-f]{64}$/)
    const kernel = await fetch(body.kernel.url)
    const onDisk = readFileSync(join(home.path, 'trees/fedora-40', body.kernel.path))
    expect(Buffer.from(await kernel.arrayBuffer())).toEqual(onDisk)
    const { pathname } = new URL(body.kernel.tftp)
    expect((await fetchTftp(pathname, { port: tftpPort })).bytes).toEqual(onDisk)
  })

  test('by a guest carries its arguments and its answer file', async () => {
    const { body } = await request(base).get(`/api/v1/lookup?mac=${mac}`).expect(200)
    expect(body.args).toContain(`inst.ks=${base}/ks/web01`)
    expect(body.cmdline).toMatch(/ console=ttyS0$/)
  })

  test('of nothing is 404 with what is nearest, of nonsense 400 with what was expected', async () => {
    const none = await request(base).get('/api/v1/lookup?distro=fedora&version=99').expect(404)
    expect(none.body.nearest).toEqual(['fedora-40', 'old/fedora-39'])
    const nonsense = await request(base).get('/api/v1/lookup?distor=fedora').expect(400)
    expect(nonsense.body.message).toContain('did you mean distro?')
    await request(base).get('/api/v1/lookup?tree=fedora-40&tree=x').expect(400)
    await request(base).get('/api/v1/lookup?tree=fedora-40&as=pdf').expect(400)
  })

  test('HEAD is answered like GET', async () => {
    const get = await request(base).get('/api/v1/lookup?tree=fedora-40')
    const head = await request(base).head('/api/v1/lookup?tree=fedora-40').expect(200)
    expect(head.headers['content-length']).toBe(get.headers['content-length'])
    expect(head.text).toBeUndefined()
  })
})

describe('a guest', () => {
  const answers = `text\nnetwork --hostname=web01.example\n# fedora-40 by `

  test('gets its answer file by name, by MAC and by what its installer sends', async () => {
    const expected = `${answers}${base}\n`
    const ways = ['/ks/web01', '/ks?mac=52-54-00-AA-BB-01']
    for (const path of ways) expect((await request(base).get(path).expect(200)).text).toBe(expected)
    const sent = await request(base).get('/ks').set('X-RHN-Provisioning-MAC-7', `eth0 ${mac}`).expect(200)
    expect(sent.text).toBe(expected)
    expect((await fetchTftp('ks/web01', { port: tftpPort })).bytes.toString()).toContain(answers)
  })

  test('gets exactly what `treeboot render` prints', async () => {
    const served = await request(base).get('/ks/web01')
    const { code, out } = await treeboot('render', 'web01', '--url', base)
    expect({ code, out }).toEqual({ code: 0, out: served.text })
    const asJson = await treeboot('render', 'web01', '--url', base, '--json')
    expect(JSON.parse(asJson.out)).toEqual({ guest: 'web01', as: 'kickstart', text: served.text })
    expect(await treeboot('render', 'web01', '--url', 'mirror')).toMatchObject({ code: 2, out: '' })
  })

  test('finds its boot configuration by the name that PXELINUX asks for, before the menu of strangers', async () => {
    const mine = await fetchTftp('pxelinux.cfg/01-52-54-00-aa-bb-01', { port: tftpPort })
    expect(mine.bytes.toString()).toContain('inst.ks=')
    const strangers = await fetchTftp('pxelinux.cfg/default', { port: tftpPort })
    expect(strangers.bytes.toString()).not.toContain('inst.ks=')
  })

  test('that reports is heard', async () => {
    const heard: string[] = []
    const end = app.events.subscribe(
      (event) => event.type === 'report' && heard.push(`${event.guest} ${event.state}`),
    )
    await request(base).post('/api/v1/guests/web01/installed').expect(204)
    await request(base).post('/api/v1/guests/nobody/installed').expect(404)
    await request(base).post('/api/v1/guests/web01/exploded').expect(404)
    end()
    expect(heard).toEqual(['web01 installed'])
  })
})

describe('the front', () => {
  test('a page for people, health and metrics for machines', async () => {
    expect((await request(base).get('/').expect(200)).text).toContain(`--location ${base}/trees/fedora-40`)
    expect((await request(base).get('/healthz').expect(200)).body).toMatchObject({
      status: 'ok',
      trees: { ready: 2 },
    })
    expect((await request(base).get('/metrics').expect(200)).text).toMatch(
      /^treeboot_trees\{state="ready"\} 2$/m,
    )
  })

  test("the operator's files lie at the root", async () => {
    expect((await request(base).get('/pxelinux.0').expect(200)).body.toString()).toBe(
      'a loader of the operator',
    )
  })

  test('a path that is nobody’s is 404 without a body', async () => {
    const { headers, text } = await request(base).get('/no/such').expect(404)
    expect([headers['content-length'], text]).toEqual(['0', ''])
  })
})

describe('the data folder', () => {
  test('has one server: a second one is refused, names the first, and leaves it as it is', async () => {
    const second = testApp(home.path)
    const message = `process ${process.pid} (`
    await expect(second.start()).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining(message),
    })
    await expect(testApp(home.path).start()).rejects.toThrow(`with ${join(home.path, 'config.yaml')})`)
    await request(base).get('/healthz').expect(200)
  })

  test('is free for the next server when the first one has stopped', async () => {
    const other = temporaryFolder()
    writeBelow(other, 'config.yaml', config)
    for (const each of [testApp(other), testApp(other)]) {
      await each.start()
      await each.stop()
    }
    expect(readdirSync(join(other, 'data')).filter((name) => name.includes('lock'))).toEqual([])
  })
})

describe('commands', () => {
  test('trees, guests, check and explain tell the same story', async () => {
    expect((await treeboot('trees')).out).toMatch(/^ready +fedora-40 +Fedora 40/m)
    // It has reported `installed` in a test above.
    expect((await treeboot('guests')).out).toMatch(
      /^web01 +installed +\d{4}-[-: \d]+ +52:54:00:aa:bb:01 +web +fedora-40 +web\.ks$/m,
    )
    expect(await treeboot('check')).toMatchObject({ code: 0, out: 'nothing is wrong\n' })
    expect((await treeboot('explain', mac)).out).toMatch(
      /^argument +console=ttyS0 +<- profile web \(config\.yaml:9\)$/m,
    )
  })

  test('exit codes: 3 for none, 2 for bad input', async () => {
    expect(await treeboot('lookup', '--distro', 'debian')).toMatchObject({ code: 3, out: '' })
    expect(await treeboot('lookup')).toMatchObject({ code: 2, out: '' })
    expect(await treeboot('render', 'nobody')).toMatchObject({
      code: 3,
      err: 'treeboot: no guest nobody; guests: web01\n',
    })
    expect(await treeboot('frobnicate')).toMatchObject({ code: 2 })
    expect(await treeboot('--help')).toMatchObject({ code: 0 })
  })
})
