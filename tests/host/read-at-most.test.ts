import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readAtMost } from '../../server/host/read-at-most.ts'
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
