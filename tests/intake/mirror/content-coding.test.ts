import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { atMost } from '../../../server/intake/mirror/content-coding.ts'
import { HttpUpstream } from '../../../server/intake/mirror/http-upstream.ts'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { makeRepository } from '../../support/rpm-repository.ts'
import { makeTree, temporaryFolder } from '../../support/tree-folder.ts'

type Respond = (path: string, bytes: Buffer, response: ServerResponse) => void

/** Serves a folder. `isRefused`: the raw path for which the server has a 404. */
async function serving(folder: string, respond: Respond, isRefused = (_raw: string): boolean => false) {
  const raw: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const path = request.url ?? ''
    raw.push(path)
    const file = join(folder, decodeURIComponent(path))
    const stats = statSync(file, { throwIfNoEntry: false })
    if (!/^[\w\-.~!$&'()*+,;=:@/%]*$/.test(path)) response.writeHead(400).end()
    else if (!stats || isRefused(path)) response.writeHead(404).end()
    else if (stats.isDirectory()) {
      const links = readdirSync(file, { withFileTypes: true }).map(
        (item) => `<a href="${encodeURIComponent(item.name)}${item.isDirectory() ? '/' : ''}">x</a>`,
      )
      response.setHeader('content-type', 'text/html')
      respond(path, Buffer.from(links.join('\n')), response)
    } else respond(path, readFileSync(file), response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, raw }
}

const plain: Respond = (_path, bytes, response) => void response.end(bytes)
const coded =
  (coding: string, code: (bytes: Buffer) => Buffer, isCoded = (_path: string): boolean => true): Respond =>
  (path, bytes, response) => {
    if (!isCoded(path)) return void response.end(bytes)
    const body = code(bytes)
    response.writeHead(200, { 'content-encoding': coding, 'content-length': body.length }).end(body)
  }

const packages = {
  'Packages/d/dct-0^20230708git4aea40b-1.el9.noarch.rpm': 'a caret\n',
  'Packages/j/jansi-2.4.0-7.module+el9.5.0+29736+f35c064b.noarch.rpm': 'plus signs\n',
  'Packages/x/x-1:1.0~rc1-1.el9.noarch.rpm': 'a colon and a tilde\n',
  'Packages/y/y%3a1-1.el9.noarch.rpm': 'a literal %3a\n',
}

async function mirrored(respond: Respond, isRefused?: (raw: string) => boolean) {
  const [upstream, trees] = [temporaryFolder(), temporaryFolder()]
  makeTree(upstream)
  makeRepository(upstream, packages)
  const { url, raw } = await serving(upstream, respond, isRefused)
  const { notes } = await mirrorTree(new VersionStore(trees), [`${url}/`], { id: 'tree' })
  const files = readdirSync(upstream, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(upstream, name)).isFile(),
  )
  const fetched = files.filter((name) => statSync(join(trees, 'tree', name), { throwIfNoEntry: false }))
  const isSame = (name: string) =>
    readFileSync(join(trees, 'tree', name)).equals(readFileSync(join(upstream, name)))
  return { notes, raw, missing: files.length - fetched.length, isWhole: fetched.every(isSame) }
}

const whole = { notes: [], missing: 0, isWhole: true }

test.each([
  ['knows both forms', undefined],
  ['knows no %2B', (raw: string) => /%2b/i.test(raw)],
  ['knows no %3A of a colon', (raw: string) => /%3a/i.test(raw) && !/%253a/i.test(raw)],
  ['takes + for a blank', (raw: string) => raw.includes('+')],
])('names with + ^ ~ : and %% come from a server that %s', async (_, isRefused) => {
  const { raw, ...found } = await mirrored(plain, isRefused)
  expect(found).toEqual(whole)
  // Both forms are asked for only where the first is not there.
  expect(raw.filter((path) => /[+]/.test(path))).toHaveLength(isRefused?.('%2B') ? 1 : 0)
})

test('a name that is not there is asked for once in each form', async () => {
  const { url, raw } = await serving(temporaryFolder(), plain)
  const upstream = new HttpUpstream(url)
  for (const path of ['a+b:c', 'plain', 'x/a^b%2b~'])
    expect(await upstream.get(path, { start: 0 })).toBeUndefined()
  expect(raw).toEqual(['/a%2Bb%3Ac', '/a+b:c', '/plain', '/x/a%5Eb%252b~'])
  await upstream.close()
})

test.each([
  ['gzip', gzipSync],
  ['GZIP, identity', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  // Told, and not done.
  ['gzip', (bytes: Buffer) => bytes],
] as const)('a server that sends everything as %s', async (coding, code) => {
  const isCoded = (path: string) => !path.endsWith('.gz') || coding === 'br'
  expect(await mirrored(coded(coding, code, isCoded))).toMatchObject(whole)
})

test.each([
  ['x-gzip', /\.gz$/],
  ['gzip', /\.gz$/],
  ['x-gzip', /\.img$/],
])("Apache's AddEncoding %s for %s: the bytes are those of the file", async (coding, files) => {
  const asItIs = coded(
    coding,
    (bytes) => bytes,
    (path) => files.test(path),
  )
  expect(await mirrored(asItIs)).toMatchObject(whole)
})

test('an initrd that is packed itself stays packed, and an index page may be packed', async () => {
  const upstream = temporaryFolder()
  makeTree(upstream, { 'images/initrd.img': gzipSync('an initrd') } as never)
  const { url } = await serving(upstream, coded('gzip', gzipSync))
  const client = new HttpUpstream(url)
  expect(await client.list('')).toContainEqual({ name: 'images/' })
  const body = await client.get('.treeinfo', { start: 0 })
  // Size and validator are those of the packed bytes.
  expect(body).not.toHaveProperty('size')
  expect(body).not.toHaveProperty('validator')
  const pieces: Uint8Array[] = []
  for await (const piece of body?.body ?? []) pieces.push(piece)
  expect(Buffer.concat(pieces)).toEqual(readFileSync(join(upstream, '.treeinfo')))
  await client.close()
})

test.each(['zstd', 'gzip, br', 'exi', 'constructor'])(
  '%s is named, and is no tree that is not one',
  async (coding) => {
    const response = mirrored(
      coded(
        coding,
        (bytes) => bytes,
        (path) => !path.endsWith('/'),
      ),
    )
    await expect(response).rejects.toMatchObject({
      message: expect.stringContaining(`Content-Encoding: ${coding}`),
    })
  },
)

test('no more than the limit is unpacked', async () => {
  async function* pieces() {
    for (let n = 0; n < 3; n++) yield Buffer.alloc(10)
  }
  const bytesOf = async (most: number) => {
    let bytes = 0
    for await (const piece of atMost(most, pieces(), 'http://host/x')) bytes += piece.length
    return bytes
  }
  expect(await bytesOf(30)).toBe(30)
  await expect(bytesOf(29)).rejects.toMatchObject({ kind: 'too-large' })
})
