import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Child, startChild } from '../../server/emulator/child.ts'
import { missingClient, requireClient } from '../support/clients.ts'
import { type Bench, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { makeRepository, somePackages } from '../support/rpm-repository.ts'
import { makeTree, writeBelow } from '../support/tree-folder.ts'

/**
 * Trees that lftp uploads to a treeboot as users run it: whole ones are published, others are not, and it says
 * why.
 */

const needs = ['lftp', 'curl'] as const
let bench: Bench
let treeboot: Treeboot
let token: string

beforeEach(() => void requireClient(...needs))
beforeAll(async () => {
  bench = makeBench()
  if (missingClient(needs)) return
  treeboot = await startTreeboot(bench, {})
  token = readFileSync(join(bench.folder, 'data/admin-token'), 'utf8').trim()
})
afterAll(() => bench.undo.unwind())

/**
 * A tree as an administrator has it at hand: descriptor, images, packages with their index, and names that need
 * care.
 */
function makeUpload(name: string, version: string): string {
  const folder = join(bench.folder, 'at-hand', name)
  makeTree(folder, { version })
  makeRepository(folder, { ...somePackages(30), 'Packages/v/vim & co.rpm': 'a name with spaces' })
  writeBelow(folder, 'EULA', '')
  writeBelow(folder, 'docs/Ünï.txt', 'a name in UTF-8')
  return folder
}

/** Short waits and few retries, so that a test fails soon, and otherwise lftp as it is. */
function lftp(...commands: readonly string[]): Child {
  const settings = ['set net:timeout 10', 'set net:max-retries 2', 'set net:reconnect-interval-base 1']
  const url = `ftp://127.0.0.1:${treeboot.ports.ftp}`
  const script = [...settings, `open -u admin,${token} ${url}`, ...commands, 'bye'].join('; ')
  return startChild(bench.undo, ['lftp', '-c', script])
}

async function said(child: Child): Promise<string> {
  await child.ended
  return child.output.text
}

async function mirror(name: string, from: string, ...options: readonly string[]): Promise<void> {
  const child = lftp(`mirror -R --parallel=3 ${options.join(' ')} "${from}" /incoming/${name}`)
  expect(await child.ended, child.output.tail()).toBe(0)
}

const publish = (name: string): Promise<string> => said(lftp(`quote SITE PUBLISH /incoming/${name}`))

const status = async (path: string): Promise<number> => (await fetch(treeboot.url + path)).status

/** What the API tells an administrator about an upload. */
async function view(name: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(`${treeboot.url}/api/v1/uploads/${name}`, { headers })).json()
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Every file of a folder is to be had below a path, byte for byte. */
async function expectServed(path: string, folder: string): Promise<void> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => statSync(join(folder, name)).isFile())
  expect(files.length).toBeGreaterThan(30)
  for (const file of files) {
    const answer = await fetch(`${treeboot.url}${path}/${file.split('/').map(encodeURIComponent).join('/')}`)
    expect([file, sha256(Buffer.from(await answer.arrayBuffer()))]).toEqual([
      file,
      sha256(readFileSync(join(folder, file))),
    ])
  }
}

const offered = (id: string): Promise<void> =>
  vi.waitFor(async () => expect(await status(`/api/v1/lookup?tree=${id}`)).toBe(200), {
    timeout: 60_000,
    interval: 250,
  })

test('mirror -R and SITE PUBLISH: hidden until then, then a tree like any other', async () => {
  const folder = makeUpload('asked', '40')
  await mirror('fedora-40', folder)
  expect(await status('/trees/fedora-40/.treeinfo')).toBe(404)
  expect(await publish('fedora-40')).toMatch(
    /^250-.*\nfedora-40: published as version 1, \d+ files\r?\n250 Published/m,
  )
  await expectServed('/trees/fedora-40', folder)
  await offered('fedora-40')
  expect(treeboot.command('trees')).toMatch(/^ready +fedora-40 +Fedora 40/m)
  // The upload is a tree now: nothing is left to publish.
  expect(await publish('fedora-40')).toMatch(/550/)
})

