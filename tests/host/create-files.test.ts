import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFiles } from '../../server/host/create-files.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const files = Array.from({ length: 100 }, (_, i) => ({ name: `f${i}.yaml`, content: `a: ${i}\n` }))

test('all files are made, and nothing else stays', async () => {
  const folder = join(temporaryFolder(), 'new')
  expect(await createFiles(folder, files)).toBeUndefined()
  expect(readdirSync(folder).sort()).toEqual(files.map(({ name }) => name).sort())
  expect(readFileSync(join(folder, 'f7.yaml'), 'utf8')).toBe('a: 7\n')
})

test('a name that is taken meanwhile leaves the folder as it was', async () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'f50.yaml'), 'mine')
  expect(await createFiles(folder, files)).toBe('f50.yaml')
  expect(readdirSync(folder)).toEqual(['f50.yaml'])
  expect(readFileSync(join(folder, 'f50.yaml'), 'utf8')).toBe('mine')
})

test('what cannot be written leaves the folder as it was, and what a crash left is removed', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, '.making-1.abc'))
  const bad = [...files, { name: 'missing/f.yaml', content: '' }]
  await expect(createFiles(folder, bad)).rejects.toThrow('ENOENT')
  expect(readdirSync(folder)).toEqual([])
})
