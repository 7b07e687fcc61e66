import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureKind } from '../../server/core/failure.ts'
import { documentLimits } from '../../server/core/limits/documents.ts'
import { folderEntry } from '../../server/files/entry.ts'
import { memorySource, textEntry } from '../../server/files/memory.ts'
import { rootPath } from '../../server/files/path.ts'
import type { Entry, FileSource } from '../../server/files/source.ts'
import { readPackagesIndex } from '../../server/verify/documents/debian-index.ts'
import { type PartsOptions, partsOf } from '../../server/verify/documents/parts.ts'
import { readPackages } from '../../server/verify/documents/primary.ts'
import { parseRepomd } from '../../server/verify/documents/repomd.ts'
import { collectExpectedFiles } from '../../server/verify/expected-files.ts'
import { isSameSignedText } from '../../server/verify/signatures/armour.ts'
import { verifyImage } from '../../server/verify/verify-image.ts'
import { isSearch, runs } from '../support/fuzz.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { stating } from '../support/stating.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'
import { verifyTreeAt } from '../support/verify.ts'

const md5 = 'a'.repeat(32)
const verify = (files: Record<string, Uint8Array | string>) => verifyTreeAt(memorySource(files), rootPath)
const errorsOf = async (files: Record<string, Uint8Array | string>) =>
  (await verify(files)).findings.filter(({ severity }) => severity === 'error')

/** Pieces without end, which are counted. */
function endless(first: string, piece: string) {
  const counted = { bytes: 0 }
  async function* pieces() {
    yield Buffer.from(first)
    for (const bytes = Buffer.from(piece); ; counted.bytes += bytes.length) yield bytes
  }
  return { counted, pieces: pieces() }
}

async function drain(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of items) count++
  return count
}

/** A tree whose only document is the index of a Debian archive. */
const debian = (packages: Uint8Array) => ({
  'dists/stable/Release': `SHA256:\n ${'0'.repeat(64)} 5 main/binary-amd64/Packages.gz\n`,
  'dists/stable/main/binary-amd64/Packages.gz': packages,
})

describe("Debian's Packages", () => {
  test('without an empty line is given up when one package is too long, not at its end', async () => {
    const { counted, pieces } = endless('Package: x\nDescription: ', 'a'.repeat(65_536))
    await expect(drain(readPackagesIndex(pieces))).rejects.toThrow(stating('entry of more than', '1048576'))
    expect(counted.bytes).toBeLessThanOrEqual(documentLimits.packagesStanza.bytes + 65_536)
  })

  test('without an empty line, packed, is a finding of its tree', async () => {
    const text = `Package: x\nFilename: pool/x.deb\nDescription: ${'a'.repeat(4 << 20)}`
    const found = await errorsOf(debian(gzipSync(text)))
    expect(found).toContainEqual({
      severity: 'error',
      path: 'dists/stable/main/binary-amd64/Packages.gz',
      message: expect.stringMatching(stating('cannot be read', 'Packages', '1048576')),
    })
  })

  // It takes a second.
  test.runIf(isSearch)('with packages of nothing is given up when there are too many', async () => {
    const { counted, pieces } = endless('', '\n'.repeat(65_536))
    await expect(drain(readPackagesIndex(pieces))).rejects.toThrow(stating('more than 500000 entries'))
    expect(counted.bytes).toBeLessThanOrEqual(2 * documentLimits.packagesIndex.entries + 2 * 65_536)
  })
})

