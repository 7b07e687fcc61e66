import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Requester } from '../../server/core/net/requester.ts'
import { baseName, cleanPath, joinPath, rootPath } from '../../server/files/path.ts'
import type { Entry, FileSource, OpenFile } from '../../server/files/source.ts'

export const anyone: Requester = { protocol: 'internal', address: '127.0.0.1' }

/**
 * The files that every source under test has. Their bytes are below 0x80, so that a source of texts passes,
 * too. One file is longer than 64 KiB, and ends inside a block.
 */
export const contractFiles: Readonly<Record<string, Uint8Array>> = {
  '/.treeinfo': Buffer.from('[general]\nfamily = Fedora\n'),
  '/empty': new Uint8Array(0),
  '/images/pxeboot/vmlinuz': Uint8Array.from({ length: 70_001 }, (_, i) => (i * 7) % 127),
  '/images/pxeboot/initrd.img': Uint8Array.from({ length: 4096 }, (_, i) => i % 128),
  '/images/a b.txt': Buffer.from('a space in a name\n'),
  '/images/ümlaut.txt': Buffer.from('not only ASCII\n'),
}

export async function readAll(file: OpenFile): Promise<Buffer> {
  const bytes = Buffer.alloc(file.size)
  let done = 0
  while (done < bytes.length) {
    const count = await file.read(bytes, done, bytes.length - done, done)
    if (count === 0) throw new Error(`ended after ${done} of ${bytes.length} bytes`)
    done += count
  }
  return bytes
}

export async function contentOf(entry: Entry | undefined): Promise<Buffer> {
  if (!entry) throw new Error('there is no such entry')
  const file = await entry.open()
  try {
    return await readAll(file)
  } finally {
    await file.close()
  }
}

interface Made {
  readonly source: FileSource
  readonly close?: () => void | Promise<void>
}

/** The suite that every implementation of FileSource passes. `make` returns a source with the given files. */
export function fileSourceContract(
  name: string,
  make: (files: Readonly<Record<string, Uint8Array>>) => Made | Promise<Made>,
): void {
  describe(`${name} is a FileSource`, () => {
    let made: Made
    beforeAll(async () => {
      made = await make(contractFiles)
    })
    afterAll(() => made.close?.())
    const stat = (path: string) => made.source.stat(cleanPath(path), anyone)
    const list = (path: string) => made.source.list(cleanPath(path), anyone)

    test.each(Object.keys(contractFiles))('%s has its size, name and bytes', async (path) => {
      const expected = Buffer.from(contractFiles[path] ?? [])
      const entry = await stat(path)
      expect(entry).toMatchObject({ name: baseName(cleanPath(path)), kind: 'file', size: expected.length })
      expect((await contentOf(entry)).equals(expected)).toBe(true)
      if (entry?.content) expect(Buffer.from(entry.content).equals(expected)).toBe(true)
    })

    test('reads anywhere in a file, and 0 bytes at its end; may be closed twice', async () => {
      const path = '/images/pxeboot/vmlinuz'
      const expected = contractFiles[path] ?? new Uint8Array(0)
      const file = await (await stat(path))?.open()
      if (!file) throw new Error('no file')
      const target = Buffer.alloc(100, 0xee)
      // 50 bytes across the end of the first 64 KiB.
      expect(await file.read(target, 10, 50, 65_500)).toBe(50)
      expect(target.subarray(10, 60).equals(expected.subarray(65_500, 65_550))).toBe(true)
      expect([target[9], target[60]]).toEqual([0xee, 0xee])
      expect(await file.read(target, 0, 100, expected.length - 5)).toBe(5)
      expect(await file.read(target, 0, 100, expected.length)).toBe(0)
      expect(await file.read(target, 0, 100, expected.length + 1000)).toBe(0)
      await file.close()
      await file.close()
    })

    test('a folder lists its entries sorted, and each equals the result of stat', async () => {
      expect((await list('/'))?.map((entry) => [entry.name, entry.kind])).toEqual([
        ['.treeinfo', 'file'],
        ['empty', 'file'],
        ['images', 'folder'],
      ])
      expect((await list('/images'))?.map((entry) => entry.name)).toEqual([
        'a b.txt',
        'pxeboot',
        'ümlaut.txt',
      ])
      for (const folder of ['/', '/images', '/images/pxeboot'].map(cleanPath))
        for (const { open: _, ...listed } of (await made.source.list(folder, anyone)) ?? []) {
          const { open: __, ...found } = (await made.source.stat(joinPath(folder, listed.name), anyone)) ?? {}
          expect(found).toEqual(listed)
        }
    })

    test('a path that does not exist is undefined, not an error', async () => {
      for (const path of [
        '/none',
        '/none/deep',
        '/empty/below',
        '/images/pxeboot/none',
        // Names that every object of JavaScript has.
        '/constructor',
        '/__proto__',
      ])
        expect(await stat(path), path).toBeUndefined()
      for (const path of ['/none', '/empty', '/empty/below']) expect(await list(path), path).toBeUndefined()
    })

    test('a folder is an entry without bytes', async () => {
      expect(await made.source.stat(rootPath, anyone)).toMatchObject({ name: '', kind: 'folder', size: 0 })
      const folder = await stat('/images')
      expect(folder).toMatchObject({ name: 'images', kind: 'folder', size: 0 })
      await expect(folder?.open()).rejects.toMatchObject({ name: 'Failure' })
    })

    test('etags are equal for the same file and differ between files', async () => {
      const paths = Object.keys(contractFiles)
      const etags = await Promise.all(paths.map(async (path) => (await stat(path))?.etag))
      expect(await Promise.all(paths.map(async (path) => (await stat(path))?.etag))).toEqual(etags)
      expect(new Set(etags).size).toBe(paths.length)
      // RFC 9110 8.8.3: visible ASCII without quotes.
      for (const etag of etags) expect(etag).toMatch(/^[\x21\x23-\x7e]+$/)
    })
  })
}
