import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { httpOnly, testApp } from './support/app.ts'
import { temporaryFolder, writeBelow } from './support/tree-folder.ts'

/** A server whose store was destroyed while it was down. */

const config = `${httpOnly}
`

test('a server without its store refuses to start, and says what that would mean', async () => {
  const home = temporaryFolder()
  writeBelow(home, 'config.yaml', config)
  const before = testApp(home)
  await before.start()
  await before.stop()
  // Pages of a write-ahead log would count instead of those of the file.
  for (const end of ['-wal', '-shm']) rmSync(join(home, `data/treeboot.db${end}`), { force: true })
  writeFileSync(join(home, 'data/treeboot.db'), 'x'.repeat(4096))
  await expect(testApp(home).start()).rejects.toThrow(/treeboot\.db.*every guest is held on its own disk/)
})