describe('a text in parts', () => {
  const limits = { what: 'x', separator: '--', maxBytes: 1000, maxPartLength: 10, maxParts: 5 }
  const read = async (text: string, step: number, options: Partial<PartsOptions> = {}) => {
    async function* pieces() {
      for (let at = 0; at < text.length; at += step) yield Buffer.from(text.slice(at, at + step))
    }
    const parts: string[] = []
    for await (const part of partsOf(pieces(), { ...limits, ...options })) parts.push(part.text)
    return parts
  }

  test('is cut at the same places, whatever pieces it comes in', async () => {
    const text = fc.string({ unit: fc.constantFrom('-', 'a'), maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (whole, step) => {
        const options = { maxParts: 100, maxPartLength: 100 }
        expect(await read(whole, step, options)).toEqual(whole.split('--'))
      }),
      { numRuns: runs(200) },
    )
  })

  test.each<[string, string, Partial<PartsOptions>]>([
    ['bytes', 'a--'.repeat(5), { maxBytes: 14 }],
    ['characters in one part', 'a'.repeat(11), {}],
    ['characters in one part that ends', `${'a'.repeat(11)}--`, {}],
    ['parts', 'a--'.repeat(6), {}],
  ])('with too many %s is refused', async (_, text, options) => {
    for (const step of [1, 3, 100])
      await expect(read(text, step, options).catch(failureKind)).resolves.toBe('too-large')
  })

  test('up to each limit is read', async () => {
    expect(await read(`${'a'.repeat(10)}--`.repeat(5), 4)).toHaveLength(6)
    expect(await read('a--'.repeat(5), 4, { maxBytes: 15 })).toHaveLength(6)
  })
})

describe('repository metadata', () => {
  test('primary.xml with one package without end is given up', async () => {
    const { counted, pieces } = endless('<metadata><package>', ' '.repeat(65_536))
    await expect(drain(readPackages(pieces))).rejects.toThrow(stating('entry of more than', '4194304'))
    expect(counted.bytes).toBeLessThanOrEqual(documentLimits.primaryEntry.bytes + 65_536)
  })

  // It takes a second.
  test.runIf(isSearch)(
    'primary.xml with packages of nothing is given up when there are too many',
    async () => {
      const { pieces } = endless('<metadata>', '</package>'.repeat(6500))
      await expect(drain(readPackages(pieces))).rejects.toThrow(stating('more than 500000 entries'))
    },
  )

  test('repomd.xml that is too large is a finding, and the other documents are read', async () => {
    const { findings, documents } = await verify({
      'repodata/repomd.xml': ' '.repeat(documentLimits.repomd.bytes + 1),
      MD5SUMS: `${md5}  x\n`,
    })
    expect(findings).toContainEqual(
      expect.objectContaining({
        path: 'repodata/repomd.xml',
        message: expect.stringMatching(stating('1048577', '1048576')),
      }),
    )
    expect(documents).toEqual(['MD5SUMS'])
  })

  test('repomd.xml with elements in one another is refused, with a short reason', () => {
    const { depth } = documentLimits.repomd
    const nested = (levels: number) => `<repomd>${'<a>'.repeat(levels)}${'</a>'.repeat(levels)}</repomd>`
    expect(parseRepomd(nested(depth - 2))).toEqual([])
    expect(() => parseRepomd(nested(depth + 1))).toThrow(stating('repomd.xml is not XML'))
    try {
      parseRepomd('<a>'.repeat(50_000))
      expect.fail('it was read')
    } catch (error) {
      expect(String(error).length).toBeLessThan(400)
    }
  })
})

