import { createHash } from 'node:crypto'
import { renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { diskSource } from '../../../server/files/disk.ts'
import { isoSource } from '../../../server/files/iso/source.ts'
import { cleanPath } from '../../../server/files/path.ts'
import type { Entry } from '../../../server/files/source.ts'
import { Hasher } from '../../../server/verify/digests/hasher.ts'
import { anyone } from '../../contract/file-source.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

/** What is expected to be large is hashed in threads, even when little comes. */
const large = 1 << 30
const hex = (algorithm: string, data: string | Uint8Array) => createHash(algorithm).update(data).digest('hex')

async function entryOf(folder: string, name: string, data: Uint8Array | string): Promise<Entry> {
  writeFileSync(join(folder, name), data)
  return (await diskSource(folder).stat(cleanPath(name), anyone)) as Entry
}

function hasherOf(expected: number, options: ConstructorParameters<typeof Hasher>[0] = {}): Hasher {
  const hasher = new Hasher(options)
  hasher.expect(expected)
  onTestFinished(() => hasher.stop())
  return hasher
}

test.each([
  ['on the event loop', 0],
  ['in threads', large],
])('%s: many files at once, every algorithm, and each byte is counted once', async (_, expected) => {
  const folder = temporaryFolder()
  const told: number[] = []
  const hasher = hasherOf(expected, { onProgress: (done) => told.push(done) })
  const data = Array.from({ length: 15 }, (_, n) => Buffer.alloc(n * 100_003, n))
  const entries = await Promise.all(data.map((bytes, n) => entryOf(folder, `f${n}`, bytes)))
  const digests = await Promise.all(
    entries.map((entry) => hasher.digests(entry, ['md5', 'sha256', 'sha512'])),
  )
  for (const [n, bytes] of data.entries())
    expect(digests[n]).toEqual({
      md5: hex('md5', bytes),
      sha256: hex('sha256', bytes),
      sha512: hex('sha512', bytes),
    })
  expect(told.at(-1)).toBe(data.reduce((sum, { length }) => sum + length, 0))
})

test('a file inside an image is read at its place in the image', async () => {
  const folder = temporaryFolder()
  const image = join(folder, 'x.iso')
  writeFileSync(
    image,
    writeIso({ files: { before: 'x'.repeat(5000), 'a/file': 'the file', after: 'y'.repeat(5000) } }).bytes,
  )
  const entry = (await (await isoSource(image)).stat(cleanPath('/a/file'), anyone)) as Entry
  expect(await hasherOf(large).digests(entry, ['sha256'])).toEqual({ sha256: hex('sha256', 'the file') })
})

test('a file that was replaced, and one that is gone, are refused', async () => {
  const folder = temporaryFolder()
  const hasher = hasherOf(large)
  const replaced = await entryOf(folder, 'a', 'the file')
  writeFileSync(join(folder, 'other'), 'another!')
  renameSync(join(folder, 'other'), join(folder, 'a'))
  await expect(hasher.digests(replaced, ['sha256'])).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/replaced/),
  })
  const gone = await entryOf(folder, 'b', 'the file')
  rmSync(join(folder, 'b'))
  await expect(hasher.digests(gone, ['sha256'])).rejects.toThrow('ENOENT')
})

test('an abort inside a large file ends it at once; the next one is refused with the reason', async () => {
  const folder = temporaryFolder()
  const aborter = new AbortController()
  const reason = new Error('enough')
  const hasher = hasherOf(large, { signal: aborter.signal, onProgress: () => aborter.abort(reason) })
  await entryOf(folder, 'big', '')
  truncateSync(join(folder, 'big'), 20 * large)
  const entry = (await diskSource(folder).stat(cleanPath('big'), anyone)) as Entry
  await expect(hasher.digests(entry, ['sha256'])).rejects.toThrow()
  await expect(hasher.digests(entry, ['sha256'])).rejects.toBe(reason)
})
