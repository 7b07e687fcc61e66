import { execFile, execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type WatchTimes, watchConfig } from '../../server/config/watch.ts'
import type { Event } from '../../server/events/bus.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** The watch on the files beside config.yaml: real files, the real watch, and the real git. */

async function watched(cwd: string, times: Partial<WatchTimes> = {}) {
  const seen: string[][] = []
  const events: Event[] = []
  const watch = await watchConfig({
    cwd,
    times: { pollMs: 5, quietMs: 20, ...times },
    emit: (event) => events.push(event),
    onLoaded: ({ guests, profiles, config: { mirrors } }) =>
      seen.push([
        ...guests.map(({ name, settings }) => `${name}${settings.args.length}`),
        ...profiles.keys(),
        ...mirrors.map(({ id }) => id),
      ]),
  })
  onTestFinished(() => watch.close())
  return {
    seen,
    events,
    shows: (expected: string[]) => eventually(() => expect(seen.at(-1)).toEqual(expected), 15_000),
  }
}

function home(config: string | null = 'guests: {}\n'): string {
  const cwd = temporaryFolder()
  if (config !== null) writeBelow(cwd, 'config.yaml', config)
  return cwd
}

describe('the watch on definition files', () => {
  test.each([
    ['a guest', 'guests.d', 'a'],
    ['a profile', 'profiles.d', 'a'],
    ['a mirror', 'mirrors.d', 'deep/a'],
  ])('sees that %s is added, replaced, edited in place and removed', async (_, folder, name) => {
    const cwd = home()
    const mirror = folder === 'mirrors.d'
    const { shows, seen } = await watched(cwd)
    const text = (n: number) => (mirror ? `url: http://a.example/${n}/\n` : `args: [${'x,'.repeat(n)}]\n`)
    const shown = (n: number) => [folder === 'guests.d' ? `a${n}` : name]
    writeBelow(cwd, `${folder}/${name}.yaml`, text(0))
    await shows(shown(0))
    writeBelow(cwd, `${folder}/.a.tmp`, text(1))
    renameSync(join(cwd, `${folder}/.a.tmp`), join(cwd, `${folder}/${name}.yaml`))
    await eventually(() => expect(seen).toHaveLength(2))
    await shows(shown(1))
    writeFileSync(join(cwd, `${folder}/${name}.yaml`), text(2))
    await eventually(() => expect(seen).toHaveLength(3))
    await shows(shown(2))
    rmSync(join(cwd, `${folder}/${name}.yaml`))
    await shows([])
  })

  test('works without config.yaml', async () => {
    const cwd = home(null)
    const { shows } = await watched(cwd)
    writeBelow(cwd, 'guests.d/a.yaml', '')
    await shows(['a0'])
  })
})

const many = Array.from({ length: 500 }, (_, i) => `g${String(i).padStart(3, '0')}`)
const loads = (events: readonly Event[]) =>
  events.flatMap((event) => (event.type === 'config' ? [event.outcome] : []))

describe('all that changes together is one change:', () => {
  test('500 files that are written one after the other, also in place', async () => {
    const cwd = home()
    const { shows, events } = await watched(cwd, { quietMs: 1500 })
    // With pauses in which the watch looks several times.
    for (const [i, name] of many.entries()) {
      writeBelow(cwd, `guests.d/${name}.yaml`, '')
      if (i % 100 === 0) await pause(150)
    }
    await shows(many.map((name) => `${name}0`))
    for (const [i, name] of many.entries()) {
      writeFileSync(join(cwd, `guests.d/${name}.yaml`), 'args: x\n')
      if (i % 100 === 0) await pause(150)
    }
    await shows(many.map((name) => `${name}1`))
    expect(loads(events)).toEqual(['loaded', 'loaded'])
  }, 60_000)

  test('a pull by git of 500 files', async () => {
    const upstream = temporaryFolder()
    const git = (cwd: string, ...args: string[]) =>
      promisify(execFile)('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
        cwd,
        env: { PATH: process.env.PATH, HOME: upstream },
      })
    const commit = async (args: string) => {
      for (const name of many) writeBelow(upstream, `site/guests.d/${name}.yaml`, `args: [${args}]\n`)
      await git(upstream, 'add', '.')
      await git(upstream, 'commit', '-qm', 'change')
    }
    await git(upstream, 'init', '-q')
    writeBelow(upstream, 'site/config.yaml', '')
    await commit('x')
    const clone = temporaryFolder()
    await git(clone, 'clone', '-q', upstream, 'here')
    const { shows, events } = await watched(join(clone, 'here/site'), { quietMs: 300 })
    await commit('x, y')
    await git(join(clone, 'here'), 'pull', '-q')
    await shows(many.map((name) => `${name}2`))
    expect(loads(events)).toEqual(['loaded'])
  }, 60_000)
})

