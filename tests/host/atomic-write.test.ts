import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createAtomically, syncFolder, writeAtomically } from '../../server/host/atomic-write.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

test('a file is created or replaced, and no temporary file stays', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'record.json')
  await writeAtomically(file, 'first')
  await writeAtomically(file, Buffer.from('second'))
  expect(readFileSync(file, 'utf8')).toBe('second')
  expect(readdirSync(folder)).toEqual(['record.json'])
})

test('many writers of one file at once leave one whole text', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'record.json')
  const texts = Array.from({ length: 20 }, (_, n) => String(n).repeat(10_000))
  await Promise.all(texts.map((text) => writeAtomically(file, text)))
  expect(texts).toContain(readFileSync(file, 'utf8'))
  expect(readdirSync(folder)).toEqual(['record.json'])
})

test('a file that replaces another has the mode that was asked for', async () => {
  const file = join(temporaryFolder(), 'key')
  writeFileSync(file, 'old', { mode: 0o666 })
  await writeAtomically(file, 'secret', { mode: 0o600 })
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a link under the name of the file is replaced, and what it leads to stays as it was', async () => {
  const folder = temporaryFolder()
  const other = join(folder, 'other')
  writeFileSync(other, 'not ours')
  symlinkSync(other, join(folder, 'key'))
  await writeAtomically(join(folder, 'key'), 'ours')
  expect(readFileSync(other, 'utf8')).toBe('not ours')
  expect(readFileSync(join(folder, 'key'), 'utf8')).toBe('ours')
})

test('after a failure the old content and no temporary file are left', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'taken/by-a-folder'), { recursive: true })
  await expect(writeAtomically(join(folder, 'taken'), 'text')).rejects.toMatchObject({ code: 'EISDIR' })
  expect(readdirSync(folder)).toEqual(['taken'])
  await expect(writeAtomically(join(folder, 'absent/file'), 'text')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('of several writers that create a file at once, one succeeds', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'token')
  const texts = ['a', 'b', 'c', 'd']
  const made = await Promise.all(texts.map((text) => createAtomically(file, text, { mode: 0o600 })))
  expect(made.filter(Boolean)).toHaveLength(1)
  expect(readFileSync(file, 'utf8')).toBe(texts[made.indexOf(true)])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['token'])
})

test('a folder that is not there cannot be made durable', async () => {
  await expect(syncFolder(join(temporaryFolder(), 'absent'))).rejects.toMatchObject({ code: 'ENOENT' })
})
