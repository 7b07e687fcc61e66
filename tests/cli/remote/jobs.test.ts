import { execFileSync } from 'node:child_process'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { ApiClient } from '../../../server/cli/remote/client.ts'
import { uploadFile } from '../../../server/cli/remote/upload.ts'
import { makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { type CliResult, runningTreeboot, treebootAt, treebootIn } from '../../support/cli.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** Work of a server that is started, followed and ended from another machine. */

const home = keptFolder()
const elsewhere = keptFolder()
/** Takes connections and says nothing. */
const slow = createServer(() => undefined)
let app: App
let environment: Record<string, string>
let url = ''
let slowUrl = ''

beforeAll(async () => {
  await new Promise<void>((resolve) => void slow.listen(0, '127.0.0.1', resolve))
  slowUrl = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`
  writeBelow(home.path, 'config.yaml', `${httpOnly}imports: { allow: ["${slowUrl}/", "${home.path}/own"] }\n`)
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  makeTree(join(home.path, 'own/fedora-39'), { version: '39' })
  makeTree(join(elsewhere.path, 'good'), { version: '41' })
  makeTree(join(elsewhere.path, 'bad'), { version: '42' })
  writeBelow(elsewhere.path, 'bad/images/pxeboot/vmlinuz', 'damaged')
  for (const name of ['good', 'bad'])
    execFileSync('tar', ['-C', join(elsewhere.path, name), '-cf', join(elsewhere.path, `${name}.tar`), '.'])
  app = testApp(home.path)
  await app.start()
  url = `http://127.0.0.1:${portOf(app)}`
  environment = { TREEBOOT_SERVER: url, TREEBOOT_TOKEN: await makeToken(app, 'operator') }
}, 20_000)
afterAll(async () => {
  await app.stop()
  slow.close().closeAllConnections()
  home.remove()
  elsewhere.remove()
})

const there = (...args: string[]): Promise<CliResult> => treebootAt(elsewhere.path, args, { environment })

const client = (base = url): ApiClient =>
  new ApiClient({ url: base, credentials: { token: environment.TREEBOOT_TOKEN ?? '', from: 'a test' } })

test('jobs live in a running server, and it says how to name it', async () => {
  for (const words of [['jobs'], ['jobs', 'show', '1'], ['jobs', 'watch', '1']]) {
    const { code, out, err } = await treebootIn(home.path, ...words)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(/what a running server does: name it with --server http:.*TREEBOOT_SERVER/)
  }
  expect(await there('jobs')).toMatchObject({ code: 3, out: 'no jobs in the last seven days\n' })
})

test('a file is uploaded, published, and gone from the uploads', async () => {
  const { code, out } = await there('trees', 'import', 'good.tar', '--id', 'f41', '--json')
  expect(code).toBe(0)
  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.at(-1)).toMatchObject({ event: 'published', id: 'f41', version: 1, files: 4 })
  expect(events[0]).toMatchObject({ event: 'progress', stage: 'uploading' })
  expect(await client().all('listUploads', {})).toEqual([])
  expect((await there('trees')).out).toMatch(/ready +f41/)
  expect((await there('jobs')).out).toMatch(/done +import +import-\w+\/good.tar +f41 version 1/)
})

test('who may not upload is told why', async () => {
  const viewer = { ...environment, TREEBOOT_TOKEN: await makeToken(app, 'viewer') }
  const { code, err } = await treebootAt(elsewhere.path, ['import', 'good.tar'], { environment: viewer })
  expect(code).toBe(1)
  expect(err).toMatch(/^treeboot: .*operator/)
})

test('what has faults waits in the server until a person accepts it', async () => {
  const { code, out } = await there('trees', 'import', 'bad.tar', '--id', 'f42')
  expect(code).toBe(2)
  expect(out).toMatch(/^f42 NOT PUBLISHED: 1 fault\n {2}images\/pxeboot\/vmlinuz /)
  const [job] = JSON.parse((await there('jobs', '--state', 'quarantined', '--json')).out)
  const number = String(job.number)
  expect((await there('jobs', 'watch', number)).code).toBe(2)
  expect((await there('jobs', 'start', number, '--accept', 'a test')).code).toBe(0)
  const watched = await there('jobs', 'watch', number)
  expect(watched.code).toBe(0)
  expect(watched.out).toMatch(/^job \d+ {2}import of import-.* {2}done\n/)
  expect((await there('trees', 'history', 'f42')).out).toContain('accepted: a test')
})

