import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { importFolderName } from '../../../server/intake/uploads/import-name.ts'
import { Uploads } from '../../../server/intake/uploads/uploads.ts'
import { eventually } from '../../support/eventually.ts'
import { imagesOfTree, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

async function receiving() {
  const base = temporaryFolder()
  mkdirSync(join(base, 'trees'))
  const events: Event[] = []
  const uploads = new Uploads({
    trees: () => join(base, 'trees'),
    events: (event) => events.push(event),
    quietMs: 60,
    isAwaited: (name) => name === 'awaited',
  })
  await uploads.start()
  onTestFinished(() => uploads.stop())
  const put = async (path: string, text: string) => {
    const place = cleanPath(path)
    await uploads.makeFolders(cleanPath(path.slice(0, path.lastIndexOf('/'))))
    const file = await uploads.openForWriting(place, 0)
    await file.write(Buffer.from(text))
    await file.close('complete')
  }
  const told = () =>
    eventually(() => events.find((event) => event.type === 'publish') ?? expect.fail('quiet'))
  return { uploads, put, told }
}

test('what a job will import or publish is left to it', async () => {
  const { uploads, put, told } = await receiving()
  const files = { ...imagesOfTree(), '.treeinfo': treeinfoText() }
  for (const name of [importFolderName('a file'), 'awaited', 'fedora-40'])
    for (const [path, text] of Object.entries(files)) await put(`/${name}/${path}`, text)
  // The others were quiet for longer.
  expect(await told()).toMatchObject({ id: 'fedora-40' })
  expect((await uploads.list()).map(({ name, state }) => [name, state])).toEqual([
    ['awaited', 'waiting'],
    [importFolderName('a file'), 'waiting'],
  ])
})

test('a complete tree with checksums is published when nothing more arrives', async () => {
  const { put, told } = await receiving()
  const files = { ...imagesOfTree(), '.treeinfo': treeinfoText() }
  for (const [path, text] of Object.entries(files)) await put(`/fedora-40/${path}`, text)
  expect(await told()).toMatchObject({ id: 'fedora-40', outcome: 'published' })
})

test('a folder without checksums may be incomplete, and waits for an administrator', async () => {
  const { uploads, put, told } = await receiving()
  await put('/half/.disk/info', 'Ubuntu-Server 24.04 LTS "Noble Numbat" - Release amd64 (20240423)\n')
  await put('/half/casper/vmlinuz', 'kernel')
  await put('/half/casper/initrd', 'initrd')
  expect(await told()).toMatchObject({
    id: 'half',
    outcome: 'refused',
    lines: [expect.stringContaining('publish it yourself')],
  })
  expect(await uploads.publish(cleanPath('/half'))).toMatchObject({ outcome: 'published' })
})
