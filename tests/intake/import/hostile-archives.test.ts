import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { importArchive } from '../../../server/intake/import/import-archive.ts'
import { importLocal } from '../../../server/intake/import/import-tree.ts'
import { TreeWriter } from '../../../server/intake/import/tree-writer.ts'
import { unpackImage } from '../../../server/intake/import/unpack-image.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { isSearch, searches } from '../../support/fuzz.ts'
import { GuardedFolder, hostileEntries, plantedLinks } from '../../support/hostile-archives.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { writeUdf } from '../../support/iso/write-udf.ts'
import { arOf, type TarSpec, tarOf } from '../../support/tar.ts'
import { imagesOfTree, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

type Packing = 'tar' | 'tar.gz' | 'deb'

/** How many archives are unpacked; the nightly run unpacks more. */
const archives = Number(process.env.ARCHIVES ?? searches(2000, 1 / 20))
/** A second archive is unpacked over the first one in every second case. */
const cases = Math.ceil(archives / 1.5)
const timeoutMs = Math.max(120_000, archives * 40)

/** What may throw a Failure, and nothing else: an archive may be refused, with a reason for people. */
async function orRefused(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    expect(error).toBeInstanceOf(Failure)
  }
}

/** Fills the tree of the folder, over what an earlier run left. */
async function fill(folder: GuardedFolder, bytes: Buffer, unpack: (writer: TreeWriter) => Promise<void>) {
  writeFileSync(folder.archive, bytes)
  const writer = new TreeWriter(folder.tree, folder.tempFolder)
  await orRefused(async () => {
    await writer.start()
    await unpack(writer)
    await writer.finish()
  })
  folder.check()
}

const options = { onProgress: () => undefined }

function unpackArchive(folder: GuardedFolder, entries: readonly TarSpec[], packing: Packing = 'tar') {
  const tar = tarOf(folder.withRealTargets(entries))
  const data = packing === 'tar' ? tar : gzipSync(tar, { level: 1 })
  const bytes = packing === 'deb' ? arOf({ 'data.tar.gz': data }) : data
  return fill(folder, bytes, (writer) =>
    importArchive(folder.archive, packing === 'deb' ? 'deb' : 'tar', writer, options),
  )
}

/** Runs `check` with a folder that is replaced after a failure, so that the next try finds nothing of it. */
function guarded<Args extends unknown[]>(check: (folder: GuardedFolder, ...args: Args) => Promise<void>) {
  let folder = new GuardedFolder(temporaryFolder())
  return async (...args: Args) => {
    try {
      folder.reset()
      await check(folder, ...args)
    } catch (error) {
      folder = new GuardedFolder(temporaryFolder())
      throw error
    }
  }
}

const packing = fc.constantFrom<Packing>('tar', 'tar', 'tar', 'tar', 'tar.gz', 'deb')
const secondRun = fc.option(fc.record({ planted: plantedLinks, entries: hostileEntries }), { freq: 2 })

test(
  'no archive makes, changes, links or shows anything outside of its tree, alone or over an earlier run',
  async () => {
    const check = guarded(
      async (
        folder,
        entries: TarSpec[],
        packing: Packing,
        again: { planted: [string, string][]; entries: TarSpec[] } | null,
      ) => {
        await unpackArchive(folder, entries, packing)
        if (!again) return
        for (const [path, target] of again.planted) folder.plant(path, target)
        await unpackArchive(folder, again.entries)
      },
    )
    await fc.assert(fc.asyncProperty(hostileEntries, packing, secondRun, check), { numRuns: cases })
  },
  timeoutMs,
)

test('no disc image does so either', async () => {
  const check = guarded(async (folder, entries: TarSpec[], write: typeof writeIso | typeof writeUdf) => {
    const files = folder
      .withRealTargets(entries)
      .map(({ path, target, data = '' }) => [path.replace(/^\/+/, ''), target ? { target } : data] as const)
    const { bytes } = write({ files: Object.fromEntries(files) })
    await fill(folder, bytes, (writer) => unpackImage(folder.archive, writer, options))
  })
  const property = fc.asyncProperty(hostileEntries, fc.constantFrom(writeIso, writeUdf), check)
  await fc.assert(property, { numRuns: searches(200) })
}, 120_000)

test('no published tree has a name that leads out, by whatever path', async () => {
  const tree = { ...imagesOfTree(), '.treeinfo': treeinfoText() }
  let published = 0
  const check = guarded(async (folder, entries: TarSpec[], prefix: string) => {
    const trees = join(folder.base, 'trees')
    rmSync(trees, { recursive: true, force: true })
    mkdirSync(trees)
    const all = Object.entries(tree).map(([path, data]) => ({ path: `${prefix}${path}`, data }))
    writeFileSync(folder.archive, tarOf(folder.withRealTargets([...all, ...entries])))
    await orRefused(() => importLocal(new VersionStore(trees), folder.archive, { id: 'x' }))
    const isPublished = readdirSync(trees).includes('x')
    if (isPublished) published++
    folder.check(isPublished ? join(trees, '.treeboot/versions/x/1') : undefined)
    expect(['x', '.treeboot']).toEqual(expect.arrayContaining(readdirSync(trees)))
  })
  const property = fc.asyncProperty(hostileEntries, fc.constantFrom('', 'a/', 'a/b/c/'), check)
  // The first has nothing hostile in it, so that it is published.
  await fc.assert(property, { numRuns: searches(100), examples: [[[], '']] })
  expect(published).toBeGreaterThan(isSearch ? 1 : 0)
}, 120_000)
