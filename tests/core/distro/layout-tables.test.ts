import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Distro, installerOf, parseDistro } from '../../../server/core/distro/distro.ts'
import { recordOf } from '../../../server/core/distro/families.ts'
import { bootImagesIn, isTellingFolder, layouts, mayBeKernel } from '../../../server/core/distro/layouts.ts'
import { cellsOf, layoutRows as rows, tableLines } from '../../support/layout-rows.ts'

const project = join(import.meta.dirname, '../../..')

/** The arch that a descriptor or a header would tell: of a platform such as `xen`, one that has it. */
const archOf = (platform: string) => ({ xen: 'x86_64', lpae: 'armhfp' })[platform] ?? platform

describe('the tables of docs/layouts.md', () => {
  test.each(rows)('$system, $medium, $platform: $kernel', ({ kernel, initrd, platform }) => {
    const { platforms } = bootImagesIn([initrd, kernel], archOf(platform))
    expect(platforms).toEqual({ [platform]: { kernel, initrd, others: {} } })
  })

  test.each(rows)('a scan finds $kernel', ({ kernel }) => {
    const folders = kernel.split('/').slice(0, -1)
    for (const folder of folders) expect(isTellingFolder(folder), folder).toBe(true)
    if (folders.length === 0) expect(mayBeKernel(kernel)).toBe(true)
  })

  test.each(rows)('$system, $kernel: the installer is $installer', ({ system, kernel, installer }) => {
    const [, name = '', version = ''] = /^(.*?)(?: ([\d.]+))?$/.exec(system) ?? []
    const distro: Distro = parseDistro(name) ?? 'other'
    const found = installerOf(distro, version, kernel)
    const own = recordOf(distro).bootArgs ? 'own' : 'yours'
    expect(found === 'unknown' ? own : found).toBe(installer)
  })

  test('each layout of the code has a row', () => {
    const isShown = ({ kernel, platform }: (typeof layouts)[number]) =>
      rows.some((row) => kernel.test(row.kernel) && (platform === undefined || platform === row.platform))
    expect(layouts.filter((layout) => !isShown(layout)).map(({ kernel }) => kernel.source)).toEqual([])
  })

  test('each source is explained, and nothing else is', () => {
    const explained = tableLines.map(cellsOf).filter((cells) => cells.length === 2)
    const names = explained.map(([name = '']) => name)
    const used = new Set(rows.flatMap(({ from }) => from.split(', ')))
    expect([...used].filter((name) => !names.includes(name))).toEqual([])
    for (const { tried } of rows) expect(['boots', 'read', '-']).toContain(tried)
  })
})

/** What osinfo-db says of real media and trees: how many there are, and where their images are. */
const media = readFileSync(join(project, 'tests/fixtures/media-boot/osinfo-db.tsv'), 'utf8')
  .split('\n')
  .slice(1)
  .filter((line) => line !== '')
  .map((line) => {
    const [count = '', kind = '', arch = '', kernel = '', initrd = ''] = line.split('\t')
    return { count: Number(count), kind, arch, kernel, initrd }
  })

/** The media whose images are not found. docs/layouts.md says why. */
const unknownKernels = [
  /^gnu\/store\//, // Guix
  /^EFI\/BOOT\/BOOTX64\.EFI$/, // Clear Linux
  /^boot\/sparc64$/,
  /^install\/vmlinux-hppa32$/,
]
const unknownInitrds = [/^boot\/miniroot\.gz$/, /^initrd\/initrd\.cpio\.gz$/]

describe('real media and trees, as osinfo-db lists them', () => {
  const isUnknown = ({ kernel, initrd }: (typeof media)[number]) =>
    unknownKernels.some((path) => path.test(kernel)) || unknownInitrds.some((path) => path.test(initrd))
  const known = media.filter((each) => !isUnknown(each))

  test.each(known)('$kind, $arch: $kernel with $initrd', ({ arch, kernel, initrd }) => {
    const { platforms } = bootImagesIn([kernel, initrd], arch === 'all' ? 'x86_64' : arch)
    expect(Object.values(platforms)).toEqual([{ kernel, initrd, others: {} }])
    for (const folder of kernel.split('/').slice(0, -1)) expect(isTellingFolder(folder), folder).toBe(true)
  })

  test('of a thousand media, all but a few are known', () => {
    const sum = (list: typeof media) => list.reduce((all, { count }) => all + count, 0)
    expect(sum(media)).toBeGreaterThan(2000)
    expect(sum(known) / sum(media)).toBeGreaterThan(0.99)
  })
})
