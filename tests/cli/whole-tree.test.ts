import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { treebootIn } from '../support/cli.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

test('trees rm takes a tree away when all that name it have another one, and removes its versions', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'paths: { trees: trees }\n')
  writeBelow(cwd, 'guests.d/web01.yaml', 'tree: f40 # for now\n')
  makeTree(join(cwd, 'from'), { version: '40' })
  makeTree(join(cwd, 'trees/other'), { version: '41' })
  for (const _ of [1, 2]) await treebootIn(cwd, 'trees', 'import', 'from', '--id', 'f40')
  const rm = (...more: string[]) => treebootIn(cwd, 'trees', 'rm', 'f40', ...more)
  const guest = () => readFileSync(join(cwd, 'guests.d/web01.yaml'), 'utf8')
  const versions = () => readdirSync(join(cwd, 'trees/.treeboot/versions/f40'))
  expect(await rm('--yes')).toMatchObject({ code: 1, err: expect.stringContaining('guest web01') })
  const replacing = ['--replace-by', 'other', '--all-versions', '--now']
  expect(await rm('--replace-by', 'other', '--now')).toMatchObject({ code: 2 })
  expect(await rm('--replace-by', 'other', '--all-versions', '--yes')).toMatchObject({
    code: 1,
    err: expect.stringContaining('less than a day ago'),
  })
  const tried = await rm(...replacing, '--dry-run')
  expect(tried.out).toContain('guest web01 (guests.d/web01.yaml:1) would get other\n')
  expect(tried.out).toMatch(/^f40: would be removed \(versions 1, 2, .*\); nothing was changed/m)
  expect(await rm(...replacing)).toMatchObject({ code: 2, err: expect.stringContaining('give --yes') })
  expect(guest()).toBe('tree: f40 # for now\n')
  expect(versions()).toEqual(expect.arrayContaining(['1', '2']))
  expect((await rm(...replacing, '--yes')).out).toMatch(/^f40: removed \(versions 1, 2, /m)
  expect(guest()).toBe('tree: other # for now\n')
  expect(versions()).toEqual(['history'])
  expect(existsSync(join(cwd, 'trees/f40'))).toBe(false)
  expect((await rm('--yes')).code).toBe(3)
})
