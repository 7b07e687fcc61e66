import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { rootPath } from '../../server/files/path.ts'
import { isSearch, searches } from '../support/fuzz.ts'
import { makeRepository, somePackages } from '../support/rpm-repository.ts'
import { imagesOfTree, keptFolder, namesBelow, treeinfoText, writeBelow } from '../support/tree-folder.ts'
import { verifyTreeAt } from '../support/verify.ts'

/**
 * A tree of 500 files whose documents cover each other as a disc's do: SHA256SUMS names every file,
 * `.treeinfo` names its images and `repomd.xml`, which names `primary.xml.gz`, which names the packages.
 */
const kept = keptFolder()
const folder = kept.path
const sha256 = (path: string) =>
  createHash('sha256')
    .update(readFileSync(join(folder, path)))
    .digest('hex')
const list = 'SHA256SUMS'
let files: readonly string[] = []

beforeAll(() => {
  for (const [path, text] of Object.entries(imagesOfTree())) writeBelow(folder, path, text)
  // With three images, primary.xml.gz, repomd.xml, .treeinfo and the list, 500 files.
  makeRepository(folder, somePackages(493))
  const repomd = 'repodata/repomd.xml'
  const treeinfo = treeinfoText().replace(
    '[checksums]\n',
    `[checksums]\n${repomd} = sha256:${sha256(repomd)}\n`,
  )
  writeBelow(folder, '.treeinfo', treeinfo)
  files = namesBelow(folder)
  writeBelow(folder, list, files.map((path) => `${sha256(path)}  ${path}\n`).join(''))
})
afterAll(() => kept.remove())

const verify = () => verifyTreeAt(diskSource(folder), rootPath)

interface Flip {
  readonly path: string
  readonly at: number
  readonly bit: number
}

function flip({ path, at, bit }: Flip): void {
  const file = openSync(join(folder, path), 'r+')
  const byte = Buffer.alloc(1)
  expect(readSync(file, byte, 0, 1, at)).toBe(1)
  byte[0] = (byte[0] ?? 0) ^ (1 << bit)
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
}

/** Flips one bit of a byte in each of these files, looks, and flips it back. */
async function withFlips<T>(flips: readonly Flip[], look: () => Promise<T>): Promise<T> {
  for (const each of flips) flip(each)
  try {
    return await look()
  } finally {
    for (const each of flips) flip(each)
  }
}

const sizeOf = (path: string) => statSync(join(folder, path)).size

test('the intact tree has 500 files and no finding', async () => {
  expect(files.length + 1).toBe(500)
  // No document names the list.
  expect(await verify()).toMatchObject({ findings: [], files: 499 })
})

const places: readonly [string, (size: number) => number][] = [
  ['middle', (size) => size >> 1],
  ['first', () => 0],
  ['last', (size) => size - 1],
]

test.each(isSearch ? places : places.slice(0, 1))(
  'a flipped bit in the %s byte of any file is found and named',
  async (_, place) => {
    // Those that name others are taken one by one below: what they say of others changes with them.
    const targets = files.filter((path) => path !== '.treeinfo' && !path.startsWith('repodata/'))
    const flips = targets.map((path, n) => ({ path, at: place(sizeOf(path)), bit: n % 8 }))
    const { findings } = await withFlips(flips, verify)
    expect(findings.map(({ path }) => path)).toEqual(targets)
    for (const { message } of findings)
      expect(message).toMatch(/^is damaged: sha256 is [0-9a-f]{64}; .* says [0-9a-f]{64}$/)
  },
)

test('a flipped bit anywhere, most often in the documents, is found and named', async () => {
  const documents = files.filter((path) => path === '.treeinfo' || path.startsWith('repodata/'))
  const path = fc.oneof(fc.constantFrom(...files), fc.constantFrom(...documents))
  const place = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }))
  await fc.assert(
    fc.asyncProperty(path, place, fc.nat(7), async (path, place, bit) => {
      const at = Math.floor(place * (sizeOf(path) - 1))
      const { findings } = await withFlips([{ path, at, bit }], verify)
      expect(findings.filter((each) => each.severity === 'error').map((each) => each.path)).toContain(path)
    }),
    { numRuns: searches(12, 1 / 12) },
  )
})

test('any one byte of the list that changes its meaning: the list is named', async () => {
  const text = readFileSync(join(folder, list))
  // The first 64 characters of a line are its digest.
  const isLetterOfDigest = (at: number) =>
    /[a-f]/i.test(String.fromCharCode(text[at] ?? 0)) && text.lastIndexOf('\n', at) + 65 > at
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.nat(7), async (at, bit) => {
      // Bit 5 makes `A` of `a`, which is the same digit.
      fc.pre(bit !== 5 || !isLetterOfDigest(at))
      const { findings } = await withFlips([{ path: list, at, bit }], verify)
      expect(findings.some((each) => each.path === list || each.message.includes(list))).toBe(true)
    }),
    { numRuns: searches(12, 1 / 12) },
  )
})

test('a path that no file can have is a finding of its document, and the rest is still verified', async () => {
  const text = readFileSync(join(folder, '.treeinfo'), 'utf8')
  const bad = text
    .replace('kernel = images', 'kernel = \u0001images')
    .replace('repository = .', 'repository = \u0001')
  writeBelow(folder, '.treeinfo', bad)
  const { findings } = await verify()
  writeBelow(folder, '.treeinfo', text)
  const messages = findings.map(({ path, message }) => `${path} ${message}`)
  expect(messages).toEqual(
    expect.arrayContaining([
      expect.stringContaining('the descriptor names "\\u0001", which is not a path'),
      expect.stringContaining('the descriptor names "\\u0001images/pxeboot/vmlinuz", which is not a path'),
      expect.stringContaining('.treeinfo is damaged: sha256'),
    ]),
  )
})
