import { describe, expect, test } from 'vitest'
import { byName, folderEntry, renameEntry } from '../../server/files/entry.ts'
import { bytesEntry, textEntry } from '../../server/files/memory.ts'
import { readWhole } from '../../server/files/read-whole.ts'
import type { Entry, OpenFile } from '../../server/files/source.ts'
import { contentOf } from '../contract/file-source.ts'

test('a folder has an etag that follows its time, or the given one, and no bytes', async () => {
  expect(folderEntry('a', 5)).toMatchObject({ kind: 'folder', size: 0, modifiedMs: 5 })
  expect(folderEntry('a', 5).etag).not.toBe(folderEntry('a', 6).etag)
  expect(folderEntry('a', 5, 'given').etag).toBe('given')
  await expect(folderEntry('a', 5).open()).rejects.toMatchObject({ kind: 'bad-request' })
})

test('an entry under another name keeps all else, also when `open` is a method of a class', async () => {
  class OfClass implements Entry {
    readonly name = 'old'
    readonly kind = 'file'
    readonly size = 4
    readonly modifiedMs = 5
    readonly etag = 'e'
    open(): Promise<OpenFile> {
      return textEntry(this.name, 'text', this.modifiedMs).open()
    }
  }
  const entry = new OfClass()
  const renamed = renameEntry(entry, 'new')
  expect(renamed).toMatchObject({ name: 'new', kind: 'file', size: 4, modifiedMs: 5, etag: 'e' })
  expect((await contentOf(renamed)).toString()).toBe('text')
  expect(entry.name).toBe('old')
  expect(renameEntry(entry, 'old')).toBe(entry)
})

test('names are compared by code unit, as LC_ALL=C does', () => {
  const sorted = ['.a', 'A', 'B', 'a', 'a', 'a.b', 'a0', 'b', 'ü'].map((name) => ({ name }))
  expect([...sorted].reverse().sort(byName)).toEqual(sorted)
  expect(byName({ name: 'a' }, { name: 'a' })).toBe(0)
})

test('the etag of bytes follows the bytes alone', () => {
  const { etag } = textEntry('a', 'text', 1)
  expect(bytesEntry('b', Buffer.from('text'), 2).etag).toBe(etag)
  expect(textEntry('a', 'texts', 1).etag).not.toBe(etag)
})

describe('readWhole', () => {
  /** A file that gives at most three bytes per read, up to `length` bytes. */
  function shortReads(size: number, length = size) {
    const state = { open: 0 }
    const read: OpenFile['read'] = async (target, offset, asked, position) => {
      const count = Math.max(0, Math.min(3, asked, length - position))
      for (let i = 0; i < count; i++) target[offset + i] = 0x61 + position + i
      return count
    }
    const open = async () => {
      state.open++
      return { size, read, close: async () => void state.open-- }
    }
    const entry: Entry = { name: 'f', kind: 'file', size, modifiedMs: 0, etag: 'e', open }
    return { entry, state }
  }

  test('bytes in memory are not copied', async () => {
    const bytes = new Uint8Array(Buffer.from('__text__')).subarray(2, 6)
    const whole = await readWhole(bytesEntry('x', bytes, 0))
    expect(whole.toString()).toBe('text')
    expect(whole.buffer).toBe(bytes.buffer)
  })

  test.each([
    { title: 'in several reads', size: 8, length: 8, max: undefined, bytes: 'abcdefgh' },
    { title: 'a file that was cut', size: 8, length: 5, max: undefined, bytes: 'abcde' },
    { title: 'a file that has grown', size: 8, length: 8, max: 4, bytes: 'abcd' },
    { title: 'an empty file', size: 0, length: 0, max: undefined, bytes: '' },
  ])('all bytes are read, and the file is closed: $title', async ({ size, length, max, bytes }) => {
    const { entry, state } = shortReads(size, length)
    expect((await readWhole(entry, max)).toString()).toBe(bytes)
    expect(state.open).toBe(0)
  })

  test('a file is closed after an error, too', async () => {
    const { entry, state } = shortReads(8)
    const broken: Entry = {
      ...entry,
      open: async () => ({ ...(await entry.open()), read: () => Promise.reject(new Error('EIO')) }),
    }
    await expect(readWhole(broken)).rejects.toThrow('EIO')
    expect(state.open).toBe(0)
  })
})
