import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskSource } from '../../../server/files/disk.ts'
import { runs } from '../../support/fuzz.ts'
import { exchange, type OpenService, openListener } from '../../support/http.ts'

/** Pieces that have led out of the root of one server or another. */
const nasty = [
  '..',
  '.',
  '',
  '...',
  '%2e%2e',
  '%2E.',
  '.%2e',
  '%252e%252e',
  '..%2f',
  '%2f',
  '%5c',
  '..%5c..',
  '..\\',
  '%00',
  '..%00',
  '%c0%ae%c0%ae',
  '%u002e',
  '..;',
  '~',
  'secret',
  'secret.txt',
  'root',
  'folder',
  'file.txt',
  'out-file',
  'out-folder',
  'out-absolute',
  'up',
  'loop',
  'in-link',
  'deep',
  'etc',
  'passwd',
  'proc',
  'self',
  'environ',
  '?',
  '#',
  ' ',
  'ü',
]

const waysOut = [
  'out-file',
  'out-folder/secret.txt',
  'out-absolute/secret.txt',
  'folder/up/secret.txt',
  '../secret.txt',
  'folder/deep/../../../secret.txt',
  'in-link/../../secret.txt',
  'in-link/../../../secret.txt',
  '../root-of-others/secret.txt',
]

describe('no request leaves the root', () => {
  let base: string
  let open: OpenService
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'treeboot-escape-'))
    const root = join(base, 'root')
    await mkdir(join(root, 'folder/deep'), { recursive: true })
    await mkdir(join(base, 'root-of-others'))
    await writeFile(join(base, 'secret.txt'), 'SECRET')
    await writeFile(join(base, 'root-of-others/secret.txt'), 'SECRET')
    await writeFile(join(root, 'file.txt'), 'public')
    await writeFile(join(root, 'folder/deep/file.txt'), 'public')
    for (const [name, target] of [
      ['out-file', '../secret.txt'],
      ['out-folder', '..'],
      ['out-absolute', join(base, 'root-of-others')],
      ['folder/up', '../../root-of-others'],
      ['loop', 'loop'],
      ['in-link', 'folder/deep'],
    ] as const)
      await symlink(target, join(root, name))
    open = await openListener({ source: diskSource(root) })
  })
  afterAll(async () => {
    await open.service.stop()
    await rm(base, { recursive: true })
  })

  test('whatever its path is made of', async () => {
    const pieces = fc.array(fc.oneof(fc.constantFrom(...nasty), fc.string({ maxLength: 5 })), {
      maxLength: 6,
    })
    // A way that would lead out, with its slashes and dots in disguise.
    const slash = fc.constantFrom('/', '/', '//', '/./', '/x/../', '%2f', '/%2e/', '/folder/..%2f')
    const wayOut = fc
      .tuple(fc.constantFrom(...waysOut), fc.array(slash, { minLength: 4, maxLength: 4 }))
      .map(([way, slashes]) =>
        way
          .split('/')
          .map((part, i) => `${slashes[i] ?? '/'}${part}`)
          .join(''),
      )
    const path = fc
      .oneof(
        wayOut,
        pieces.map((parts) => `/${parts.join('/')}`),
        fc.tuple(pieces, wayOut).map(([parts, way]) => `/${parts.join('/')}${way}`),
      )
      .map((text) => text.replace(/[\r\n]/g, ''))
    const form = fc.constantFrom('', '/', 'http://x')
    await fc.assert(
      fc.asyncProperty(path, form, fc.constantFrom('GET', 'HEAD'), async (target, prefix, method) => {
        const head = `${method} ${prefix}${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
        const response = await exchange(open.port, Buffer.from(head, 'utf8'))
        expect(response.body.toString('latin1')).not.toContain('SECRET')
        expect([200, 400, 404]).toContain(response.status)
        if (response.status === 400 || response.status === 404) expect(response.body.length).toBe(0)
      }),
      { numRuns: runs(500) },
    )
  })

  test('symlinks inside are followed, those that lead out are not there', async () => {
    const status = async (path: string) => (await exchange(open.port, `GET ${path} HTTP/1.0\r\n\r\n`)).status
    expect(await status('/in-link/file.txt')).toBe(200)
    for (const path of [
      '/out-file',
      '/out-folder',
      '/out-folder/secret.txt',
      '/out-absolute/secret.txt',
      '/folder/up',
      '/loop',
    ])
      expect([path, await status(path)]).toEqual([path, 404])
    const listing = await exchange(open.port, 'GET / HTTP/1.0\r\nAccept: application/json\r\n\r\n')
    expect(JSON.parse(listing.body.toString()).entries.map((entry: { name: string }) => entry.name)).toEqual([
      'file.txt',
      'folder',
      'in-link',
    ])
  })
})
