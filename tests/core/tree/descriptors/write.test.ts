import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDescriptor } from '../../../../server/core/tree/descriptors/descriptor.ts'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'
import { writeTreeinfo } from '../../../../server/core/tree/descriptors/write.ts'
import type { Description } from '../../../../server/core/tree/tree.ts'
import { runs } from '../../../support/fuzz.ts'
import { nastyDescription } from '../../../support/nasty-descriptions.ts'
import { readCorpus } from '../../../support/treeinfo-corpus.ts'

function reread(description: Description): Description {
  const again = readTreeinfo('.treeinfo', writeTreeinfo(description))
  if (!again) throw new Error('our own .treeinfo was not recognised')
  return again
}

test('for any description, every line is a header or a key, and reading reports nothing odd', () => {
  fc.assert(
    fc.property(nastyDescription, (description) => {
      const text = writeTreeinfo(description)
      for (const line of text.split('\n'))
        expect(line).toMatch(/^$|^\[[\w.+-]+\]$|^[^\s[#;=:][^=:]* = [^%\n\r]*$/u)
      const headers = text.match(/^\[.*\]$/gm) ?? []
      expect(new Set(headers).size).toBe(headers.length)
      const again = reread(description)
      // These three are about the content of the description, not about how it was written.
      const odd = again.problems.filter(
        ({ message }) => !/leaves the tree|names no|there is no/.test(message),
      )
      expect(odd).toEqual([])
    }),
    { numRuns: runs(500) },
  )
})

describe('round trip', () => {
  const bootable = readCorpus().filter(({ kernel, initrd }) => kernel !== undefined && initrd !== undefined)

  test.each(bootable)('$file', ({ file, bytes }) => {
    const first = readDescriptor(file, bytes)
    const again = reread(first)
    const said = ({ family, version, arch, platforms, stage2, instimage, checksums }: Description) => ({
      family,
      version,
      arch,
      platforms,
      stage2,
      instimage,
      checksums,
    })
    expect(said(again)).toEqual(said(first))
    if (first.variant !== '') expect(again.variant).toBe(first.variant)
    expect(writeTreeinfo(again)).toBe(writeTreeinfo(first))
  })
})

test('an Ubuntu tree gets the .treeinfo that virt-install needs', () => {
  const text = writeTreeinfo({
    era: 'disk-info',
    family: 'Ubuntu',
    version: '24.04',
    variant: 'Server',
    arch: 'x86_64',
    platforms: { x86_64: { kernel: 'casper/vmlinuz', initrd: 'casper/initrd', others: {} } },
    repositories: [],
    checksums: {},
    timestamp: 1713918000.5,
    problems: [],
  })
  expect(text).toBe(`[general]
arch = x86_64
family = Ubuntu
name = Ubuntu 24.04
packagedir = 
platforms = x86_64
repository = .
timestamp = 1713918000
variant = Server
variants = Server
version = 24.04

[header]
type = productmd.treeinfo
version = 1.2

[images-x86_64]
initrd = casper/initrd
kernel = casper/vmlinuz

[release]
name = Ubuntu
short = Ubuntu
version = 24.04

[tree]
arch = x86_64
build_timestamp = 1713918000
platforms = x86_64
variants = Server

[variant-Server]
id = Server
name = Server
packages = Packages
repository = .
type = variant
uid = Server
`)
})
