import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockHolder, takeLock } from '../../server/host/lock.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const newLock = () => join(temporaryFolder(), 'lock')

test('a lock names its holder until it is released', async () => {
  const file = newLock()
  expect(await lockHolder(file)).toBeUndefined()
  const release = await takeLock(file, 'works here already')
  expect(await lockHolder(file)).toBe(process.pid)
  await release()
  expect(existsSync(file)).toBe(false)
})

test('a running process keeps its lock', async () => {
  const file = newLock()
  // Our parent: it runs for as long as this test does.
  writeFileSync(file, String(process.ppid))
  await expect(takeLock(file, 'is importing a.iso already')).rejects.toMatchObject({
    kind: 'conflict',
    message: `process ${process.ppid} is importing a.iso already`,
  })
  expect(readFileSync(file, 'utf8')).toBe(String(process.ppid))
})

test.each([
  ['of a process that has ended', () => String(spawnSync(process.execPath, ['-e', '']).pid)],
  ['of a process before us with our own id', () => String(process.pid)],
  ['without a process id', () => ''],
  ['with nonsense', () => '-1 or so'],
])('a lock %s is taken over', async (_, content) => {
  const file = newLock()
  writeFileSync(file, content())
  await takeLock(file, 'works here already')
  expect(readFileSync(file, 'utf8')).toBe(String(process.pid))
})
