import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configState } from '../../server/config/quiet-read.ts'
import { type ConfigWatch, watchConfig } from '../../server/config/watch.ts'
import { defined } from '../../server/core/defined.ts'
import type { Event } from '../../server/events/bus.ts'
import { eventually } from '../support/eventually.ts'
import { stating } from '../support/stating.ts'

let folder: string
let file: string
let watch: ConfigWatch | undefined
let loaded: string[][]
let events: Event[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'treeboot-watch-'))
  file = join(folder, 'config.yaml')
  loaded = []
  events = []
})

afterEach(async () => {
  await watch?.close()
  rmSync(folder, { recursive: true, force: true })
})

async function start(more: { since?: string; quietMs?: number } = {}): Promise<void> {
  watch = await watchConfig({
    cwd: folder,
    times: { pollMs: 10, quietMs: more.quietMs ?? 30 },
    ...defined({ since: more.since }),
    onLoaded: ({ guests }) => loaded.push(guests.map(({ name }) => name)),
    emit: (event) => events.push(event),
  })
}

/** As editors do: writes a second file and renames it over the first. */
function saveAsEditorsDo(text: string): void {
  writeFileSync(`${file}~`, text)
  renameSync(`${file}~`, file)
}

const until = (check: () => void) => eventually(check, 10_000)
const outcomes = () => events.map((event) => (event.type === 'config' ? event.outcome : event.type))

describe('config.yaml while treeboot runs', () => {
  test('is read again when it is saved, in each way that editors save', async () => {
    writeFileSync(file, 'guests: { one: {} }')
    await start()
    writeFileSync(file, 'guests: { two: {} }')
    await until(() => expect(loaded.at(-1)).toEqual(['two']))
    for (const name of ['three', 'four', 'five']) {
      saveAsEditorsDo(`guests: { ${name}: {} }`)
      await until(() => expect(loaded.at(-1)).toEqual([name]))
    }
  })

  test('stays in force when the edit is broken, and every mistake is reported', async () => {
    writeFileSync(file, 'guests: { one: {} }')
    await start()
    saveAsEditorsDo('guest: { two: {} }\nhttp: { prot: 80 }')
    await until(() => expect(outcomes()).toEqual(['kept-last-good']))
    const [event] = events
    const message = event?.type === 'config' ? event.message : ''
    expect(message.split('\n')).toEqual([
      expect.stringMatching(stating('config.yaml')),
      expect.stringMatching(stating('config.yaml:1:1', 'guest', "'guests'")),
      expect.stringMatching(stating('config.yaml:2:9', 'http.prot', "'port'")),
    ])
    expect(loaded).toEqual([])
    saveAsEditorsDo('guests: { two: {} }')
    await until(() => expect(loaded).toEqual([['two']]))
  })

  test('may be created later, be deleted, and be created again', async () => {
    await start()
    saveAsEditorsDo('guests: { one: {} }')
    await until(() => expect(loaded.at(-1)).toEqual(['one']))
    rmSync(file)
    await until(() => expect(outcomes().at(-1)).toBe('kept-last-good'))
    expect(loaded.at(-1)).toEqual(['one'])
    writeFileSync(file, 'guests: { two: {} }')
    await until(() => expect(loaded.at(-1)).toEqual(['two']))
  })

  test('is read again when a symlink in its path is replaced, as Kubernetes does', async () => {
    for (const version of ['1', '2']) {
      mkdirSync(join(folder, version))
      writeFileSync(join(folder, version, 'config.yaml'), `guests: { v${version}: {} }`)
    }
    symlinkSync('1', join(folder, '..data'))
    symlinkSync('..data/config.yaml', file)
    await start()
    symlinkSync('2', join(folder, '..next'))
    renameSync(join(folder, '..next'), join(folder, '..data'))
    await until(() => expect(loaded).toEqual([['v2']]))
  })

  test('is also read on demand, and not after the watch is closed', async () => {
    writeFileSync(file, 'guests: { one: {} }')
    await start()
    await watch?.reload()
    expect(loaded).toEqual([['one']])
    await watch?.close()
    await watch?.reload()
    expect(loaded).toEqual([['one']])
  })

  test('is not read while it is being saved, also on demand', async () => {
    writeFileSync(file, 'guests: { one: {} }')
    await start({ quietMs: 500 })
    // `cp` and most editors do this.
    writeFileSync(file, '')
    const reloaded = watch?.reload()
    await new Promise((resolve) => setTimeout(resolve, 20))
    writeFileSync(file, 'guests: { two: {} }')
    await reloaded
    expect(loaded).toEqual([['two']])
    expect(outcomes()).toEqual(['loaded'])
  })

  test('that is never left alone keeps the last good one in force, and says so', async () => {
    writeFileSync(file, 'guests: { one: {} }')
    await start()
    let times = 0
    const edit = (): void => writeFileSync(file, `guests: { one: {} } #${times++}`)
    edit()
    const writing = setInterval(edit, 1)
    await watch?.reload()
    clearInterval(writing)
    expect(outcomes()).toEqual(['kept-last-good'])
    await until(() => expect(outcomes()).toContain('loaded'))
  })

  test('is read again when it was edited after it was read at the start', async () => {
    writeFileSync(file, 'guests: { one: {} }')
    const since = await configState({ cwd: folder })
    writeFileSync(file, 'guests: { two: {} }')
    await start({ since })
    await until(() => expect(loaded).toEqual([['two']]))
  })

  test('a configuration that cannot be applied is reported like a broken edit', async () => {
    writeFileSync(file, '')
    watch = await watchConfig({
      cwd: folder,
      emit: (event) => events.push(event),
      onLoaded: () => {
        throw new Error('the tftp port cannot change while running')
      },
    })
    await watch.reload()
    expect(outcomes()).toEqual(['kept-last-good'])
  })
})
