import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  ListingSource,
  type Stamp,
  sameStamp,
  stampAgain,
  stampOf,
} from '../../server/files/listing-source.ts'
import { cleanPath, rootPath } from '../../server/files/path.ts'
import { contentOf } from '../contract/file-source.ts'
import { names, stat, text } from '../support/sources.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

test('a name with a control character is left out, and the folder is listed all the same', async () => {
  const folder = temporaryFolder()
  for (const name of ['a', 'b\nc', 'd']) writeFileSync(join(folder, name), '')
  const symlinksStayIn = folder
  const entries = await new ListingSource(folder, symlinksStayIn).list(rootPath)
  expect(entries?.map(({ name }) => name)).toEqual(['a', 'd'])
})

describe('one scan of a folder', () => {
  /** A tree, and a file outside of it; both in one base folder. */
  function madeFolders(): { readonly base: string; readonly tree: string } {
    const base = temporaryFolder()
    const tree = join(base, 'tree')
    mkdirSync(join(tree, 'folder'), { recursive: true })
    mkdirSync(join(base, 'outside'))
    writeFileSync(join(base, 'outside/secret'), 'outside')
    writeFileSync(join(tree, 'file'), 'text')
    writeFileSync(join(tree, 'folder/inner'), 'inner')
    symlinkSync('../outside', join(tree, 'out'))
    symlinkSync('folder', join(tree, 'in'))
    symlinkSync('nowhere', join(tree, 'dangling'))
    execFileSync('mkfifo', [join(tree, 'pipe')])
    return { base, tree }
  }

  test('symlinks are followed inside the limit; others, dangling ones and pipes are not found', async () => {
    const { base, tree } = madeFolders()
    const narrow = new ListingSource(tree, tree)
    expect(await names(narrow, '/')).toEqual(['file', 'folder', 'in'])
    expect(await text(narrow, '/in/inner')).toBe('inner')
    for (const path of ['/out', '/out/secret', '/dangling', '/pipe', '/file/below'])
      expect(await stat(narrow, path), path).toBeUndefined()
    const wide = new ListingSource(tree, base)
    expect(await names(wide, '/')).toEqual(['file', 'folder', 'in', 'out'])
    expect(await text(wide, '/out/secret')).toBe('outside')
  })

  test('a folder has names, and nothing else has any', async () => {
    const { tree } = madeFolders()
    const source = new ListingSource(tree, tree)
    expect(await source.names(cleanPath('/folder'))).toEqual(['inner'])
    expect(await source.names(cleanPath('/file'))).toEqual([])
    expect(await source.names(cleanPath('/none'))).toEqual([])
    const missing = new ListingSource(join(tree, 'none'), tree)
    expect(await stat(missing, '/')).toBeUndefined()
    expect(await stat(missing, '/file')).toBeUndefined()
    expect(await names(missing, '/')).toBeUndefined()
    expect(await missing.seen()).toEqual(new Map())
  })

  test('each folder is read once in a scan', async () => {
    const { tree } = madeFolders()
    const source = new ListingSource(tree, tree)
    expect(await stat(source, '/folder/late')).toBeUndefined()
    writeFileSync(join(tree, 'folder/late'), '')
    expect(await stat(source, '/folder/late')).toBeUndefined()
    expect(await stat(new ListingSource(tree, tree), '/folder/late')).toBeDefined()
  })

  test('seen has the files that were looked up and the folders that were read', async () => {
    const { tree } = madeFolders()
    const source = new ListingSource(tree, tree)
    for (const path of ['/file', '/in/inner', '/folder', '/none', '/pipe']) await stat(source, path)
    const seen = await source.seen()
    expect([...seen.keys()].sort()).toEqual(['/', '/file', '/in', '/in/inner'])
    expect(seen.get('/file')).toEqual(await stampOf(join(tree, 'file')))
    expect(seen.get('/in/inner')).toEqual(await stampOf(join(tree, 'folder/inner')))
    expect(seen.get('/in')).toEqual(await stampOf(join(tree, 'folder')))
  })

  test('an entry opens the file as it is now, but not a pipe that has replaced it', async () => {
    const { tree } = madeFolders()
    const entry = await stat(new ListingSource(tree, tree), '/file')
    expect(entry).toMatchObject({ size: 4, extent: { file: join(tree, 'file'), offset: 0 } })
    writeFileSync(join(tree, 'file'), 'longer text')
    expect((await contentOf(entry)).toString()).toBe('longer text')
    expect((await stat(new ListingSource(tree, tree), '/file'))?.etag).not.toBe(entry?.etag)
    rmSync(join(tree, 'file'))
    execFileSync('mkfifo', [join(tree, 'file')])
    await expect(entry?.open()).rejects.toMatchObject({ kind: 'conflict' })
  })
})

describe('stamps', () => {
  async function stamped(file: string): Promise<Stamp> {
    const stamp = await stampOf(file)
    if (!stamp) throw new Error(`${file} is not there`)
    return stamp
  }

  test('files and folders have stamps, and nothing else does', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), 'text')
    execFileSync('mkfifo', [join(folder, 'pipe')])
    expect(await stampOf(join(folder, 'file'))).toMatchObject({ folder: false, size: 4 })
    expect(await stampOf(folder)).toMatchObject({ file: folder, folder: true, size: 0 })
    expect(await stampOf(join(folder, 'pipe'))).toBeUndefined()
    expect(await stampOf(join(folder, 'none'))).toBeUndefined()
  })

  test('other bytes, another time or another inode make a stamp differ; another mode does not', async () => {
    const file = join(temporaryFolder(), 'file')
    const [first, later] = [new Date(1_700_000_000_000), new Date(1_700_000_001_000)]
    const write = (path: string, content: string, time = first) => {
      writeFileSync(path, content)
      utimesSync(path, time, time)
    }
    write(file, 'text')
    const before = await stamped(file)
    chmodSync(file, 0o600)
    expect(sameStamp(before, await stampAgain(before))).toBe(true)
    write(file, 'text', later)
    expect(sameStamp(before, await stampAgain(before))).toBe(false)
    write(file, 'longer')
    expect(sameStamp(before, await stampAgain(before))).toBe(false)
    write(file, 'text')
    expect(sameStamp(before, await stampAgain(before))).toBe(true)
    write(`${file}.new`, 'text')
    renameSync(`${file}.new`, file)
    expect(sameStamp(before, await stampAgain(before))).toBe(false)
    expect(sameStamp(before, { ...before, folder: true })).toBe(false)
    rmSync(file)
    expect(await stampAgain(before)).toBeUndefined()
    expect(sameStamp(before, undefined)).toBe(false)
    expect(sameStamp(undefined, before)).toBe(false)
    expect(sameStamp(undefined, undefined)).toBe(true)
  })

  test('a file in an image has its own size, and the times and inode of the image', async () => {
    const image = join(temporaryFolder(), 'disc.iso')
    writeFileSync(image, 'the image')
    const ofImage = await stamped(image)
    const path = cleanPath('/.treeinfo')
    const inside: Stamp = { ...ofImage, file: `${image}//.treeinfo`, inside: { image, path }, size: 3 }
    expect(await stampAgain(inside)).toEqual(inside)
    utimesSync(image, 1_700_000_000, 1_700_000_000)
    const again = await stampAgain(inside)
    expect(again).toMatchObject({ file: inside.file, size: 3, mtimeMs: 1_700_000_000_000 })
    expect(again?.ctimeMs).toBe((await stamped(image)).ctimeMs)
    expect(sameStamp(inside, again)).toBe(false)
    rmSync(image)
    expect(await stampAgain(inside)).toBeUndefined()
  })
})
