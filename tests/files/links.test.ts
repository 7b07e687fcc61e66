import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { withoutFolder } from '../../server/files/hidden.ts'
import { isoSource } from '../../server/files/iso/source.ts'
import { cleanPath, linkTarget, pathInside, rootPath } from '../../server/files/path.ts'
import { anyone } from '../contract/file-source.ts'
import { linkedFiles, linksContract } from '../contract/links.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { writeUdf } from '../support/iso/write-udf.ts'
import { names, stat } from '../support/sources.ts'
import { keptFolder, temporaryFolder } from '../support/tree-folder.ts'

function writeLinked(root: string): void {
  for (const [path, content] of Object.entries(linkedFiles)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    if (typeof content === 'string') writeFileSync(join(root, path), content)
    else symlinkSync(content.target, join(root, path))
  }
}

linksContract('diskSource', () => {
  const { path, remove } = keptFolder()
  writeLinked(join(path, 'root'))
  return { source: diskSource(join(path, 'root'), { showLinks: true }), close: remove }
})

linksContract('diskSource behind a symlink', () => {
  const { path, remove } = keptFolder()
  writeLinked(join(path, 'root'))
  symlinkSync('root', join(path, 'current'))
  return { source: diskSource(join(path, 'current'), { showLinks: true }), close: remove }
})

for (const [name, bytes] of [
  ['Rock Ridge', () => writeIso({ files: linkedFiles }).bytes],
  ['UDF', () => writeUdf({ files: linkedFiles }).bytes],
] as const)
  linksContract(`isoSource of a disc with ${name}`, async () => {
    const { path, remove } = keptFolder()
    writeFileSync(join(path, 'disc.iso'), bytes())
    return { source: await isoSource(join(path, 'disc.iso')), close: remove }
  })

test.each([
  ['/', '.', '/'],
  ['/', '', '/'],
  ['/a/b', '../c/./d/', '/a/c/d'],
  ['/a/b', '../..', '/'],
  ['/a', 'b/../../c', '/c'],
  ['/', '..', undefined],
  ['/a', '../../a', undefined],
  ['/a', 'b/../../../a/b', undefined],
  ['/a', '/b', undefined],
])('in %j, %j leads to %j', (folder, relative, expected) => {
  expect(pathInside(cleanPath(folder), relative)).toBe(expected)
})

test.each([
  ['empty', ''],
  ['with a line break', 'a\nb'],
  ['that was not UTF-8', 'caf\ufffd'],
  ['with half of a character', 'a\ud83d'],
  ['longer than symlink(2) takes', 'a/'.repeat(2048)],
  ['absolute', '/a'],
])('a target is not shown: %s', (_, target) => {
  expect(linkTarget(rootPath, target)).toBeUndefined()
})

test('a link that leads to another tree is followed, and its target is not shown', async () => {
  const base = temporaryFolder()
  mkdirSync(join(base, 'other'))
  mkdirSync(join(base, 'tree/inner'), { recursive: true })
  symlinkSync('../other', join(base, 'tree/out'))
  symlinkSync(join(base, 'tree/inner'), join(base, 'tree/absolute'))
  symlinkSync('../tree/inner', join(base, 'tree/round'))
  const source = diskSource(join(base, 'tree'), { within: base, showLinks: true })
  expect(await names(source, '/')).toEqual(['absolute', 'inner', 'out', 'round'])
  for (const entry of (await source.list(rootPath, anyone)) ?? []) {
    expect(entry).toMatchObject({ kind: 'folder' })
    expect(entry).not.toHaveProperty('target')
  }
})

test('a link is seen as it is now, also when it leads to the same file by another path', async () => {
  const root = temporaryFolder()
  const source = diskSource(root, { showLinks: true })
  writeFileSync(join(root, 'a'), 'x')
  linkSync(join(root, 'a'), join(root, 'b'))
  const replace = (target: string) => {
    rmSync(join(root, 'link'), { force: true })
    symlinkSync(target, join(root, 'link'))
  }
  for (const target of ['a', 'b', './a']) {
    replace(target)
    expect((await stat(source, '/link'))?.target).toBe(target)
    const listed = await source.list(rootPath, anyone)
    expect(listed?.find(({ name }) => name === 'link')?.target).toBe(target)
  }
  rmSync(join(root, 'link'))
  linkSync(join(root, 'a'), join(root, 'link'))
  expect(await stat(source, '/link')).not.toHaveProperty('target')
})

test('without showLinks, and in a folder that is hidden, a link looks like what it leads to', async () => {
  const root = temporaryFolder()
  mkdirSync(join(root, '.hidden/version'), { recursive: true })
  symlinkSync('.hidden/version', join(root, 'tree'))
  symlinkSync('tree', join(root, 'latest'))
  expect(await stat(diskSource(root), '/latest')).not.toHaveProperty('target')
  const source = withoutFolder(diskSource(root, { showLinks: true }), cleanPath('/.hidden'))
  const targets = (await source.list(rootPath, anyone))?.map(({ name, target }) => [name, target])
  expect(targets).toEqual([
    ['latest', 'tree'],
    ['tree', undefined],
  ])
  expect(await stat(source, '/tree')).not.toHaveProperty('target')
  expect(await stat(source, '/tree')).toMatchObject({ kind: 'folder' })
})
