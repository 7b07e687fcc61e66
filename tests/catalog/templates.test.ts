import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { readTemplates, watchTemplates } from '../../server/catalog/templates.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

test('templates and snippets are read with their paths; hidden files and those of editors are not', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'fedora.ks', 'text\n')
  writeBelow(folder, 'snippets/users.ks', 'rootpw\n')
  for (const name of ['.git/config', 'fedora.ks~', '.fedora.ks.swp']) writeBelow(folder, name, 'no')
  const { texts, problems } = await readTemplates(folder)
  expect([...texts]).toEqual([
    ['fedora.ks', 'text\n'],
    ['snippets/users.ks', 'rootpw\n'],
  ])
  expect(problems).toEqual([])
})

test('a file that is not text is left out and becomes a problem', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'binary', Buffer.from([1, 0, 2]))
  writeBelow(folder, 'latin1', Buffer.from([0x66, 0xfc, 0x72]))
  writeBelow(folder, 'large', 'x'.repeat((1 << 20) + 1))
  const { texts, problems } = await readTemplates(folder)
  expect([...texts]).toEqual([])
  expect(problems.map(({ where, message }) => [where.slice(folder.length + 1), message])).toEqual([
    ['binary', 'is not a text file'],
    ['large', 'is 1048577 bytes; a template of more than 1048576 is not read'],
    ['latin1', 'is not UTF-8 text'],
  ])
})

test('symlinks are followed inside the folder only', async () => {
  const folder = temporaryFolder()
  const elsewhere = temporaryFolder()
  writeBelow(elsewhere, 'shadow', 'secret')
  writeBelow(folder, 'a/real.ks', 'text')
  symlinkSync(join(elsewhere, 'shadow'), join(folder, 'shadow.ks'))
  symlinkSync(elsewhere, join(folder, 'out'))
  symlinkSync('a/real.ks', join(folder, 'link.ks'))
  symlinkSync('..', join(folder, 'a/up'))
  expect([...(await readTemplates(folder)).texts.keys()]).toEqual(['a/real.ks', 'link.ks'])
})

test('a missing folder is a problem with a remedy', async () => {
  const { problems } = await readTemplates(join(temporaryFolder(), 'none'))
  expect(problems).toMatchObject([{ severity: 'warning', remedy: 'make it, or set paths.templates' }])
})

test('changes are noticed, in folders made later too', async () => {
  const folder = temporaryFolder()
  const changed = vi.fn()
  onTestFinished(await watchTemplates(folder, changed))
  writeFileSync(join(folder, 'new.ks'), 'text')
  await eventually(() => expect(changed).toHaveBeenCalled(), 5000)
  mkdirSync(join(folder, 'later'))
  await eventually(() => expect(changed.mock.calls.length).toBeGreaterThan(1), 5000)
  const before = changed.mock.calls.length
  writeFileSync(join(folder, 'later/inner.ks'), 'text')
  await eventually(() => expect(changed.mock.calls.length).toBeGreaterThan(before), 5000)
})
