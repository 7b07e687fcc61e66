import fc from 'fast-check'
import { expect, test } from 'vitest'
import { distroOf, installerOf } from '../../../../server/core/distro/distro.ts'
import { Failure } from '../../../../server/core/failure.ts'
import { concludeTree } from '../../../../server/core/tree/conclude.ts'
import { readDescriptor } from '../../../../server/core/tree/descriptors/descriptor.ts'
import { descriptorFormats } from '../../../../server/core/tree/descriptors/formats.ts'
import { writeTreeinfo } from '../../../../server/core/tree/descriptors/write.ts'
import type { Description } from '../../../../server/core/tree/tree.ts'
import { compareVersions, parseVersion, versionMatcher } from '../../../../server/core/tree/version.ts'
import { anyText } from '../../../support/any-text.ts'
import { runs } from '../../../support/fuzz.ts'
import { readCorpus } from '../../../support/treeinfo-corpus.ts'

const paths = descriptorFormats.flatMap((kind) => kind.paths)
/** In bytes. Damage can be at every place of a file up to this size. */
const largestFile = 8192
const corpus = readCorpus().filter(({ bytes }) => bytes.length < largestFile)

/**
 * Reads a descriptor, or accepts a refusal; any other error is a crash. The rest of core then uses the
 * description.
 */
function survive(file: string, bytes: Uint8Array): void {
  let description: Description
  try {
    description = readDescriptor(file, bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(Failure)
    return
  }
  const distro = distroOf(description)
  installerOf(distro, description.version)
  writeTreeinfo(description)
  JSON.stringify(description)
}

test('no bytes crash a reader', () => {
  fc.assert(fc.property(fc.constantFrom(...paths), fc.uint8Array({ maxLength: 400 }), survive), {
    numRuns: runs(400),
  })
})

test('no text crashes a reader', () => {
  const line = fc.oneof(
    fc.constantFrom(
      '[general]',
      '[images-x86_64]',
      '[checksums]',
      '[variant-__proto__]',
      '[header]',
      'LABEL x',
      'VENDOR y',
    ),
    fc.constantFrom(
      'family = x',
      'arch =',
      'kernel = /',
      'platforms = constructor',
      'version = 1.2',
      'type = x',
      'a -- b',
    ),
    fc.constantFrom(
      'Mageia 9',
      'Debian 9 "x" - amd64',
      '1234567.5',
      'HASH SHA1 x y',
      'BASEARCHS x',
      'repository = ../..',
    ),
    anyText({ maxLength: 30 }),
  )
  const text = fc.array(line, { maxLength: 12 }).map((lines) => new TextEncoder().encode(lines.join('\n')))
  fc.assert(fc.property(fc.constantFrom(...paths), text, survive), { numRuns: runs(600) })
})

test('real files with damage do not crash a reader', () => {
  // `cut` bytes at a place give way to one.
  const hit = fc.record({ at: fc.nat(largestFile), value: fc.nat(255), cut: fc.nat(12) })
  const damage = fc.array(hit, { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.constantFrom(...corpus), damage, (file, hits) => {
      let bytes = Buffer.from(file.bytes)
      for (const { at, value, cut } of hits) {
        const place = at % bytes.length
        bytes = Buffer.concat([bytes.subarray(0, place), Buffer.of(value), bytes.subarray(place + cut)])
      }
      survive(file.file, bytes)
    }),
    { numRuns: runs(300) },
  )
})

test('any evidence is judged without a crash', () => {
  const descriptors = fc.dictionary(
    fc.constantFrom(...paths),
    fc.constantFrom(...corpus.map(({ bytes }) => bytes)),
  )
  const part = fc.constantFrom(
    'images',
    'boot',
    'x86_64',
    'linux',
    'initrd',
    'vmlinuz',
    'casper',
    'initrd.gz',
    '__proto__',
  )
  const files = fc.array(fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')))
  fc.assert(
    fc.property(descriptors, files, fc.string(), (found, names, name) => {
      const sizes = new Map(names.map((file) => [file, 1]))
      concludeTree({ name, descriptors: new Map(Object.entries(found)), sizes, modifiedMs: 0, problems: [] })
    }),
    { numRuns: runs(200) },
  )
})

const version = fc.oneof(
  fc.constantFrom(
    '9',
    '9.10',
    '15 SP4',
    '21_Alpha',
    'rawhide',
    '22.04.3 LTS',
    '',
    '8-stream',
    '9.0 Beta2',
    'bookworm',
  ),
  fc.string({ maxLength: 8 }),
)

test('versions have one total order', () => {
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      // `+ 0` makes 0 of -0, which `toBe` tells apart.
      expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0)
      const [x = '', y = '', z = ''] = [a, b, c].sort(compareVersions)
      expect(compareVersions(x, y)).toBeLessThanOrEqual(0)
      expect(compareVersions(x, z)).toBeLessThanOrEqual(0)
    }),
  )
})

test('every version matches itself', () => {
  fc.assert(fc.property(version, (text) => versionMatcher(text)(parseVersion(text))))
})
