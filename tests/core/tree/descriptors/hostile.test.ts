import { describe, expect, test } from 'vitest'
import { readDescriptors } from '../../../../server/core/tree/conclude.ts'
import { descriptorFormats } from '../../../../server/core/tree/descriptors/formats.ts'

/** The work for each of these grew with the square of the text: it would exceed the time limit of a test. */
const million = 1_000_000

function readAs(path: string, text: string) {
  const format = descriptorFormats.find(({ paths }) => paths.includes(path))
  return readDescriptors(new Map([[path, Buffer.from(text.slice(0, format?.maxBytes))]]))
}

describe('a descriptor that is as large as it may be is read in a moment:', () => {
  test.each<[string, string]>([
    ['.discinfo', `1234567.1\nFedora ${'1.'.repeat(million)}\nx86_64\n`],
    ['content', `PRODUCT a\nVENDOR b\nLABEL ${' '.repeat(4 * million)}x`],
    ['content', `PRODUCT a\nVENDOR b\nLABEL ${'1.'.repeat(2 * million)}`],
    ['media.1/media', `SUSE\n${'SUSE'.repeat(million)}\n1\n`],
    ['VERSION', '\n'.repeat(million)],
    ['version.info', `Debian ${'version: '.repeat(million)}`],
  ])('%s', (path, text) => {
    const { family = '' } = readAs(path, text) ?? {}
    expect(family.length).toBeLessThanOrEqual(400)
  })

  test('.treeinfo that names each of 20,000 variants, and has each in another case', () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => `v${i}`)
    const sections = ids.map((id) => `[Variant-${id}]\nrepository = ${id}\n`).join('')
    const text = `[general]\nfamily = F\nvariants = ${ids.join(',')}\n${sections}`
    expect(text.length).toBeLessThan(1024 * 1024)
    expect(readAs('.treeinfo', text)?.repositories).toHaveLength(20_000)
  })
})
