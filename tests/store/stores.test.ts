import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { memoryStore } from '../../server/store/memory/store.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { accountStoreContract } from '../contract/account-store.ts'
import { storeContract } from '../contract/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'treeboot-store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
for (const contract of [storeContract, accountStoreContract]) {
  contract('memory', async () => memoryStore())
  contract('SQLite', () => openStore({ data: join(folder, String(count++)) }))
}
