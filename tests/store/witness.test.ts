import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { beforeEach, describe, expect, test } from 'vitest'
import { nextState } from '../../server/core/guest/next-state.ts'
import { openStore, storeFile } from '../../server/store/sqlite/open.ts'
import type { Store } from '../../server/store/store.ts'
import { readWitnesses, whyNoWitness } from '../../server/store/witness.ts'

let home = ''
let data = ''
let witness: string[] = []
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'treeboot-witness-'))
  data = join(home, 'data')
  witness = [join(home, 'trees/.treeboot/witness.json'), join(home, 'other/witness.json')]
  return () => rmSync(home, { recursive: true, force: true })
})

const arm = (store: Store, guest: string) =>
  store.change(guest, (state) => nextState(state, { type: 'install-once' }, 1))
const note = (store: Store, guest: string) =>
  store.change(guest, (state) => nextState(state, { type: 'sent-to-disk', client: '10.0.0.7' }, 1))
const said = (file: string) => JSON.parse(readFileSync(file, 'utf8'))

describe('the witness', () => {
  test('has the id of the store and counts its changes, before a promise is kept', async () => {
    mkdirSync(join(home, 'trees'))
    const store = await openStore({ data, witness })
    const { id } = (await store.past()).mark
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    for (let n = 1; n <= 3; n++) {
      await arm(store, 'web01')
      for (const file of witness) expect(said(file)).toEqual({ store_id: id, changes: n })
    }
    // A line of history is no change of a state.
    await note(store, 'web01')
    expect(said(witness[0] ?? '').changes).toBe(3)
    await store.close()
    const again = await openStore({ data, witness })
    expect(await again.past()).toMatchObject({ mark: { id, changes: 3 }, witnessed: true, settled: false })
    expect(again.witnesses).toEqual([
      { id, changes: 3 },
      { id, changes: 3 },
    ])
    await again.close()
  })

  test('that cannot be written is reported, and stops nothing', async () => {
    writeFileSync(join(home, 'trees'), 'a file where a folder should be')
    const troubles: unknown[] = []
    const [first = ''] = witness
    const store = await openStore({ data, witness: [first], onTrouble: (error) => troubles.push(error) })
    await arm(store, 'web01')
    expect(troubles).toHaveLength(1)
    expect(await store.past()).toMatchObject({ witnessed: false, mark: { changes: 1 } })
    await store.close()
  })

  test.each(['', '{"store_id":"a"}', '{"store_id":"a","changes":1.5}', 'null', '[]'])(
    'that reads %j is damaged',
    async (text) => {
      const file = join(home, 'witness.json')
      writeFileSync(file, text)
      expect(await readWitnesses([file, join(home, 'none.json')])).toEqual(['damaged'])
    },
  )

  test('that cannot be written is told before anything is written', async () => {
    expect(await whyNoWitness(join(home, 'a/b/witness.json'))).toBeUndefined()
    writeFileSync(join(home, 'file'), '')
    expect(await whyNoWitness(join(home, 'file/witness.json'))).toContain('is not a folder')
    expect(await whyNoWitness(join(home, 'file/b/witness.json'))).toContain('ENOTDIR')
    expect(existsSync(join(home, 'a'))).toBe(false)
  })

  test('that may not be read is damaged, too', async () => {
    const folder = join(home, 'witness.json/inner')
    expect(await readWitnesses([folder])).toEqual([])
    writeFileSync(join(home, 'secret.json'), '{}')
    chmodSync(join(home, 'secret.json'), 0)
    expect(await readWitnesses([join(home, 'secret.json')])).toEqual(['damaged'])
  })
})

test('a store of the release before keeps its states, counts as settled, and never had a witness', async () => {
  const store = await openStore({ data })
  await arm(store, 'web01')
  await store.change('web02', (state) =>
    nextState(state, { type: 'reported', report: 'failed', client: '10.0.0.7', detail: 'no disk' }, 1),
  )
  await store.secret()
  await store.close()
  const raw = new Database(storeFile(data))
  raw.exec(`
    alter table guests drop column identity;
    delete from meta where key not in ('secret', 'lock');
    update guests set state = 'installing' where name = 'web02';
    drop table boot_events;
    drop table webhook_deliveries;
    delete from kysely_migration where name >= '0002'`)
  const first = ['guests', 'steps', 'inbox', 'meta']
  const tables: unknown[] = raw
    .prepare(`select name from sqlite_schema where type = 'table' and name not like '%\\_%' escape '\\'`)
    .pluck()
    .all()
  for (const name of tables) if (!first.includes(String(name))) raw.exec(`drop table "${name}"`)
  raw.close()
  const upgraded = await openStore({ data, witness })
  expect(await upgraded.past()).toMatchObject({ settled: true, witnessed: false, mark: { changes: 0 } })
  const states = await upgraded.states()
  expect(states.get('web01')?.state).toBe('install')
  expect(states.get('web02')).toMatchObject({ state: 'failed', failure: 'no disk' })
  await upgraded.close()
})
