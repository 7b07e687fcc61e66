import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { memoryStore } from '../../server/store/memory/store.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { webhookStoreContract } from '../contract/webhook-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'treeboot-webhook-store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
webhookStoreContract('memory', async () => memoryStore())
webhookStoreContract('SQLite', () => openStore({ data: join(folder, String(count++)) }))
