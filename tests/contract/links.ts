import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linkItself } from '../../server/files/entry.ts'
import { type CleanPath, cleanPath, joinPath, linkTarget, rootPath } from '../../server/files/path.ts'
import type { Entry, FileSource } from '../../server/files/source.ts'
import { anyone, contentOf } from './file-source.ts'

/** Files by path, and symlinks by path with their targets: those of a Debian medium, and hostile ones. */
export const linkedFiles: Readonly<Record<string, string | { readonly target: string }>> = {
  'dists/bookworm/Release': 'release',
  'dists/bookworm/main/Packages': 'packages',
  'dists/stable': { target: 'bookworm' },
  'dists/oldest': { target: 'stable' },
  'pool/up': { target: '../dists/./stable/Release' },
  'pool/with blank; more': { target: '../dists/stable/main' },
  debian: { target: '.' },
  'away/through': { target: '../debian/pool' },
  absolute: { target: '/etc/passwd' },
  out: { target: '../../etc/passwd' },
  'pool/out': { target: '../../../etc' },
  'pool/round': { target: '../../outside/../etc' },
  'dists/bookworm/climb': { target: '../stable/../../../x' },
  loop: { target: 'loop' },
  ping: { target: 'pong' },
  pong: { target: 'ping' },
  dangling: { target: 'nothing' },
}

/** The links of `linkedFiles` that lead to something inside. */
const shown = {
  '/away/through': '../debian/pool',
  '/debian': '.',
  '/dists/oldest': 'stable',
  '/dists/stable': 'bookworm',
  '/pool/up': '../dists/./stable/Release',
  '/pool/with blank; more': '../dists/stable/main',
}

interface Made {
  readonly source: FileSource
  readonly close?: () => void | Promise<void>
}

/** The suite of every source that shows symlinks. `make` returns a source with `linkedFiles`. */
export function linksContract(name: string, make: () => Made | Promise<Made>): void {
  describe(`${name} shows symlinks`, () => {
    let made: Made
    beforeAll(async () => {
      made = await make()
    })
    afterAll(() => made.close?.())
    const stat = (path: string) => made.source.stat(cleanPath(path), anyone)

    /** Every entry below a folder, by path. What is behind a symlink is not walked through. */
    const walk = async (folder: CleanPath): Promise<(readonly [CleanPath, Entry])[]> => {
      const found: (readonly [CleanPath, Entry])[] = []
      for (const entry of (await made.source.list(folder, anyone)) ?? []) {
        const path = joinPath(folder, entry.name)
        found.push([path, entry])
        if (entry.kind === 'folder' && entry.target === undefined) found.push(...(await walk(path)))
      }
      return found
    }

    test('that stay inside have their target, and the others do not exist', async () => {
      const entries = await walk(rootPath)
      const targets = entries.flatMap(([path, { target }]) => (target === undefined ? [] : [[path, target]]))
      expect(Object.fromEntries(targets)).toEqual(shown)
      for (const [path, { kind }] of entries) expect(['file', 'folder'], path).toContain(kind)
      const hidden = Object.keys(linkedFiles).filter((path) => typeof linkedFiles[path] !== 'string')
      for (const path of hidden.filter((each) => !Object.hasOwn(shown, `/${each}`)))
        expect(await stat(path), path).toBeUndefined()
    })

    test('a target leads to the entry that the name has, as listed and as looked up', async () => {
      for (const [path, { open: _, ...listed }] of await walk(rootPath)) {
        const { open: __, ...found } = (await stat(path)) ?? {}
        expect(found, path).toEqual(listed)
        if (listed.target === undefined) continue
        const folder = path.slice(0, path.lastIndexOf('/')) || '/'
        const to = linkTarget(cleanPath(folder), listed.target)
        expect(await stat(to ?? 'leads out'), path).toMatchObject({ kind: listed.kind, etag: listed.etag })
      }
    })

    test('paths through them lead on, also round and round', async () => {
      for (const path of ['/dists/stable/Release', '/debian/debian/dists/oldest/Release', '/away/through/up'])
        expect((await contentOf(await stat(path))).toString(), path).toBe('release')
      expect(await stat('/debian/debian')).toMatchObject({ kind: 'folder', target: '.' })
      expect(await stat('/debian/dists/stable/main')).not.toHaveProperty('target')
    })

    test('the link itself has the length of its target, and no bytes', async () => {
      const entry = await stat('/pool/up')
      const link = entry && linkItself(entry)
      expect(link).toMatchObject({
        name: 'up',
        kind: 'symlink',
        size: 25,
        target: '../dists/./stable/Release',
      })
      expect(link?.etag).toMatch(/^[\x21\x23-\x7e]+$/)
      await expect(link?.open()).rejects.toMatchObject({ name: 'Failure' })
    })
  })
}
