import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { concludeTree } from '../../../../server/core/tree/conclude.ts'
import { readDescriptor } from '../../../../server/core/tree/descriptors/descriptor.ts'
import { descriptorFormats } from '../../../../server/core/tree/descriptors/formats.ts'
import type { Description } from '../../../../server/core/tree/tree.ts'

/**
 * The pages of docs/formats. Each example is a fenced block whose info string is a kind and a path. The
 * `json` block after it has the values that are read from the example.
 */
const folder = join(import.meta.dirname, '../../../../docs/formats')
const example = /^```(\w+) (\S+)\n([\s\S]*?)^```\n\s*^```json\n([\s\S]*?)^```$/gm

const pages = readdirSync(folder).map((page) => ({ page, text: readFileSync(join(folder, page), 'utf8') }))
const examples = pages.flatMap(({ page, text }) =>
  [...text.matchAll(example)].map(([, kind = '', path = '', body = '', said = '']) => ({
    page,
    kind,
    path,
    body,
    said,
  })),
)

function readExample({ kind, path, body }: (typeof examples)[number]): Description | undefined {
  if (kind !== 'files' && kind !== 'volume') return readDescriptor(path, new TextEncoder().encode(body))
  // A disc: what `isoinfo -d` prints of it, and then its files.
  const id = (field: string) => new RegExp(`^${field} id: (.*)$`, 'm').exec(body)?.[1] ?? ''
  const volume = {
    system: id('System'),
    volume: id('Volume'),
    publisher: id('Publisher'),
    application: id('Application'),
  }
  const files = body.split('\n').filter((line) => !line.includes(' id:'))
  const sizes = new Map(files.map((file): [string, number] => [file, 1]))
  const disc = kind === 'volume' ? volume : undefined
  return concludeTree({
    name: path,
    volume: disc,
    descriptors: new Map(),
    sizes,
    modifiedMs: 0,
    problems: [],
  })
}

describe('the examples of docs/formats', () => {
  test.each(examples.map((each, at) => ({ ...each, at })))(
    '$page, example $at, $path, is read as the page says',
    (each) => {
      expect(readExample(each)).toMatchObject(JSON.parse(each.said))
    },
  )

  test('every page has an example, and every era has one', () => {
    const without = pages.filter(({ page }) => !examples.some((each) => each.page === page))
    expect(without.map(({ page }) => page)).toEqual(['README.md'])
    const shown = new Set(examples.map((each) => readExample(each)?.era))
    const eras = descriptorFormats.flatMap((format) => format.eras)
    // 1.0 and 1.1 differ from 1.2 in the header alone.
    expect(eras.filter((era) => !shown.has(era))).toEqual(['treeinfo-1.0', 'treeinfo-1.1'])
  })

  test('the index names the file of every format', () => {
    const index = pages.find(({ page }) => page === 'README.md')?.text ?? ''
    for (const { paths } of descriptorFormats) expect(index).toContain(`\`${paths.at(-1)}\``)
  })
})
