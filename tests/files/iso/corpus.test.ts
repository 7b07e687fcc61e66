import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { isoSource } from '../../../server/files/iso/source.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { TreeWriter } from '../../../server/intake/import/tree-writer.ts'
import { unpackImage } from '../../../server/intake/import/unpack-image.ts'
import { anyone, contentOf } from '../../contract/file-source.ts'
import { runs } from '../../support/fuzz.ts'
import { fromSparseHex } from '../../support/iso/walk-image.ts'
import { namesBelow, temporaryFolder } from '../../support/tree-folder.ts'

/** Whole images of the corpus, changed somewhere, are written to the disk and unpacked as far as possible. */
const folder = join(import.meta.dirname, '../../corpus/iso')
const corpus = readdirSync(folder)
  .filter((name) => name.endsWith('.hex'))
  .map((name) => [name, fromSparseHex(readFileSync(join(folder, name), 'utf8'))] as const)

/** Unpacks an image into a folder of its own; returns the unpacked files, or the failure. */
async function unpack(base: string, image: Buffer, n: number): Promise<string[] | Failure> {
  const file = join(base, `${n}.iso`)
  const tree = join(base, String(n), 'tree')
  writeFileSync(file, image)
  const writer = new TreeWriter(tree, join(base, String(n), 'aside'))
  try {
    await writer.start()
    await unpackImage(file, writer, { onProgress: () => undefined, evenIfCut: true })
    await writer.finish()
  } catch (error) {
    expect(error).toBeInstanceOf(Failure)
    return error as Failure
  }
  return namesBelow(tree)
}

test.each(corpus.filter(([name]) => name.startsWith('xorriso')))(
  '%s has all files that were written into it',
  async (_, image) => {
    const base = temporaryFolder()
    const names = await unpack(base, image, 0)
    expect(names).toEqual([
      '.treeinfo',
      `P/${'long-name-'.repeat(20)}.rpm`,
      'a/b/c/d/e/f/g/h/i/j/deep',
      'boot',
      'images/pxeboot/vmlinuz',
      'odd',
      'ümlaut und blank',
    ])
    // `odd` is a symlink to `a/../a/./b`.
    const source = await isoSource(join(base, '0.iso'))
    expect(
      (await contentOf(await source.stat(cleanPath('/odd/c/d/e/f/g/h/i/j/deep'), anyone))).toString(),
    ).toBe('deep\n')
  },
)

test('every image and every mutation is unpacked or refused, and nothing is written outside of its folder', async () => {
  const base = temporaryFolder()
  let n = 0
  for (const [, image] of corpus) await unpack(base, image, n++)
  /** By image: the positions of the bytes that are not 0. */
  const placesByImage = new Map(
    corpus.map(([name, image]) => {
      const places: number[] = []
      for (let at = 0; at < image.length; at++) if (image[at] !== 0) places.push(at)
      return [name, places]
    }),
  )
  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const value = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x2e, 0x2f, 0x7f, 0x80, 0xff))
  const changes = fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 6 })
  // Five of six images are cut, too.
  const cut = fc.option(place, { freq: 6 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...corpus), changes, cut, async ([name, image], changes, cut) => {
      const bytes = Buffer.from(image)
      const places = placesByImage.get(name) ?? []
      for (const [at, value] of changes) bytes[places[Math.floor(at * (places.length - 1))] ?? 0] = value
      const end = cut === null ? bytes.length : Math.floor(cut * bytes.length)
      await unpack(base, bytes.subarray(0, end), n++)
    }),
    { numRuns: runs(60) },
  )
  // `unpack` itself makes an image and a folder for each number.
  const expected = Array.from({ length: n }, (_, each) => [String(each), `${each}.iso`]).flat()
  expect(readdirSync(base).sort()).toEqual(expected.sort())
})
