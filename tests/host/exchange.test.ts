import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { exchangeNames } from '../../server/host/exchange.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/** Everything in a folder, in words. */
function contentOf(folder: string): Record<string, string> {
  const what = (name: string): string => {
    const path = join(folder, name)
    const stats = lstatSync(path)
    if (stats.isSymbolicLink()) return `link to ${readlinkSync(path)}`
    return stats.isDirectory() ? `folder of ${readdirSync(path)}` : readFileSync(path, 'utf8')
  }
  return Object.fromEntries(readdirSync(folder).map((name) => [name, what(name)]))
}

let folder: string
beforeEach(({ skip }) => {
  folder = temporaryFolder()
  mkdirSync(join(folder, 'probe'))
  symlinkSync('nowhere', join(folder, 'other'))
  if (!exchangeNames(join(folder, 'probe'), join(folder, 'other')))
    skip('this system or file system cannot exchange names')
  folder = temporaryFolder()
})

test('a folder with files changes places with a link, and back', () => {
  mkdirSync(join(folder, 'tree'))
  writeFileSync(join(folder, 'tree/file'), 'text')
  symlinkSync('elsewhere', join(folder, 'link'))
  const before = contentOf(folder)
  expect(exchangeNames(join(folder, 'tree'), join(folder, 'link'))).toBe(true)
  expect(contentOf(folder)).toEqual({ tree: 'link to elsewhere', link: 'folder of file' })
  expect(exchangeNames(join(folder, 'tree'), join(folder, 'link'))).toBe(true)
  expect(contentOf(folder)).toEqual(before)
})

test('names are not changed when one of them is missing, and the error has its code', () => {
  writeFileSync(join(folder, 'Übung 1'), 'text')
  expect(() => exchangeNames(join(folder, 'Übung 1'), join(folder, 'absent'))).toThrow(
    expect.objectContaining({ code: 'ENOENT' }),
  )
  expect(contentOf(folder)).toEqual({ 'Übung 1': 'text' })
})