describe('while git holds its lock', () => {
  /** A repository whose folder `site` has the configuration; its lock; and a file in it. */
  function repository(isWorktree = false) {
    const root = home(null)
    const gitFolder = join(root, isWorktree ? 'main/.git/worktrees/w' : '.git')
    mkdirSync(gitFolder, { recursive: true })
    if (isWorktree) writeBelow(root, '.git', 'gitdir: main/.git/worktrees/w\n')
    const cwd = join(root, 'site')
    writeBelow(cwd, 'config.yaml', '')
    return { cwd, lock: join(gitFolder, 'index.lock') }
  }

  test.each([
    ['a repository', false],
    ['a worktree', true],
  ])('nothing is read, and then all of it: %s', async (_, isWorktree) => {
    const { cwd, lock } = repository(isWorktree)
    const { shows, events, seen } = await watched(cwd)
    writeFileSync(lock, '')
    writeBelow(cwd, 'guests.d/a.yaml', '')
    // Far more looks than the watch needs to read a change without a lock.
    await pause(500)
    expect(seen).toEqual([])
    writeBelow(cwd, 'guests.d/b.yaml', '')
    rmSync(lock)
    await shows(['a0', 'b0'])
    expect(loads(events)).toEqual(['loaded'])
  })

  test('that of guests.d alone, which is a link into a repository', async () => {
    const cwd = home()
    const clone = join(temporaryFolder(), 'guests')
    mkdirSync(join(clone, '.git'), { recursive: true })
    symlinkSync(clone, join(cwd, 'guests.d'))
    const { shows, events, seen } = await watched(cwd)
    writeFileSync(join(clone, '.git/index.lock'), '')
    writeBelow(cwd, 'guests.d/a.yaml', '')
    await pause(500)
    expect(seen).toEqual([])
    writeBelow(cwd, 'guests.d/b.yaml', '')
    rmSync(join(clone, '.git/index.lock'))
    await shows(['a0', 'b0'])
    expect(loads(events)).toEqual(['loaded'])
  })

  test('that was left by a git that crashed, the change is read in the end, and the lock is told', async () => {
    const { cwd, lock } = repository()
    writeFileSync(lock, '')
    const { shows, events } = await watched(cwd, { gitLockMs: 100 })
    writeBelow(cwd, 'guests.d/a.yaml', '')
    await shows(['a0'])
    expect(events).toContainEqual(expect.objectContaining({ type: 'trouble', where: lock }))
    expect(existsSync(lock)).toBe(true)
  })
})

test('what changes while the files are read is read again, and never taken by halves', async () => {
  const cwd = home()
  const place = join(cwd, 'config.yaml')
  const pipe = join(temporaryFolder(), 'pipe')
  execFileSync('mkfifo', [pipe])
  for (const name of ['a', 'b']) writeBelow(cwd, `guests.d/${name}.yaml`, '')
  const { seen, shows } = await watched(cwd)
  const config = readFileSync(place, 'utf8')
  // Reading a pipe waits for a writer: the watch has read the files of the guests, and waits for config.yaml.
  for (const name of ['a', 'b']) writeBelow(cwd, `guests.d/${name}.yaml`, 'args: [x]\n')
  linkSync(pipe, join(cwd, '.pipe'))
  renameSync(join(cwd, '.pipe'), place)
  const writer = await eventually(() => openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK), 15_000)
  await pause(50)
  for (const name of ['a', 'b']) {
    writeBelow(cwd, `guests.d/.${name}.tmp`, 'args: [x, y]\n')
    renameSync(join(cwd, `guests.d/.${name}.tmp`), join(cwd, `guests.d/${name}.yaml`))
  }
  writeBelow(cwd, '.config.tmp', config)
  renameSync(join(cwd, '.config.tmp'), place)
  writeSync(writer, config)
  closeSync(writer)
  await shows(['a2', 'b2'])
  expect(seen).toEqual([['a2', 'b2']])
})