test('left quiet it is published by itself, if it is whole', async () => {
  const folder = makeUpload('quiet', '41')
  const damaged = makeUpload('quiet-damaged', '39')
  writeBelow(damaged, 'Packages/p/p3-1-1.noarch.rpm', 'package of somebody else')
  await Promise.all([mirror('fedora-41', folder), mirror('fedora-39', damaged)])
  await treeboot.child.output.waitFor(/"type":"publish","id":"fedora-41","outcome":"published"/, 90_000)
  await treeboot.child.output.waitFor(
    /"type":"publish","id":"fedora-39","outcome":"refused","lines":\["fedora-39: Packages\/p\/p3-/,
    90_000,
  )
  await offered('fedora-41')
  expect(await status('/trees/fedora-39/.treeinfo')).toBe(404)
  await expectServed('/trees/fedora-41', folder)
})

test('a wrong checksum: not published, and the file is named; put right, it is', async () => {
  const folder = makeUpload('wrong', '42')
  const right = readFileSync(join(folder, 'images/install.img'))
  // As long as the right one, so that only its digest tells.
  writeBelow(folder, 'images/install.img', 'second stage of 99\n')
  await mirror('fedora-42', folder)
  const reason = /fedora-42: images\/install\.img is damaged: sha256 is \w+; \.treeinfo says/
  const answer = await publish('fedora-42')
  expect(answer).toMatch(/^550 /m)
  expect(answer).toMatch(reason)
  await treeboot.child.output.waitFor(
    /"type":"publish","id":"fedora-42","outcome":"refused".*is damaged/,
    10_000,
  )
  expect(await view('fedora-42')).toMatchObject({ state: 'refused', lines: [expect.stringMatching(reason)] })
  expect(await status('/trees/fedora-42/.treeinfo')).toBe(404)
  expect(await status('/api/v1/lookup?tree=fedora-42')).toBe(404)

  writeBelow(folder, 'images/install.img', right)
  await mirror('fedora-42', folder, '--transfer-all')
  expect(await publish('fedora-42')).toMatch(/^250 Published/m)
  await expectServed('/trees/fedora-42', folder)
})

test('cut off in the middle of a file: it says where; resumed, it is published', async () => {
  const folder = makeUpload('cut', '43')
  // In no list of checksums: nothing but the upload itself can tell that it is not whole.
  writeBelow(folder, 'images/efiboot.img', randomBytes(3_000_000))
  await mirror('fedora-43', folder, '--exclude', 'efiboot')
  const arrived = (): number => {
    const file = join(bench.folder, 'trees/.treeboot/incoming/uploads/fedora-43/images/efiboot.img')
    return existsSync(file) ? statSync(file).size : 0
  }
  const slow = lftp(
    // Uploads at 400 kB a second: this one takes seven seconds, and is killed after its first 500 kB.
    'set net:limit-rate 0:400000',
    `put -O /incoming/fedora-43/images "${folder}/images/efiboot.img"`,
  )
  await vi.waitFor(() => expect(arrived()).toBeGreaterThan(500_000), { timeout: 20_000, interval: 50 })
  process.kill(slow.pid, 'SIGKILL')
  await slow.ended
  const partial = ['fedora-43/images/efiboot.img']
  await vi.waitFor(async () => expect(await view('fedora-43')).toMatchObject({ state: 'waiting', partial }))
  const reason = /fedora-43\/images\/efiboot\.img was cut off after \d+ bytes: resume it/
  expect(await publish('fedora-43')).toMatch(reason)
  expect(await view('fedora-43')).toMatchObject({ state: 'refused', lines: [expect.stringMatching(reason)] })
  expect(await status('/trees/fedora-43/.treeinfo')).toBe(404)
  expect(arrived()).toBeLessThan(3_000_000)

  await mirror('fedora-43', folder, '--continue')
  expect(await publish('fedora-43')).toMatch(/^250 Published/m)
  await expectServed('/trees/fedora-43', folder)
})

test('cut off between two files: what is missing is named', async () => {
  const folder = makeUpload('gap', '44')
  await mirror('fedora-44', folder, '--exclude', 'install.img', '--exclude', 'p7-1-1')
  const answer = await publish('fedora-44')
  expect(answer).toMatch(/^fedora-44: images\/install\.img is missing/m)
  expect(answer).toMatch(/^fedora-44: Packages\/p\/p7-1-1\.noarch\.rpm is missing/m)
  expect(await status('/trees/fedora-44/.treeinfo')).toBe(404)
})
