import { createHash } from 'node:crypto'
import { readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { DigestAlgorithm } from '../../server/core/tree/tree.ts'
import { type Stamp, stampOf } from '../../server/files/listing-source.ts'
import { BackgroundVerifier } from '../../server/verify/background-verifier.ts'
import { digestFile } from '../../server/verify/digests/digests.ts'
import { VerifyCache } from '../../server/verify/verify-cache.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

async function existing(file: string): Promise<Stamp> {
  const stamp = await stampOf(file)
  if (!stamp) throw new Error(`${file} is not there`)
  return stamp
}

const enqueue = true

const hexOf = (algorithm: string, data: string | Uint8Array): string =>
  createHash(algorithm).update(data).digest('hex')

test.each<DigestAlgorithm>(['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'])(
  '%s of a file that is read in several pieces',
  async (algorithm) => {
    const folder = temporaryFolder()
    const bytes = Buffer.alloc(2_500_000, 'kernel')
    writeBelow(folder, 'vmlinuz', bytes)
    expect(await digestFile(join(folder, 'vmlinuz'), algorithm)).toBe(hexOf(algorithm, bytes))
  },
)

test('a digest is computed once, however many files need it, and is then known', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'vmlinuz', 'kernel')
  const told: string[] = []
  const verifier = new BackgroundVerifier(new VerifyCache(folder), (file) => told.push(file))
  verifier.start()
  const stamp = await existing(join(folder, 'vmlinuz'))
  const right = {
    path: 'vmlinuz',
    stamp,
    expected: { algorithm: 'sha256', hex: hexOf('sha256', 'kernel') },
  } as const
  const wrong = { path: 'vmlinuz', stamp, expected: { algorithm: 'sha256', hex: 'ab' } } as const
  expect(verifier.check([right, wrong], enqueue).unverified).toEqual(['vmlinuz', 'vmlinuz'])
  await eventually(() => expect(told).toEqual([stamp.file]))
  expect(verifier.check([right, wrong], enqueue)).toEqual({
    unverified: [],
    unread: [],
    damaged: [{ path: 'vmlinuz', expected: wrong.expected, found: right.expected.hex }],
  })
  expect(verifier.idle).toBe(true)
})

test('a file without a named digest is read for its SHA-256', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'vmlinuz', 'kernel')
  const told: string[] = []
  const verifier = new BackgroundVerifier(new VerifyCache(folder), (file) => told.push(file))
  verifier.start()
  const file = { path: 'vmlinuz', stamp: await existing(join(folder, 'vmlinuz')) }
  expect(verifier.check([file], !enqueue)).toEqual({ unverified: [], unread: ['vmlinuz'], damaged: [] })
  expect(verifier.idle).toBe(true)
  verifier.check([file], enqueue)
  await eventually(() => expect(told).toEqual([file.stamp.file]))
  expect(verifier.check([file], enqueue)).toEqual({ unverified: [], unread: [], damaged: [] })
  expect(verifier.sha256(file.stamp)).toBe(hexOf('sha256', 'kernel'))
})

test('large files are hashed in threads, as small ones are hashed here', async () => {
  const folder = temporaryFolder()
  // Threads begin at 256 MiB.
  const size = 257 * 2 ** 20
  // By md5sum. Hashing as many zeros here again would take longer than the rest of this file.
  const md5OfZeros = 'd5e338cfc077dd70d65d1c6139cbc8a8'
  writeFileSync(join(folder, 'install.img'), '')
  truncateSync(join(folder, 'install.img'), size)
  writeFileSync(join(folder, 'vmlinuz'), 'kernel')
  const known = new Set<string>()
  const cache = new VerifyCache(folder)
  const verifier = new BackgroundVerifier(cache, (file) => known.add(file))
  onTestFinished(() => verifier.stop())
  verifier.start()
  const stamps = [
    await existing(join(folder, 'install.img')),
    await existing(join(folder, 'vmlinuz')),
  ] as const
  // Any digest would do: the cache tells what was computed.
  const expected = { algorithm: 'md5', hex: '' } as const
  verifier.check(
    stamps.map((stamp) => ({ path: stamp.file, stamp, expected })),
    enqueue,
  )
  await eventually(() => expect(known.size).toBe(2), 50_000)
  expect(stamps.map((stamp) => cache.get(stamp, 'md5'))).toEqual([md5OfZeros, hexOf('md5', 'kernel')])
  expect(verifier.idle).toBe(true)
}, 60_000)

test('a stopped verifier does not report results', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'vmlinuz', 'kernel')
  const told: string[] = []
  const cache = new VerifyCache(folder)
  const verifier = new BackgroundVerifier(cache, (file) => told.push(file))
  const stamp = await existing(join(folder, 'vmlinuz'))
  const file = { path: 'vmlinuz', stamp, expected: { algorithm: 'sha256', hex: 'ab' } } as const
  verifier.check([file], enqueue)
  verifier.start()
  await verifier.stop()
  expect(verifier.check([file], enqueue).unverified).toEqual(['vmlinuz'])
  await pause(50)
  expect([told, cache.get(stamp, 'sha256'), verifier.idle]).toEqual([[], undefined, true])
})

test('a changed file is unknown again', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'vmlinuz')
  writeFileSync(file, 'kernel')
  const cache = new VerifyCache(folder)
  cache.set(await existing(file), 'sha256', 'aa')
  expect(cache.get(await existing(file), 'sha256')).toBe('aa')
  expect(cache.get(await existing(file), 'md5')).toBeUndefined()
  utimesSync(file, 1, 1)
  expect(cache.get(await existing(file), 'sha256')).toBeUndefined()
})

test('digests are kept for the next process', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'vmlinuz', 'kernel')
  const stamp = await existing(join(folder, 'vmlinuz'))
  const data = join(folder, 'data')
  const before = new VerifyCache(data)
  before.set(stamp, 'sha256', 'aa')
  before.set(stamp, 'md5', 'bb')
  await before.save()
  const after = new VerifyCache(data)
  expect(await after.load()).toBeUndefined()
  expect([after.get(stamp, 'sha256'), after.get(stamp, 'md5')]).toEqual(['aa', 'bb'])
})

test.each(['', '{', '[]', 'null', '{"version":2,"files":{}}', '{"version":1,"files":{"/a":{"size":"1"}}}'])(
  'a damaged file of digests (%j) is ignored with a message',
  async (text) => {
    const folder = temporaryFolder()
    writeBelow(folder, 'verified.json', text)
    const cache = new VerifyCache(folder)
    expect(await cache.load()).toContain('verified.json is damaged')
    cache.set(await existing(join(folder, 'verified.json')), 'md5', 'aa')
    await cache.save()
    expect(JSON.parse(readFileSync(join(folder, 'verified.json'), 'utf8')).version).toBe(1)
  },
)

test('a missing file of digests is not a problem', async () => {
  expect(await new VerifyCache(join(temporaryFolder(), 'none')).load()).toBeUndefined()
})
