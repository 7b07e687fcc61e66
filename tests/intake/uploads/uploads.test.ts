import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { cleanPath } from '../../../server/files/path.ts'
import { Uploads } from '../../../server/intake/uploads/uploads.ts'
import { imagesOfTree, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

async function inputs(onPublished?: (ids: readonly string[]) => Promise<void>) {
  const trees = join(temporaryFolder(), 'trees')
  mkdirSync(trees)
  const uploads = new Uploads({
    trees: () => trees,
    events: () => undefined,
    ...(onPublished && { onPublished }),
  })
  await uploads.start()
  onTestFinished(() => uploads.stop())
  const put = async (path: string, text: string, outcome: 'complete' | 'partial' = 'complete') => {
    await uploads.makeFolders(cleanPath(path.slice(0, path.lastIndexOf('/'))))
    const file = await uploads.openForWriting(cleanPath(path), 0)
    await file.write(Buffer.from(text))
    await file.close(outcome)
  }
  const putTree = async (folder: string) => {
    for (const [path, text] of Object.entries({ ...imagesOfTree(), '.treeinfo': treeinfoText() }))
      await put(`${folder}/${path}`, text)
  }
  return { trees, uploads, put, putTree }
}

test('publish resolves when its listener has offered the tree', async () => {
  const offered: string[] = []
  const { uploads, putTree } = await inputs(async (ids) => {
    await new Promise(setImmediate)
    offered.push(...ids)
  })
  await putTree('/f40')
  expect(await uploads.publish(cleanPath('/f40'))).toMatchObject({ outcome: 'published' })
  expect(offered).toEqual(['f40'])
})

test('of several trees the whole ones are published, and the report is a refusal', async () => {
  const offered: string[] = []
  const { trees, uploads, put, putTree } = await inputs(async (ids) => void offered.push(...ids))
  await putTree('/all/good')
  await putTree('/all/bad')
  await put('/all/bad/images/install.img', 'other bytes')
  const report = await uploads.publish(cleanPath('/all'))
  expect(report).toMatchObject({ outcome: 'refused' })
  expect(report.lines.toSorted()).toEqual([
    expect.stringMatching(/^all\/bad: images\/install\.img /),
    expect.stringMatching(/^all\/good: .*version 1/),
  ])
  expect(offered).toEqual(['all/good'])
  expect([existsSync(join(trees, 'all/good')), existsSync(join(trees, 'all/bad'))]).toEqual([true, false])
})

test('while a tree is being verified nothing in it changes, and other uploads go on', async () => {
  const { uploads, put, putTree } = await inputs()
  await putTree('/f40')
  const publishing = uploads.publish(cleanPath('/f40'))
  const busy = { kind: 'unavailable', message: expect.stringContaining('/f40') }
  await expect(uploads.openForWriting(cleanPath('/f40/new'), 0)).rejects.toMatchObject(busy)
  await expect(uploads.removeAll(cleanPath('/f40'))).rejects.toMatchObject(busy)
  await expect(uploads.rename(cleanPath('/f40/images'), cleanPath('/x'))).rejects.toMatchObject(busy)
  await expect(uploads.publish(cleanPath('/f40'))).rejects.toMatchObject(busy)
  expect(await uploads.list()).toMatchObject([{ name: 'f40', state: 'verifying' }])
  await put('/f41/file', 'x')
  expect(await publishing).toMatchObject({ outcome: 'published' })
})

test('a partial file keeps its tree from being published, also after a restart', async () => {
  const { trees, uploads, put, putTree } = await inputs()
  await putTree('/f40')
  await put('/f40/images/install.img', 'second', 'partial')
  await uploads.stop()
  const again = new Uploads({ trees: () => trees, events: () => undefined })
  await again.start()
  onTestFinished(() => again.stop())
  expect(again.isPartial(cleanPath('/f40/images/install.img'))).toBe(true)
  expect(await again.publish(cleanPath('/f40'))).toMatchObject({
    outcome: 'refused',
    lines: [expect.stringMatching(/^f40\/images\/install\.img .* 6 bytes/)],
  })
})