test('a path of the server is imported by it, if it is listed', async () => {
  const listed = join(home.path, 'own/fedora-39')
  // This test has one machine for both: the path is named as one that is not here.
  const body = { kind: 'import', source: listed, id: 'f39' } as const
  const { number } = await client().call('createJob', { body })
  expect((await there('jobs', 'watch', String(number))).code).toBe(0)
  const { code, err } = await there('trees', 'import', '/nowhere/fedora')
  expect(code).toBe(1)
  expect(err).toMatch(/is not on this machine.*\n.*is not listed; imports.allow/)
  expect(await there('trees', 'import', 'good')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/good is a folder.*tar -C good -cf/),
  })
})

test('Ctrl-C leaves a job at work, which the same command follows again and a person ends', async () => {
  const words = ['trees', 'import', `${slowUrl}/x/`]
  const first = runningTreeboot(elsewhere.path, words, { environment })
  await eventually(async () => expect((await there('jobs')).out).toMatch(/running +import +http/))
  await eventually(() => expect(process.listenerCount('SIGINT')).toBeGreaterThan(0))
  process.emit('SIGINT')
  const { code, err } = await first.end
  expect(code).toBe(1)
  const [, number = ''] =
    /job (\d+) goes on in the server\n {2}follow it: treeboot jobs watch \d+\n/.exec(err) ?? []
  expect(err).toContain(`end it:    treeboot jobs cancel ${number}\n`)
  const detached = await there(...words, '--detach')
  expect(detached).toMatchObject({ code: 0, out: `${number}\n` })
  expect(detached.err).toContain(`job ${number} does this already`)
  const second = runningTreeboot(elsewhere.path, words, { environment })
  await eventually(() => expect(second.said.err).toContain('does this already'))
  const ended = await there('jobs', 'cancel', number)
  expect(ended).toMatchObject({ code: 0, out: expect.stringMatching(/ {2}cancelled\n/) })
  expect(await second.end).toMatchObject({
    code: 1,
    err: expect.stringContaining(`treeboot: job ${number} is cancelled`),
  })
  expect((await there('jobs', 'watch', number)).code).toBe(1)
  expect((await there('jobs', 'cancel', number)).code).toBe(1)
  expect((await there('jobs', 'show', '999')).code).toBe(3)
  expect((await there('jobs', 'show', 'x')).code).toBe(2)
})

test('what only commands beside the files can do is refused', async () => {
  for (const words of [
    ['verify', 'fedora-40', '--key', 'x'],
    ['import', 'good.tar', '--hard-link'],
    ['import', 'good.tar', '--with-netboot'],
    ['mirror', `${slowUrl}/y/`, '--require-signature'],
    ['render', 'web01', '--url', url],
  ])
    expect((await there(...words)).code, words.join(' ')).toBe(1)
  expect(await treebootIn(home.path, 'import', 'x', '--detach')).toMatchObject({ code: 2 })
  expect((await there('mirror', 'nothing')).err).toContain('no mirror nothing; treeboot mirrors lists them')
})

test('an upload that breaks goes on where it stopped', async () => {
  const pieces: string[] = []
  const proxy = createServer((req, res) => {
    if (req.method === 'PUT') pieces.push(req.headers['content-range'] ?? '')
    const to = request(`${url}${req.url}`, { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(res)
    })
    to.on('error', () => res.destroy())
    // The second piece breaks in its middle.
    if (req.method === 'PUT' && pieces.length === 2) {
      let taken = 0
      req.on('data', (bytes: Buffer) => {
        taken += bytes.length
        if (taken > 3_000_000) req.socket.destroy()
        else to.write(bytes)
      })
      req.on('close', () => to.destroy())
      req.on('error', () => undefined)
    } else req.pipe(to)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void proxy.close().closeAllConnections())
  await new Promise((resolve) => proxy.once('listening', resolve))
  const size = 20 * 1024 * 1024
  writeBelow(elsewhere.path, 'large.bin', 'x'.repeat(size))
  const through = client(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`)
  let said = ''
  const io = {
    out: () => undefined,
    err: (text: string) => {
      said += text
    },
    ask: async () => undefined,
    exit: () => undefined,
    color: false,
    cwd: temporaryFolder(),
  }
  const upload = await uploadFile(join(elsewhere.path, 'large.bin'), through, {
    io,
    mode: 'none',
    pauses: { firstMs: 5, mostMs: 20 },
  })
  const starts = pieces.map((range) => Number(/^bytes (\d+)-/.exec(range)?.[1]))
  expect(starts.slice(0, 2)).toEqual([0, 8 * 1024 * 1024])
  expect(starts.slice(2).every((start) => start >= 8 * 1024 * 1024)).toBe(true)
  expect(said).toMatch(/cannot be asked: .*the next try is in 5 ms/)
  const { headers } = await through.exchange('headUpload', { params: { path: upload ?? '' } })
  expect([headers.get('upload-offset'), headers.get('upload-complete')]).toEqual([String(size), '?1'])
})
