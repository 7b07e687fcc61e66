import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { nextState } from '../../../server/core/guest/next-state.ts'
import { noModule } from '../../../server/host/sqlite.ts'
import { openExistingStore, openStore, storeFile } from '../../../server/store/sqlite/open.ts'
import { stateOfRow } from '../../../server/store/sqlite/rows.ts'
import { builtFile } from '../../support/built-file.ts'
import { isSearch, searches } from '../../support/fuzz.ts'

let data = ''
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'treeboot-store-'))
  return () => rmSync(data, { recursive: true, force: true })
})

/** When all that these tests write happens. */
const atMs = 1

/** Writes a change to the guest: the operator wants one installation, and its number goes up by one. */
const arm = (store: Awaited<ReturnType<typeof openStore>>, guest: string) =>
  store.change(guest, (state) => nextState(state, { type: 'install-once' }, atMs))

/**
 * Starts writer.ts. `kept` has, by guest, the number of the last installation whose write had resolved in that
 * process.
 */
function startWriter(times: number, ...guests: string[]): { child: ChildProcess; kept: Map<string, number> } {
  const args = [builtFile('tests/store/sqlite/writer.ts'), data, String(times), ...guests]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const kept = new Map<string, number>()
  let rest = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [guest = '', install] = line.split(' ')
      kept.set(guest, Number(install))
    }
  })
  return { child, kept }
}

describe('a restart', () => {
  test('keeps everything as it was', async () => {
    const first = await openStore({ data })
    expect(first.isNew).toBe(true)
    await arm(first, 'web01')
    const [states, history, secret] = [
      await first.states(),
      await first.history('web01'),
      await first.secret(),
    ]
    await first.close()
    const second = await openStore({ data })
    expect(second.isNew).toBe(false)
    expect([await second.states(), await second.history('web01'), await second.secret()]).toEqual([
      states,
      history,
      secret,
    ])
    await second.close()
  })

  test('after kill -9 during a write keeps every change whose promise had resolved, completely', async () => {
    // The numbers of installations go on: the second round begins where the first was killed.
    for (let round = 0; round < (isSearch ? 2 : 1); round++) {
      const { child, kept } = startWriter(1_000_000, 'web01', 'web02')
      const ended = once(child, 'close')
      while ((kept.get('web02') ?? 0) < 8 * (round + 1)) await once(child.stdout ?? child, 'data')
      child.kill('SIGKILL')
      await ended
      const store = await openStore({ data })
      const states = await store.states()
      for (const guest of ['web01', 'web02']) {
        const install = states.get(guest)?.install
        expect(install).toBeGreaterThanOrEqual(kept.get(guest) ?? 0)
        // The state and the line of its history were written together.
        expect((await store.history(guest)).at(-1)?.install).toBe(install)
      }
      await store.close()
    }
    const raw = new Database(storeFile(data))
    expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
    raw.close()
  })
})

describe('two processes', () => {
  test('that open a new store at once and write to the same guests lose nothing', async () => {
    const times = searches(20, 1 / 2)
    const children = [startWriter(times, 'web01', 'web02'), startWriter(times, 'web01', 'web02')]
    const codes = await Promise.all(children.map(async ({ child }) => (await once(child, 'close'))[0]))
    expect(codes).toEqual([0, 0])
    const store = await openStore({ data })
    const states = await store.states()
    expect([states.get('web01')?.install, states.get('web02')?.install]).toEqual([2 * times, 2 * times])
    await store.close()
  })

  test('each notices at once the writes of the other, but not its own', async () => {
    const [one, two] = [await openStore({ data }), await openStore({ data })]
    expect(two.changedElsewhere()).toBe(false)
    await arm(one, 'web01')
    expect(one.changedElsewhere()).toBe(false)
    expect(two.changedElsewhere()).toBe(true)
    expect(two.changedElsewhere()).toBe(false)
    expect((await two.states()).get('web01')?.state).toBe('install')
    await Promise.all([one.close(), two.close()])
  })

  test('a writer waits while another program holds the lock, and the event loop goes on meanwhile', async () => {
    const store = await openStore({ data })
    const other = new Database(storeFile(data))
    other.exec('begin immediate')
    let turns = 0
    const timer = setInterval(() => {
      if (++turns === 2) other.exec('rollback')
    }, 1)
    await arm(store, 'web01')
    clearInterval(timer)
    expect(turns).toBeGreaterThanOrEqual(2)
    other.close()
    await store.close()
  })
})

describe('the file', () => {
  test('is readable by its owner only, like -wal and -shm', async () => {
    const store = await openStore({ data })
    await arm(store, 'web01')
    for (const end of ['', '-wal', '-shm'])
      expect(statSync(storeFile(data) + end).mode & 0o777, `treeboot.db${end}`).toBe(0o600)
    await store.close()
  })

  test('is not made by a command that only reads', async () => {
    expect(await openExistingStore({ data })).toBeUndefined()
  })

  test('that is not a database, or of a newer version, is refused with a remedy', async () => {
    writeFileSync(
      storeFile(data),
      'not a database, but long enough to be looked at as one by SQLite '.repeat(20),
    )
    await expect(openStore({ data })).rejects.toThrow(/treeboot\.db is not a database or is damaged/)
    rmSync(storeFile(data))
    const store = await openStore({ data })
    await store.close()
    const raw = new Database(storeFile(data))
    raw.exec("insert into kysely_migration (name, timestamp) values ('9999-from-tomorrow', '2099')")
    raw.close()
    await expect(openStore({ data })).rejects.toThrow(/was written by a newer version/)
  })

  test('is refused with a remedy where no folder can be made', async () => {
    writeFileSync(join(data, 'file'), '')
    await expect(openStore({ data: join(data, 'file') })).rejects.toThrow(/set paths\.data to a folder/)
  })

  test('an invalid row leaves the disk of the guest alone', async () => {
    const store = await openStore({ data })
    await arm(store, 'web01')
    const raw = new Database(storeFile(data))
    raw.exec("update guests set state = 'instal'")
    raw.close()
    expect((await store.states()).get('web01')?.state).toBe('local')
    await store.close()
  })
})

test.each([
  [
    'one offer, as earlier builds of 0.1 wrote it',
    '{"offer":{"tree":"f40","client":"10.0.0.7"}}',
    'install',
    ['10.0.0.7'],
  ],
  [
    'an offer for each address',
    '{"offers":[{"client":"10.0.0.7"},{"client":"10.0.0.8"}]}',
    'install',
    ['10.0.0.7', '10.0.0.8'],
  ],
  ['offers that are not a list', '{"offers":"x"}', 'local', undefined],
  ['a list of other things', '{"offers":[null]}', 'local', undefined],
])('a row with %s', (_what, rest, state, clients) => {
  const read = stateOfRow({ state: 'install', since_ms: 1, install: 0, rest })
  expect(read.state).toBe(state)
  expect(read.offers?.map(({ client }) => client)).toEqual(clients)
})

test('a database module that does not load is reported with a remedy', () => {
  const failure = noModule(new Error('Could not locate the bindings file. Tried:\n → /x/y.node'))
  expect(failure).toBeInstanceOf(Failure)
  expect(failure.kind).toBe('unavailable')
  expect(failure.message).toMatch(
    /does not load on Node .*\(Could not locate the bindings file. Tried:\); run "npm rebuild better-sqlite3"/,
  )
})
