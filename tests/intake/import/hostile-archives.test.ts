import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { importArchive } from '../../../server/intake/import/import-archive.ts'
import { TreeWriter } from '../../../server/intake/import/tree-writer.ts'
import { runs } from '../../support/fuzz.ts'
import { GuardedFolder, hostileEntries, plantedLinks } from '../../support/hostile-archives.ts'
import { arOf, type TarSpec, tarOf } from '../../support/tar.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

type Packing = 'tar' | 'tar.gz' | 'deb'

/** With those of the second runs, half as many again. */
const cases = runs(1334)

/** Unpacks an archive over what an earlier run left. It may be refused, with a reason for people. */
async function unpack(
  folder: GuardedFolder,
  entries: readonly TarSpec[],
  packing: Packing = 'tar',
): Promise<void> {
  const file = join(folder.base, 'archive')
  const tar = tarOf(
    entries.map((each) => ({ ...each, ...(each.target && { target: folder.real(each.target) }) })),
  )
  const data = packing === 'tar' ? tar : gzipSync(tar, { level: 1 })
  writeFileSync(file, packing === 'deb' ? arOf({ 'data.tar.gz': data }) : data)
  const writer = new TreeWriter(folder.tree, folder.tempFolder)
  try {
    await writer.start()
    await importArchive(file, packing === 'deb' ? 'deb' : 'tar', writer, { onProgress: () => undefined })
    await writer.finish()
  } catch (error) {
    expect(error).toBeInstanceOf(Failure)
  }
}

const packing = fc.constantFrom<Packing>('tar', 'tar', 'tar', 'tar', 'tar.gz', 'deb')
const secondRun = fc.option(fc.record({ planted: plantedLinks, entries: hostileEntries }), { freq: 2 })

test('no archive makes, changes, links or shows anything outside of its tree, alone or over an earlier run', async () => {
  const folder = new GuardedFolder(temporaryFolder())
  await fc.assert(
    fc.asyncProperty(hostileEntries, packing, secondRun, async (entries, packing, again) => {
      folder.reset()
      await unpack(folder, entries, packing)
      folder.check()
      if (!again) return
      for (const [path, target] of again.planted) folder.plant(path, target)
      await unpack(folder, again.entries)
      folder.check()
    }),
    { numRuns: cases },
  )
}, 120_000)
