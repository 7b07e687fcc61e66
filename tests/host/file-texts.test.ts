import { readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { FileTexts } from '../../server/host/file-texts.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/** A file with this text that has rested long enough, and how often it was read. */
async function rested(text: string) {
  const folder = temporaryFolder()
  const path = join(folder, 'a')
  writeFileSync(path, text)
  await pause(2_100)
  const texts = new FileTexts()
  let reads = 0
  const look = () =>
    texts.text(path, () => {
      reads++
      return readFile(path, 'utf8')
    })
  return { folder, path, look, reads: () => reads }
}

describe('the text of a file', () => {
  test('is read once while the file rests', async () => {
    const { look, reads } = await rested('one')
    expect([await look(), await look(), await look(), reads()]).toEqual(['one', 'one', 'one', 1])
  })

  test.each([
    ['written in place, of the same size', (path: string) => writeFileSync(path, 'two')],
    [
      'written in place with the old time put back',
      (path: string) => {
        writeFileSync(path, 'two')
        utimesSync(path, 1, 1)
      },
    ],
    [
      'replaced by another',
      (path: string) => {
        writeFileSync(`${path}.new`, 'two')
        renameSync(`${path}.new`, path)
      },
    ],
  ])('is read again when it was %s', async (_, change) => {
    const { path, look } = await rested('one')
    expect(await look()).toBe('one')
    change(path)
    expect(await look()).toBe('two')
    // Again at once: the file has not rested, and may have changed within one tick of its clock.
    writeFileSync(path, 'six')
    expect(await look()).toBe(readFileSync(path, 'utf8'))
  })

  test('of a file that is gone is nothing, and what its reader throws is not kept', async () => {
    const { folder, look, path } = await rested('one')
    await look()
    renameSync(path, join(folder, 'b'))
    await expect(look()).rejects.toThrow('ENOENT')
    renameSync(join(folder, 'b'), path)
    expect(await look()).toBe('one')
  })
})
