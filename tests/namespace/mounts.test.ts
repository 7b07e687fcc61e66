import { describe, expect, test } from 'vitest'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath, rootPath } from '../../server/files/path.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { anyone } from '../contract/file-source.ts'
import { names, textOrFolder as text } from '../support/sources.ts'

describe('mountTable', () => {
  const table = mountTable([
    {
      at: rootPath,
      source: memorySource({ '/pxelinux.0': 'mine', '/grub/mine': 'm' }),
      why: "the operator's own files win",
    },
    { at: cleanPath('/trees/f40'), source: memorySource({ '/.treeinfo': 'f40' }), why: 'a tree' },
    { at: cleanPath('/trees/f41'), source: memorySource({ '/.treeinfo': 'f41' }), why: 'a tree' },
    {
      at: cleanPath('/empty/later'),
      source: { stat: async () => undefined, list: async () => undefined },
      why: 'not there yet',
    },
    {
      at: rootPath,
      source: memorySource({ '/pxelinux.0': 'shipped', '/grub/shipped': 's', '/trees': 'x' }),
      why: 'generated',
    },
  ])

  test('the first mount that has a path answers', async () => {
    expect(await text(table, '/pxelinux.0')).toBe('mine')
    expect(await text(table, '/grub/shipped')).toBe('s')
    expect(await text(table, '/trees/f41/.treeinfo')).toBe('f41')
    expect(await text(table, '/trees/f42')).toBeUndefined()
  })

  test('folders on the way to a mount are there, and are listed', async () => {
    expect(await names(table, '/')).toEqual(['empty', 'grub', 'pxelinux.0', 'trees'])
    expect(await names(table, '/trees')).toEqual(['f40', 'f41'])
    expect(await names(table, '/grub')).toEqual(['mine', 'shipped'])
    expect(await text(table, '/trees')).toBe('(folder)')
    expect(await table.stat(cleanPath('/trees/f40'), anyone)).toMatchObject({ name: 'f40', kind: 'folder' })
  })

  test('a mount whose source has no root yet is an empty folder', async () => {
    expect(await names(table, '/empty')).toEqual(['later'])
    expect(await names(table, '/empty/later')).toEqual([])
  })

  test('the etag of a folder and its listing agree', async () => {
    const [listed] = (await table.list(cleanPath('/trees'), anyone)) ?? []
    expect((await table.stat(cleanPath('/trees/f40'), anyone))?.etag).toBe(listed?.etag)
  })

  test('nothing mounted is an empty root', async () => {
    expect(await names(mountTable([]), '/')).toEqual([])
    expect(await text(mountTable([]), '/x')).toBeUndefined()
  })
})
