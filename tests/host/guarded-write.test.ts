import { chmodSync, chownSync, promises, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { removeIfSame, replaceIfSame } from '../../server/host/guarded-write.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const realRename = promises.rename
/** An editor saves between two system calls of ours: just before the next rename, which is the real one. */
function beforeNextRename(save: () => void): void {
  promises.rename = (from, to) => {
    restore()
    save()
    return realRename(from, to)
  }
  syncBuiltinESMExports()
}
function restore(): void {
  promises.rename = realRename
  syncBuiltinESMExports()
}
afterEach(restore)

const old = Buffer.from('old\n')

function file(content: string | null = 'old\n'): string {
  const folder = temporaryFolder()
  if (content !== null) writeBelow(folder, 'f.yaml', content)
  return join(folder, 'f.yaml')
}
const namesBeside = (path: string) => readdirSync(join(path, '..'))

test('a file with the expected content is replaced, with its mode, and leaves nothing beside it', async () => {
  const path = file()
  chmodSync(path, 0o640)
  expect(await replaceIfSame(path, old, 'new\n', { mode: 0o640 })).toBe(true)
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['new\n', 0o640])
  expect(namesBeside(path)).toEqual(['f.yaml'])
  expect(await removeIfSame(path, Buffer.from('new\n'))).toBe(true)
  expect(namesBeside(path)).toEqual([])
})

test('a file that is replaced stays readable and writable for whom it was, whatever the umask is', async () => {
  const path = file()
  for (const mode of [0o666, 0o604, 0o600]) {
    chmodSync(path, mode)
    expect(await replaceIfSame(path, old, 'old\n', { like: statSync(path) })).toBe(true)
    expect(statSync(path).mode & 0o777).toBe(mode)
  }
})

// Only root may give a file to another user.
test.skipIf(process.getuid?.() !== 0)('and the file of another user stays his (as root)', async () => {
  const path = file()
  chownSync(path, 1234, 2345)
  expect(await replaceIfSame(path, old, 'new\n', { like: statSync(path) })).toBe(true)
  expect(statSync(path)).toMatchObject({ uid: 1234, gid: 2345 })
})

test.each([
  ['has another content', 'theirs\n'],
  ['is gone', null],
])('a file that %s stays so', async (_, content) => {
  const path = file(content)
  expect(await replaceIfSame(path, old, 'new\n')).toBe(false)
  expect(await removeIfSame(path, old)).toBe(false)
  expect(namesBeside(path)).toEqual(content === null ? [] : ['f.yaml'])
  if (content !== null) expect(readFileSync(path, 'utf8')).toBe(content)
})

test.each([
  ['in place', (path: string) => writeFile(path, 'editor\n')],
  [
    'by renaming',
    async (path: string) => {
      await writeFile(`${path}~`, 'editor\n')
      await rename(`${path}~`, path)
    },
  ],
])('an editor that saves %s at the same moment loses nothing that a reply denies', async (_, save) => {
  for (let round = 0; round < 100; round++) {
    const path = file()
    // The moments move against each other from round to round.
    const editor = (async () => {
      for (let turn = 0; turn < round % 25; turn++) await statSync(path)
      await save(path)
    })()
    const replaced = await replaceIfSame(path, old, 'new\n')
    await editor
    // When the reply is no, the editor's text is there. When it is yes, ours or a later one of the editor.
    if (!replaced) expect(readFileSync(path, 'utf8')).toBe('editor\n')
    else expect(['new\n', 'editor\n']).toContain(readFileSync(path, 'utf8'))
    expect(namesBeside(path)).toEqual(['f.yaml'])
  }
})

test('what an editor writes in place just before the rename is put back', async () => {
  const path = file()
  beforeNextRename(() => writeFileSync(path, 'editor\n'))
  expect(await replaceIfSame(path, old, 'new\n')).toBe(false)
  expect([readFileSync(path, 'utf8'), namesBeside(path)]).toEqual(['editor\n', ['f.yaml']])
})

test('what an editor writes in place just before a file is removed is put back', async () => {
  const path = file()
  beforeNextRename(() => writeFileSync(path, 'editor\n'))
  expect(await removeIfSame(path, old)).toBe(false)
  expect([readFileSync(path, 'utf8'), namesBeside(path)]).toEqual(['editor\n', ['f.yaml']])
})