describe('a hostile tree', () => {
  const lines = (count: number) => `${md5} a\n`.repeat(count)

  // It takes a second.
  test.runIf(isSearch)('a list and a Release with too many lines are findings', async () => {
    const found = await errorsOf({
      MD5SUMS: lines(documentLimits.checksumList.entries + 1),
      'dists/x/Release': ' \n'.repeat(documentLimits.debianRelease.entries + 1),
    })
    expect(found.map(({ path }) => path)).toEqual(['MD5SUMS', 'dists/x/Release'])
  })

  // It takes four seconds.
  test.runIf(isSearch)(
    'that names too many files gets a finding, and the event loop turns meanwhile',
    async () => {
      const list = lines(documentLimits.checksumList.entries - 1)
      let turns = 0
      const ticking = setInterval(() => turns++, 0)
      const lists = Array.from({ length: 6 }, (_, i) => [`${i}/md5sum.txt`, list])
      const tree = { source: memorySource(Object.fromEntries(lists)), at: rootPath, evidence: undefined }
      const { findings } = await collectExpectedFiles(tree, undefined, { packages: true })
      clearInterval(ticking)
      expect(findings.map(({ message }) => message)).toEqual([
        expect.stringMatching(stating('more than 1000000 files')),
      ])
      // Every 2,000 of a million files.
      expect(turns).toBeGreaterThan(100)
    },
  )

  // It takes a second.
  test.runIf(isSearch)('that has too many documents gets a finding for those that are not read', async () => {
    const { entries } = documentLimits.documents
    const files = Array.from({ length: entries + 2 }, (_, i) => [`${i}.sha256`, ''])
    const found = await errorsOf(Object.fromEntries(files))
    expect(found).toHaveLength(2)
    expect(found[0]?.message).toMatch(`more than ${entries} documents`)
  })

  test('whose folders show each other is searched up to a number of folders, with a finding', async () => {
    let listed = 0
    const below = ['a', 'b', 'c'].map((name) => folderEntry(name, 0, name))
    const source: FileSource = {
      stat: () => Promise.resolve(undefined),
      list: () => {
        listed++
        return Promise.resolve(below)
      },
    }
    const { findings } = await verifyTreeAt(source, rootPath)
    expect(findings).toEqual([expect.objectContaining({ severity: 'warning', path: '.' })])
    expect(findings[0]?.message).toMatch('more than 4096 folders')
    // Gathering the evidence lists 96 folders at most, and not these.
    expect(listed).toBeLessThanOrEqual(documentLimits.documentSearch.entries + 100)
  })
})

test('a search for documents is given up when its folders show too many names', async () => {
  const { entries } = documentLimits.documentSearchNames
  // Ten folders show the same names. Symlinks are not looked at.
  const folders = Array.from({ length: 10 }, (_, i) => folderEntry(`${i}`, 0))
  const names = Array<Entry>((entries - folders.length) / 10).fill({
    ...textEntry('x', '', 0),
    kind: 'symlink',
  })
  const findingsWith = async (last: readonly Entry[]) => {
    const source: FileSource = {
      stat: () => Promise.resolve(undefined),
      list: (path) => Promise.resolve({ '/': folders, '/9': last }[path as string] ?? names),
    }
    const tree = { source, at: rootPath, evidence: undefined }
    return (await collectExpectedFiles(tree, undefined, { packages: true })).findings
  }
  expect(await findingsWith(names)).toEqual([])
  expect(await findingsWith([...names, ...folders.slice(0, 1)])).toEqual([
    expect.objectContaining({ severity: 'warning', message: expect.stringMatching(`${entries} names`) }),
  ])
})

describe('an image beside lists of checksums', () => {
  const image = writeIso({ files: { file: 'x' } }).bytes
  const verified = async (lists: Readonly<Record<string, string>>) => {
    const folder = temporaryFolder()
    for (const [name, text] of Object.entries({ ...lists, 'x.iso': image })) writeBelow(folder, name, text)
    const file = join(folder, 'x.iso')
    return verifyImage({ file, evidence: undefined }, { packages: true })
  }

  test('is read by one of 4 MiB, and a larger one names nothing', async () => {
    const { bytes } = documentLimits.checksumListOfImage
    const list = `${md5}  x.iso\n`
    const found = await verified({ MD5SUMS: list.padEnd(bytes) })
    expect(found.findings).toEqual([expect.objectContaining({ severity: 'error', path: 'x.iso' })])
    expect(await verified({ MD5SUMS: list.padEnd(bytes + 1) })).toMatchObject({ findings: [], documents: [] })
  })

  test('is read by 100 of them', async () => {
    const { entries } = documentLimits.checksumListOfImage
    const lists = (count: number) =>
      verified(
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}.sha256`, `${md5}  x.iso\n`])),
      )
    expect((await lists(entries)).documents).toHaveLength(entries)
    expect((await lists(entries + 1)).documents).toHaveLength(entries)
  })
})

test('a line of very many blanks beside a signed copy is compared in a moment', () => {
  const text = `${' '.repeat(1_000_000)}x${'\n'.repeat(1_000_000)}x`
  // To try again from each blank would exceed the time limit of a test.
  expect(isSameSignedText(text, `${text}\n`)).toBe(true)
})
