import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { cleanPath } from '../../../server/files/path.ts'
import { Uploads } from '../../../server/intake/uploads/uploads.ts'
import { imagesOfTree, makeTree, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

/** What an upload has promised, after a kill at a bad moment and the next start. */

let trees: string
beforeEach(() => {
  trees = join(temporaryFolder(), 'trees')
  mkdirSync(trees)
})
const incoming = (...path: string[]): string => join(trees, '.treeboot/incoming', ...path)
const recordOf = (path: string): string =>
  incoming('uploads-partial', createHash('sha256').update(path).digest('hex').slice(0, 40))

async function started(): Promise<Uploads> {
  const uploads = new Uploads({ trees: () => trees, events: () => undefined, quietMs: 1e9 })
  await uploads.start()
  onTestFinished(() => uploads.stop())
  return uploads
}

async function put(
  uploads: Uploads,
  path: string,
  text: string,
  outcome: 'complete' | 'partial' = 'complete',
) {
  await uploads.makeFolders(cleanPath(path.slice(0, path.lastIndexOf('/'))))
  const file = await uploads.openForWriting(cleanPath(path), 0)
  await file.write(Buffer.from(text))
  await file.close(outcome)
}

test('a record whose file was not made in time does not keep its folder from being published', async () => {
  mkdirSync(incoming('uploads-partial'), { recursive: true })
  writeFileSync(recordOf('/x/lost'), '/x/lost')
  writeFileSync(incoming('uploads-partial/.0123.77.0123456789ab.tmp'), '/x/half')
  const uploads = await started()
  expect(uploads.partialFiles(cleanPath('/'))).toEqual([])
  expect(readdirSync(incoming('uploads-partial'))).toEqual([])
})

test('a partial file stays partial under its new name, whenever the process ends', async () => {
  const uploads = await started()
  await put(uploads, '/x/a', 'half', 'partial')
  await uploads.rename(cleanPath('/x'), cleanPath('/y'))
  expect(uploads.partialFiles(cleanPath('/'))).toEqual(['/y/a'])
  // As it is between the record of the new name and the rename.
  writeFileSync(recordOf('/z/a'), '/z/a')
  expect((await started()).partialFiles(cleanPath('/'))).toEqual(['/y/a'])
  // And between the rename and the end of the old record.
  writeFileSync(recordOf('/z/a'), '/z/a')
  renameSync(incoming('uploads/y'), incoming('uploads/z'))
  expect((await started()).partialFiles(cleanPath('/'))).toEqual(['/z/a'])
})

test('a rename that fails leaves the records as they were', async () => {
  const uploads = await started()
  await put(uploads, '/x/a', 'half', 'partial')
  await expect(uploads.rename(cleanPath('/x'), cleanPath('/nowhere/y'))).rejects.toMatchObject({
    kind: 'not-found',
  })
  expect((await started()).partialFiles(cleanPath('/'))).toEqual(['/x/a'])
})

test('a complete file that replaces a partial one counts as complete', async () => {
  const uploads = await started()
  await put(uploads, '/x/a', 'half', 'partial')
  await put(uploads, '/x/b', 'whole')
  await uploads.rename(cleanPath('/x/b'), cleanPath('/x/a'))
  expect((await started()).partialFiles(cleanPath('/'))).toEqual([])
})

test('while bytes arrive, the offset is that of the bytes on the disk', async () => {
  const uploads = await started()
  const path = cleanPath('/a')
  await put(uploads, '/a', '0123', 'partial')
  const file = await uploads.openForWriting(path, 'end')
  await file.write(Buffer.from('4567'))
  expect([await uploads.offset(path), await uploads.size(path)]).toEqual([4, 8])
  await file.sync()
  expect(await uploads.offset(path)).toBe(8)
  await file.close('partial')
  expect(await uploads.offset(path)).toBe(8)
})

test('a publication that was interrupted is finished, offered, and not uploaded again', async () => {
  makeTree(incoming('staged'), { version: '41' })
  mkdirSync(join(trees, '.treeboot/versions/x'), { recursive: true })
  writeFileSync(join(trees, '.treeboot/versions/x/1.json'), '{"id":"x","version":1,"kind":"folder"}')
  renameSync(incoming('staged'), join(trees, '.treeboot/versions/x/1'))
  const offered: string[] = []
  const onPublished = async (ids: readonly string[]): Promise<void> => void offered.push(...ids)
  const uploads = new Uploads({ trees: () => trees, events: () => undefined, onPublished })
  await uploads.start()
  await uploads.stop()
  expect(offered).toEqual(['x'])
  expect(existsSync(join(trees, 'x/.treeinfo'))).toBe(true)
})

test('a publication that fails names no folder of this machine, and can be tried again', async () => {
  const uploads = await started()
  for (const [path, text] of Object.entries({ ...imagesOfTree(), '.treeinfo': treeinfoText() }))
    await put(uploads, `/x/${path}`, text)
  const obstacle = join(trees, `.treeboot/switch-x-${process.pid}`)
  mkdirSync(join(obstacle, 'full'), { recursive: true })
  const refused = await uploads.publish(cleanPath('/x'))
  expect(refused).toMatchObject({ outcome: 'refused', lines: [expect.stringContaining('/x')] })
  expect(refused.lines.join()).not.toContain(trees)
  rmSync(obstacle, { recursive: true })
  expect(await uploads.publish(cleanPath('/x'))).toMatchObject({ outcome: 'published' })
})

test('of publications at the same time the loser hears no path of this machine', async () => {
  const uploads = await started()
  for (const id of ['x', 'y'])
    for (const [path, text] of Object.entries({ ...imagesOfTree(), '.treeinfo': treeinfoText() }))
      await put(uploads, `/${id}/${path}`, text)
  const reports = await Promise.all(['/x', '/x', '/y'].map((path) => attempt(uploads, path)))
  expect(reports.filter((report) => report.startsWith('published'))).toHaveLength(2)
  expect(reports.join()).not.toContain(trees)
})

async function attempt(uploads: Uploads, path: string): Promise<string> {
  return uploads.publish(cleanPath(path)).then(
    ({ outcome, lines }) => `${outcome} ${lines}`,
    (error: Error) => error.message,
  )
}
