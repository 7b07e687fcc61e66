import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { beforeEach, expect, test } from 'vitest'
import { nextState } from '../../server/core/guest/next-state.ts'
import { Ballast, ballastBytes } from '../../server/store/ballast.ts'
import { SqliteStore } from '../../server/store/sqlite/store.ts'

/** What happens when the disk has no room: SQLite itself refuses to grow the file, with the error of a full disk. */

let data = ''
let raw: Database.Database
let store: SqliteStore
let ballast: Ballast

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), 'treeboot-ballast-'))
  ballast = new Ballast(data)
  raw = new Database(join(data, 'treeboot.db'))
  raw.pragma('journal_mode = WAL')
  store = new SqliteStore(raw, { giveSpace: () => release(), witness: async () => false })
  await store.migrate()
  await store.change('web01', (state) => nextState(state, { type: 'install-once' }, 1))
  return async () => {
    await store.close()
    rmSync(data, { recursive: true, force: true })
  }
})

const pages = (): number => raw.pragma('page_count', { simple: true }) as number
/** The file may not grow any more. */
const fill = (): unknown => raw.pragma(`max_page_count = ${pages()}`)
/** What the disk has room for after the ballast was deleted. */
async function release(): Promise<boolean> {
  if (!(await ballast.release())) return false
  raw.pragma(`max_page_count = ${pages() + ballastBytes / 4096}`)
  return true
}
const full = { code: 'SQLITE_FULL' }
/** A change that needs new pages. */
const grow = (guest = 'x'.repeat(20_000)): Promise<unknown> =>
  store.change(guest, (state) => nextState(state, { type: 'local' }, 1))

test('without a ballast a change is refused with the true cause, and the store goes on', async () => {
  fill()
  await expect(grow()).rejects.toMatchObject(full)
  expect((await store.states()).size).toBe(1)
  raw.pragma(`max_page_count = ${pages() + 100}`)
  await grow()
  expect((await store.states()).size).toBe(2)
})

test('the ballast is given up for the state of a guest, once', async () => {
  await ballast.keep()
  expect(await ballast.isThere()).toBe(true)
  fill()
  await grow()
  expect((await store.states()).size).toBe(2)
  expect(await ballast.isThere()).toBe(false)
  fill()
  await expect(grow('y'.repeat(20_000))).rejects.toMatchObject(full)
})

test('the ballast is not given up for unknown machines', async () => {
  await ballast.keep()
  fill()
  const machines = Array.from({ length: 100 }, (_, n) => {
    const seen = { firstMs: 1, lastMs: 1, count: 1 }
    return { ...seen, id: String(n), vendor: 'x'.repeat(2000) }
  })
  await expect(store.addUnknownMachines(machines)).rejects.toMatchObject(full)
  expect(await ballast.isThere()).toBe(true)
})

test('a ballast that was cut short does not count, and is made anew', async () => {
  writeFileSync(join(data, 'ballast'), Buffer.alloc(ballastBytes - 1))
  expect(await ballast.isThere()).toBe(false)
  await ballast.keep()
  expect(await ballast.isThere()).toBe(true)
  expect(await ballast.release()).toBe(true)
  expect(await ballast.release()).toBe(false)
})
