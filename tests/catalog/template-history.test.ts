import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TemplateHistory } from '../../server/catalog/template-history.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const texts = (all: Record<string, string>) => new Map(Object.entries(all))

async function opened(data: string, troubles: unknown[] = []): Promise<TemplateHistory> {
  const history = new TemplateHistory({ clock: () => 1000, onTrouble: (error) => troubles.push(error) })
  await history.open(data)
  return history
}

test('each content is kept once, with its author, and is there after a restart', async () => {
  const data = temporaryFolder()
  const history = await opened(data)
  await history.note(texts({ 'a.ks': 'one', 'b.ks': 'one' }))
  history.expect('two', 'anna')
  await history.note(texts({ 'a.ks': 'two', 'b.ks': 'one' }))
  await history.note(texts({ 'a.ks': 'one' }))
  const again = await opened(data)
  const all = await again.of('a.ks')
  expect(all.map(({ bytes, by, atMs }) => [bytes, by, atMs])).toEqual([
    [3, undefined, 1000],
    [3, 'anna', 1000],
    [3, undefined, 1000],
  ])
  expect(await again.textOf('a.ks', all[1]?.digest ?? '')).toBe('two')
  expect((await again.of('b.ks')).map(({ digest }) => digest === null)).toEqual([true, false])
  const folder = join(data, 'template-history')
  expect(readdirSync(folder)).toHaveLength(3)
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o077).toBe(0)
  // What is as before makes no line.
  await again.note(texts({ 'a.ks': 'one' }))
  expect(await again.of('a.ks')).toHaveLength(3)
})

test('of each template the newest hundred stay, and their files alone', async () => {
  const data = temporaryFolder()
  const history = await opened(data)
  for (let n = 0; n < 130; n++) await history.note(texts({ 'a.ks': `text ${n}` }))
  const all = await history.of('a.ks')
  expect(all).toHaveLength(100)
  expect(await history.textOf('a.ks', all[0]?.digest ?? '')).toBe('text 129')
  expect(readdirSync(join(data, 'template-history'))).toHaveLength(101)
  await expect(history.textOf('a.ks', '../index.json')).rejects.toMatchObject({ kind: 'not-found' })
  await expect(history.textOf('b.ks', all[0]?.digest ?? '')).rejects.toMatchObject({ kind: 'not-found' })
})

test('a damaged index begins anew, and a folder that cannot be written stops nothing', async () => {
  const data = temporaryFolder()
  const history = await opened(data)
  await history.note(texts({ 'a.ks': 'one' }))
  writeFileSync(join(data, 'template-history/index.json'), '{"versions":[{"name":')
  const again = await opened(data)
  await again.note(texts({ 'a.ks': 'one' }))
  expect(await again.of('a.ks')).toHaveLength(1)
  expect(JSON.parse(readFileSync(join(data, 'template-history/index.json'), 'utf8')).versions).toHaveLength(1)
  writeFileSync(join(data, 'file'), '')
  const troubles: unknown[] = []
  const broken = await opened(join(data, 'file'), troubles)
  await broken.note(texts({ 'a.ks': 'one' }))
  expect([await broken.of('a.ks'), troubles.length]).toEqual([[], 1])
})
