import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { stageFiles } from '../../server/host/stage-files.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const files = Array.from({ length: 100 }, (_, i) => ({ name: `f${i}.yaml`, content: `a: ${i}\n` }))

test('all files are written in a hidden folder, and nothing stays of it', async () => {
  const folder = join(temporaryFolder(), 'new')
  const stage = await stageFiles(folder, files)
  const hidden = dirname(stage.pathOf('f7.yaml'))
  expect(readdirSync(folder)).toEqual([basename(hidden)])
  expect(basename(hidden)).toMatch(/^\./)
  expect(readdirSync(hidden).sort()).toEqual(files.map(({ name }) => name).sort())
  expect(readFileSync(stage.pathOf('f7.yaml'), 'utf8')).toBe('a: 7\n')
  await stage.remove()
  expect(readdirSync(folder)).toEqual([])
})

test('what cannot be written leaves the folder as it was, and what a crash left is removed', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, '.making-1.abc'))
  writeFileSync(join(folder, 'mine.yaml'), '')
  const bad = [...files, { name: 'missing/f.yaml', content: '' }]
  await expect(stageFiles(folder, bad)).rejects.toThrow('ENOENT')
  expect(readdirSync(folder)).toEqual(['mine.yaml'])
})
