import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { canonicalArch } from '../../server/core/tree/arch.ts'
import { missingClient, requireClient } from '../support/clients.ts'
import { kernelHeads } from '../support/kernel-heads.ts'
import { type Bench, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { dryRun } from '../support/lab/virt-install.ts'
import { type LayoutRow, layoutRows } from '../support/layout-rows.ts'
import { writeBelow } from '../support/tree-folder.ts'

/**
 * The miniature of one row of docs/layouts.md for each distribution, as treeboot serves it to virt-install.
 * EVERY_LAYOUT=1 tries all rows.
 */
const isFirst = ({ system }: LayoutRow, at: number) =>
  layoutRows.findIndex((row) => nameOf(row.system) === nameOf(system)) === at
const nameOf = (system: string) => system.replace(/ [\d.]+$/, '')
const chosen = layoutRows
  .filter(({ platform }) => platform !== 'xen' && platform !== 'lpae')
  .filter((row) => process.env.EVERY_LAYOUT !== undefined || isFirst(row, layoutRows.indexOf(row)))
  .map((row, at) => ({ ...row, id: `l${at}/${slug(row.system)}-${slug(row.platform)}` }))

function slug(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9._]+/g, '-')
}

const heads = new Map([...kernelHeads().values()].map((each) => [canonicalArch(each.arch), each]))

describe('virt-install --location finds kernel and initrd of every layout', () => {
  const needs = ['virt-install', 'curl'] as const
  let bench: Bench
  let treeboot: Treeboot

  beforeEach(() => {
    requireClient(...needs)
  })
  beforeAll(async () => {
    bench = makeBench()
    if (missingClient(needs)) return
    for (const { id, kernel, initrd, platform } of chosen) {
      const { head = Buffer.from('kernel') } = heads.get(canonicalArch(platform)) ?? {}
      writeBelow(bench.folder, `trees/${id}/${kernel}`, head)
      writeBelow(bench.folder, `trees/${id}/${initrd}`, 'initrd')
    }
    treeboot = await startTreeboot(bench, { trees: chosen.map(({ id }) => id) })
  })
  afterAll(() => bench.undo.unwind())

  test.each(chosen)('$system, $medium, $platform', ({ id, kernel, initrd }) => {
    const { fetched, xml } = dryRun(bench.folder, `${treeboot.url}/trees/${id}`, 'hvm')
    expect(fetched.slice(-2)).toEqual([kernel, initrd])
    expect(xml).toContain('<kernel>')
  })
})
