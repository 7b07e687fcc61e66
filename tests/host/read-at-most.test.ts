import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readAtMost, readFileAtMost } from '../../server/host/read-at-most.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

test('a file is read whole up to a size, and not beyond', async () => {
  const folder = temporaryFolder()
  for (const size of [0, 1, 4095, 4096, 10_000]) {
    const text = 'x'.repeat(size)
    writeBelow(folder, 'file', text)
    expect((await readAtMost(join(folder, 'file'), size))?.toString()).toBe(text)
    expect(await readAtMost(join(folder, 'file'), size - 1)).toBeUndefined()
  }
})

test('a file that does not say its size is read whole, and a device without end is not', async () => {
  expect((await readAtMost('/proc/self/environ', 1 << 20))?.length).toBeGreaterThan(0)
  expect(await readAtMost('/dev/zero', 100_000)).toBeUndefined()
})

test('of what is no regular file nothing is read, and nobody waits for the writer of a FIFO', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'file', 'text')
  execFileSync('mkfifo', [join(folder, 'fifo')])
  for (const name of ['file', 'fifo']) symlinkSync(name, join(folder, `to-${name}`))
  const read = (path: string) =>
    readFileAtMost(join(folder, path), 100).then(String, (error: Error) => error.message)
  expect([await read('file'), await read('to-file')]).toEqual(['text', 'text'])
  expect([await read('fifo'), await read('to-fifo')]).toEqual(
    Array(2).fill('is a pipe or a device, and no file'),
  )
  expect(await read('.')).toBe('is a folder, and no file')
  await expect(readFileAtMost('/dev/zero', 100)).rejects.toThrow('is a pipe or a device, and no file')
})
