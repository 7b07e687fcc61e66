import { createHash } from 'node:crypto'
import { Failure } from '../core/failure.ts'
import { byName, folderEntry } from './entry.ts'
import { baseName, type CleanPath, cleanPath, parentPath, rootPath } from './path.ts'
import type { Entry, FileSource, OpenFile } from './source.ts'

/**
 * A text as a file, in UTF-8. Its etag is a hash of its bytes, so every cache sees that equal texts are
 * equal.
 */
export function textEntry(name: string, text: string, modifiedMs: number): Entry {
  return bytesEntry(name, Buffer.from(text, 'utf8'), modifiedMs)
}

/** Bytes in memory as a file. The bytes are not copied: do not change them afterwards. */
export function bytesEntry(name: string, bytes: Uint8Array, modifiedMs: number): Entry {
  return {
    name,
    kind: 'file',
    size: bytes.length,
    modifiedMs,
    // 22 characters are 132 bits of the hash: enough to tell texts apart.
    etag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
    content: bytes,
    open: () => Promise.resolve(openBytes(bytes)),
  }
}

function openBytes(bytes: Uint8Array): OpenFile {
  return {
    size: bytes.length,
    read(target, offset, length, position) {
      const end = Math.min(bytes.length, position + Math.min(length, target.length - offset))
      if (end <= position) return Promise.resolve(0)
      target.set(bytes.subarray(position, end), offset)
      return Promise.resolve(end - position)
    },
    close: () => Promise.resolve(),
  }
}

/**
 * A fixed set of files, given as path -> content. The folders follow from the paths of the files.
 *
 * @throws Failure `conflict` when one path is both a file and a folder.
 */
export function memorySource(
  files: Readonly<Record<string, Uint8Array | string>>,
  modifiedMs = Date.now(),
): FileSource {
  const entries = new Map<CleanPath, Entry>([[rootPath, folderEntry('', modifiedMs)]])
  const children = new Map<CleanPath, Entry[]>([[rootPath, []]])

  const add = (path: CleanPath, entry: Entry): void => {
    if (entries.has(path)) throw new Failure('conflict', `${path} is named twice`)
    addFolder(parentPath(path))
    entries.set(path, entry)
    children.get(parentPath(path))?.push(entry)
    if (entry.kind === 'folder') children.set(path, [])
  }
  const addFolder = (path: CleanPath): void => {
    const existing = entries.get(path)
    if (existing?.kind === 'file')
      throw new Failure('conflict', `${path} is a file and the folder of another file`)
    if (!existing) add(path, folderEntry(baseName(path), modifiedMs))
  }

  for (const [raw, content] of Object.entries(files)) {
    const path = cleanPath(raw)
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content
    add(path, bytesEntry(baseName(path), bytes, modifiedMs))
  }
  for (const list of children.values()) list.sort(byName)

  return {
    stat: (path) => Promise.resolve(entries.get(path)),
    list: (path) => Promise.resolve(children.get(path)),
  }
}
