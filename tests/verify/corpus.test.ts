import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureKind, failureMessage } from '../../server/core/failure.ts'
import { memorySource } from '../../server/files/memory.ts'
import { rootPath } from '../../server/files/path.ts'
import { type PackageFile, readPackages } from '../../server/verify/documents/primary.ts'
import { parseRepomd } from '../../server/verify/documents/repomd.ts'
import { runs } from '../support/fuzz.ts'
import { expectGolden } from '../support/golden.ts'
import { verifyTreeAt } from '../support/verify.ts'

const corpus = (kind: string): readonly [string, Buffer][] => {
  const folder = join(import.meta.dirname, '../corpus', kind)
  return readdirSync(folder)
    .sort()
    .map((name) => [name, readFileSync(join(folder, name))])
}
const repomds = corpus('repomd')
const primaries = corpus('primary')
const treeinfos = corpus('treeinfo')

/** Bytes changed, cut, doubled, or spliced with another file. */
function mutated(files: readonly (readonly [string, Buffer])[]): fc.Arbitrary<Buffer> {
  const whole = fc.constantFrom(...files.map(([, bytes]) => bytes))
  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const tokens = ['<', '>', '"', '&', '</', '<!--', ']]>', '<![CDATA[', '\0', '[', ']', '=', '\n', '..', '%']
  return fc
    .tuple(whole, whole, place, place, fc.nat(5), fc.uint8Array({ maxLength: 6 }), fc.constantFrom(...tokens))
    .map(([bytes, other, a, b, how, junk, token]) => {
      const [from, to] = [
        Math.floor(Math.min(a, b) * bytes.length),
        Math.floor(Math.max(a, b) * bytes.length),
      ]
      const [head, middle, tail] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)]
      const parts = [
        [head, Buffer.from(junk), bytes.subarray(from + junk.length)],
        [head, tail],
        [head, middle, middle, tail],
        [head, Buffer.from(token), middle, tail],
        [head],
        [head, other.subarray(Math.floor(b * other.length))],
      ]
      return Buffer.concat(parts[how] ?? [])
    })
}

/** Reads the packages, by default in pieces that cut their entries in two. */
async function packagesOf(bytes: Uint8Array, step = 700): Promise<PackageFile[]> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
  }
  const found: PackageFile[] = []
  for await (const file of readPackages(pieces())) found.push(file)
  return found
}

/** The result for each file: what was read of it, a line each, or why it was refused. */
async function outcomes(
  files: readonly (readonly [string, Buffer])[],
  read: (bytes: Buffer) => readonly PackageFile[] | Promise<readonly PackageFile[]>,
): Promise<string> {
  const lines: string[] = []
  for (const [name, bytes] of files) {
    lines.push(`${name}:`)
    try {
      for (const { href, size, digest, elsewhere } of await read(bytes)) {
        const at = elsewhere === undefined ? '' : ` at ${elsewhere}`
        lines.push(`  ${JSON.stringify(href.slice(0, 100))} ${size ?? '-'} ${digest?.algorithm ?? '-'}${at}`)
      }
    } catch (error) {
      expect(failureKind(error), name).toBe('invalid-data')
      lines.push(`  refused: ${failureMessage(error).split(':')[0]}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function expectFacts({ href, size, digest }: PackageFile): void {
  expect(typeof href).toBe('string')
  expect(size === undefined || (Number.isSafeInteger(size) && size >= 0)).toBe(true)
  expect(digest === undefined || /^[0-9a-f]{32,128}$/.test(digest.hex)).toBe(true)
}

describe('repomd.xml', () => {
  test('of every kind: what is read of it, or why it is refused', async () => {
    expectGolden('corpus/repomd.txt', await outcomes(repomds, (bytes) => parseRepomd(bytes.toString('utf8'))))
  })

  test('with any mutation is read or refused', () => {
    fc.assert(
      fc.property(mutated(repomds), (bytes) => {
        try {
          parseRepomd(bytes.toString('utf8')).forEach(expectFacts)
        } catch (error) {
          expect(failureKind(error)).toBe('invalid-data')
        }
      }),
      { numRuns: runs(150) },
    )
  })
})

describe('primary.xml', () => {
  test('of every kind: what is read of it, or why it is refused', async () => {
    expectGolden('corpus/primary.txt', await outcomes(primaries, packagesOf))
  })

  test('with any mutation is read or refused, the same in pieces of any size', async () => {
    const read = (bytes: Buffer, step: number) =>
      packagesOf(bytes, step).catch((error: unknown) => {
        expect(failureKind(error)).toBe('invalid-data')
        return 'refused'
      })
    await fc.assert(
      fc.asyncProperty(mutated(primaries), fc.integer({ min: 1, max: 5000 }), async (bytes, step) => {
        const found = await read(bytes, step)
        expect(await read(bytes, bytes.length + 1)).toEqual(found)
        if (typeof found !== 'string') found.forEach(expectFacts)
      }),
      { numRuns: runs(500) },
    )
  })

  test.each(['<!-- ', '<location ', '<checksum type="', '<![CDATA[', '<size package='])(
    'a package of two million characters of %s is read in a moment',
    async (piece) => {
      const text = `<metadata><package>${piece.repeat(2_000_000 / piece.length)}</package></metadata>`
      // To search for the end again from each beginning would exceed the time limit of a test.
      expect(await packagesOf(Buffer.from(text), 1 << 20)).toEqual([])
    },
  )
})

describe('a tree', () => {
  const images = { 'images/pxeboot/vmlinuz': 'kernel', 'images/pxeboot/initrd.img': 'initrd' }
  const verify = (files: Record<string, Uint8Array | string>) =>
    verifyTreeAt(memorySource({ ...images, ...files }), rootPath)

  test.each(treeinfos)('%s: a report, whatever it says', async (_, bytes) => {
    const { findings } = await verify({ '.treeinfo': bytes })
    for (const { path, message } of findings) expect(`${path} ${message}`).toMatch(/\S/)
  })

  test('with mutations of all its documents gets a report, and never an exception', async () => {
    await fc.assert(
      fc.asyncProperty(
        mutated(treeinfos),
        mutated(repomds),
        mutated(primaries),
        async (treeinfo, repomd, primary) => {
          const report = await verify({
            '.treeinfo': treeinfo,
            'repodata/repomd.xml': repomd,
            'repodata/primary.xml.gz': gzipSync(primary),
            // No line of it is a checksum of coreutils.
            SHA256SUMS: treeinfo,
          })
          expect(report.findings.length).toBeLessThan(100_000)
        },
      ),
      { numRuns: runs(60) },
    )
  })
})
