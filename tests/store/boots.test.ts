import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { memoryStore } from '../../server/store/memory/store.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { bootStoreContract } from '../contract/boot-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'treeboot-boot-store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
bootStoreContract('memory', async () => memoryStore())
bootStoreContract('SQLite', () => openStore({ data: join(folder, String(count++)) }))
