import { createHash } from 'node:crypto'
import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cleanPath } from '../../../server/files/path.ts'
import { Handles } from '../../../server/protocols/nfs/handles.ts'
import { PathTable } from '../../../server/protocols/nfs/path-table.ts'
import { tempFolder } from './support.ts'

const digestOf = (path: string): Buffer => createHash('sha256').update(path).digest().subarray(0, 16)
/** A path of 67 characters for a name of one: a handle has room for 47 bytes of path. */
const path = (name: string): string => `/trees/${name.repeat(60)}`

test('paths are found after a restart, and each is written once', async () => {
  const folder = await tempFolder()
  const table = await PathTable.open(folder)
  for (const name of ['a', 'b', 'a', 'ü']) table.add(digestOf(path(name)), path(name))
  await Promise.all([table.saved(), table.saved()])
  await table.close()
  const text = await readFile(join(folder, 'nfs-handles'), 'utf8')
  expect(text.trim().split('\n')).toHaveLength(3)
  const again = await PathTable.open(folder)
  for (const name of ['a', 'b', 'ü']) expect(again.find(digestOf(path(name)))).toBe(path(name))
  expect(again.find(digestOf('other'))).toBeUndefined()
  await again.close()
})

test('a line that a crash cut short is lost, and no other line', async () => {
  const folder = await tempFolder()
  const table = await PathTable.open(folder)
  for (const name of ['a', 'b']) table.add(digestOf(path(name)), path(name))
  await table.close()
  const file = join(folder, 'nfs-handles')
  // A line has 32 digits, a space, 67 bytes of path and a line feed: 6 of 101 bytes of the last one stay.
  await truncate(file, (await stat(file)).size - 95)
  const second = await PathTable.open(folder)
  second.add(digestOf(path('c')), path('c'))
  await second.close()
  await appendFile(file, 'nonsense\n\n')
  const third = await PathTable.open(folder)
  expect(third.find(digestOf(path('a')))).toBe(path('a'))
  expect(third.find(digestOf(path('b')))).toBeUndefined()
  expect(third.find(digestOf(path('c')))).toBe(path('c'))
  await third.close()
})

test('a table that was tampered with gives no handle a new meaning', async () => {
  const folder = await tempFolder()
  const handles = await Handles.open(folder)
  const handle = Buffer.from(handles.handle({ path: cleanPath(path('a')), isLink: false }))
  await handles.close()
  const file = join(folder, 'nfs-handles')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('/trees/a', '/datas/a'))
  const again = await Handles.open(folder)
  expect(() => again.place(handle)).toThrow('nfsstat3 70') // NFS3ERR_STALE
  await again.close()
})

test('the key is readable by its owner alone, and a damaged key is not replaced', async () => {
  const folder = await tempFolder()
  await (await Handles.open(folder)).close()
  const file = join(folder, 'nfs-key')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await truncate(file, 5)
  await expect(Handles.open(folder)).rejects.toMatchObject({
    kind: 'invalid-data',
    message: expect.stringContaining(`${file}: found 5 bytes, expected 32`),
  })
})

test('two servers that start at once on one data folder agree on the key', async () => {
  const folder = await tempFolder()
  const opened = await Promise.all(Array.from({ length: 5 }, () => Handles.open(folder)))
  expect(new Set(opened.map(({ fsid }) => fsid)).size).toBe(1)
  for (const handles of opened) await handles.close()
})
