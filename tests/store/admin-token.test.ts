import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadAdminToken } from '../../server/store/admin-token.ts'
import { stating } from '../support/stating.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

test('the first start makes a token that only its owner can read; the next ones keep it', async () => {
  const data = join(temporaryFolder(), 'data')
  const made = await loadAdminToken(data)
  expect(made.isNew).toBe(true)
  const file = join(data, 'admin-token')
  const token = readFileSync(file, 'utf8').trim()
  expect(token).toMatch(/^[\w-]{43}$/) // 32 bytes in base64url
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const again = await loadAdminToken(data)
  expect(again.isNew).toBe(false)
  expect([token, `${token}x`, '', token.slice(1)].map(again.isValid)).toEqual([true, false, false, false])
})

test('wider permissions are removed, and two simultaneous starts use the same token', async () => {
  const data = temporaryFolder()
  const [one, two] = await Promise.all([loadAdminToken(data), loadAdminToken(data)])
  const file = join(data, 'admin-token')
  const token = readFileSync(file, 'utf8').trim()
  expect([one.isValid(token), two.isValid(token)]).toEqual([true, true])
  chmodSync(file, 0o644)
  await loadAdminToken(data)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a file without a proper token is refused with a remedy', async () => {
  const data = temporaryFolder()
  writeFileSync(join(data, 'admin-token'), 'secret\n')
  await expect(loadAdminToken(data)).rejects.toThrow(stating('admin-token', 'new one'))
})
