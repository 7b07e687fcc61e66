import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual, promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { finishDefinitions } from '../../server/definitions/definitions-lock.ts'
import { FolderDefinitions } from '../../server/definitions/folder-definitions.ts'
import type { FinishedSet } from '../../server/definitions/journal.ts'
import { forEachAtOnce } from '../../server/host/pool.ts'
import { httpOnly, testApp } from '../support/app.ts'
import { builtFile } from '../support/built-file.ts'
import { commitCount } from '../support/commit-count.ts'
import { definitionsFolder, filesIn } from '../support/definitions-folder.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const run = promisify(execFile)
const child = (cwd: string, at: number, ...args: string[]) =>
  run(process.execPath, [builtFile('tests/support/definitions-child.ts'), cwd, String(at), ...args])

/** A run tries a third of the calls, another one for each commit; the nightly run all. */
const share = process.env.FUZZ_FACTOR ? 1 : 3

const lab = '# by hand\ntemplate:   a.ks # odd\n'
const files = {
  'config.yaml': 'guests: { main: { mac: 52:54:00:aa:bb:07 } }\n',
  'profiles.d/sub.yaml': 'inherits: lab\n',
  'guests.d/a.yaml': 'mac: 52:54:00:aa:bb:01\nprofile: lab # first\n',
  'guests.d/b.yaml': 'profile:\n  - lab\n',
}
const added = ['c', 'd', 'e', 'f']

interface Change {
  /** Of `definitions-child.ts`. */
  readonly args: readonly string[]
  readonly before: Record<string, string>
  readonly after: Record<string, string>
}

const changes: Change[] = [
  {
    args: ['rename', 'profile', 'lab', 'lab2'],
    before: { ...files, 'profiles.d/lab.yml': lab },
    after: {
      'config.yaml': files['config.yaml'],
      'profiles.d/lab2.yaml': lab,
      'profiles.d/sub.yaml': 'inherits: lab2\n',
      'guests.d/a.yaml': 'mac: 52:54:00:aa:bb:01\nprofile: lab2 # first\n',
      'guests.d/b.yaml': 'profile:\n  - lab2\n',
    },
  },
  {
    args: ['rename', 'guest', 'a', 'z'],
    before: { 'guests.d/a.yaml': 'mac: 52:54:00:aa:bb:01\n' },
    after: { 'guests.d/z.yaml': 'mac: 52:54:00:aa:bb:01\n' },
  },
  {
    args: ['add', 'guest', ...added],
    before: files,
    after: {
      ...files,
      ...Object.fromEntries(added.map((name) => [`guests.d/${name}.yaml`, `args:\n  - ${name}\n`])),
    },
  },
]

/** Without the hidden folders that no reader looks into. */
function visible(cwd: string): Record<string, string> {
  return Object.fromEntries(Object.entries(filesIn(cwd)).filter(([name]) => !name.includes('/.making-')))
}

describe('a process that is killed at any call leaves all or nothing, once the rest is made', () => {
  test.each(changes)(
    '$args',
    async ({ args, before, after }) => {
      const { cwd: whole } = definitionsFolder(before)
      const count = Number((await child(whole, 0, ...args)).stdout)
      expect(filesIn(whole)).toEqual(after)
      expect(count).toBeGreaterThan(15)
      const outcomes = new Set<string>()
      const tryAt = async (at: number): Promise<void> => {
        const { cwd } = definitionsFolder(before)
        await child(cwd, at, ...args).catch((error) => expect(error).toMatchObject({ signal: 'SIGKILL' }))
        const left = existsSync(join(cwd, 'data/definitions-journal.json'))
        const notes: FinishedSet[] = []
        await finishDefinitions({ cwd }, (note) => notes.push(note))
        expect(notes, `at call ${at}`).toEqual(left ? [expect.objectContaining({ isWhole: true })] : [])
        const found = visible(cwd)
        const isOld = isDeepStrictEqual(found, before)
        if (!isOld) expect(found, `at call ${at}`).toEqual(after)
        outcomes.add(isOld ? 'old' : 'new')
        expect(existsSync(join(cwd, 'data/definitions-journal.json'))).toBe(false)
        // What nobody sees goes with the next import.
        const later = new Map(['y1', 'y2'].map((name) => [name, {}]))
        await new FolderDefinitions({ cwd }).addAll('guest', later, {})
        expect(filesIn(cwd)).toEqual({ ...found, 'guests.d/y1.yaml': '', 'guests.d/y2.yaml': '' })
      }
      const tried = Array.from({ length: count }, (_, i) => i + 1).filter(
        (at) => at % share === commitCount() % share,
      )
      await forEachAtOnce(tried, 3, tryAt)
      expect([...outcomes].sort()).toEqual(['new', 'old'])
    },
    240_000,
  )
})

test('a running server makes whole what a killed command has left, and serves no half of it', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', httpOnly)
  mkdirSync(join(cwd, 'kickstart-templates'))
  const app = testApp(cwd)
  onTestFinished(() => app.stop())
  await app.start()
  const seen: number[] = []
  const count = () => app.snapshot().guests.all.length
  const steps = added.map((name) => {
    const where = `guests.d/${name}.yaml`
    return { path: join(cwd, where), where, before: null, after: `args: ${name}\n` }
  })
  const set = { version: 1, config: join(cwd, 'config.yaml'), what: 'new files', remedy: 'again', steps }
  writeBelow(cwd, 'data/definitions-journal.json', JSON.stringify(set))
  for (const { where, after } of steps.slice(0, 2)) writeBelow(cwd, where, after)
  await eventually(() => {
    seen.push(count())
    expect(seen.at(-1)).toBe(added.length)
  })
  expect(new Set(seen)).toEqual(new Set([0, added.length]))
  expect(existsSync(join(cwd, 'data/definitions-journal.json'))).toBe(false)
})
