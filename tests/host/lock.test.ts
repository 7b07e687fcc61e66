import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isLocked, takeLock } from '../../server/host/lock.ts'
import { builtFile } from '../support/built-file.ts'
import { isSearch } from '../support/fuzz.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const newLock = () => join(temporaryFolder(), 'folder', 'lock')
const options = { holderIs: 'works here already', about: 'with a.yaml' }
const child = builtFile('tests/host/lock-child.ts')

/** Starts a process that takes the lock, and resolves to what it says: `held`, or why it was refused. */
async function startHolder(
  file: string,
  wrapper: readonly string[] = [],
): Promise<{ process: ChildProcess; said: string }> {
  const [program = '', ...args] = [...wrapper, process.execPath, child, 'hold', file]
  const started = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void started.kill('SIGKILL'))
  const [said] = (await once(started.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { process: started, said: said.toString().trim() }
}

async function kill(holder: ChildProcess): Promise<void> {
  holder.kill('SIGKILL')
  await once(holder, 'close')
}

test('a lock names its holder until it is released, and leaves no file', async () => {
  const file = newLock()
  expect(await isLocked(file)).toBe(false)
  const release = await takeLock(file, options)
  expect(await isLocked(file)).toBe(true)
  const other = await startHolder(file)
  expect(other.said).toMatch(
    new RegExp(`^process ${process.pid} \\(on ${hostname()}, since 2.*Z, with a.yaml\\) works here already$`),
  )
  await release()
  expect(await isLocked(file)).toBe(false)
  expect(readdirSync(dirname(file))).toEqual([])
})

test('within one process the second taker is refused, and its try does not free the lock', async () => {
  const file = newLock()
  const release = await takeLock(file, options)
  await expect(takeLock(file, options)).rejects.toMatchObject({ kind: 'conflict' })
  expect((await startHolder(file)).said).toContain(`process ${process.pid} `)
  await release()
  await (await takeLock(file, options))()
})

test('a process that is killed frees its lock, whoever has its id afterwards', async () => {
  const file = newLock()
  const holder = await startHolder(file)
  expect(holder.said).toBe('held')
  await expect(takeLock(file, options)).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringContaining(`process ${holder.process.pid} `),
  })
  await kill(holder.process)
  expect(existsSync(file)).toBe(true)
  // Its id now belongs to a process that runs: our parent.
  const left = JSON.parse(readFileSync(`${file}.holder`, 'utf8'))
  writeFileSync(`${file}.holder`, JSON.stringify({ ...left, pid: process.ppid }))
  expect(await isLocked(file)).toBe(false)
  await (await takeLock(file, options))()
})

test.each([
  ['is damaged', '{'],
  ['is missing', undefined],
])('a lock excludes although what its holder says of itself %s', async (_, content) => {
  const file = newLock()
  const release = await takeLock(file, options)
  if (content === undefined) rmSync(`${file}.holder`)
  else writeFileSync(`${file}.holder`, content)
  expect((await startHolder(file)).said).toBe('another process works here already')
  await release()
})

/** What starts a process in a namespace of its own, where it has the process id 1 or 2, as in a container. */
const container = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
const hasNamespaces = spawnSync(container[0] ?? '', [...container.slice(1), 'true']).status === 0

// Needs root, or user namespaces that root has allowed.
test.skipIf(!hasNamespaces)('two containers that share a folder exclude each other', async () => {
  const file = newLock()
  const one = await startHolder(file, container)
  expect(one.said).toBe('held')
  expect((await startHolder(file, container)).said).toMatch(/^process \d+ .* works here already$/)
  await expect(takeLock(file, options)).rejects.toMatchObject({ kind: 'conflict' })
  await kill(one.process)
  expect((await startHolder(file, container)).said).toBe('held')
})

// It takes a second.
test.runIf(isSearch)(
  'processes that take and release a lock all the time never hold it together',
  async () => {
    const file = newLock()
    const witness = join(temporaryFolder(), 'witness')
    const ends = [1, 2, 3].map(() =>
      once(
        spawn(process.execPath, [child, 'rounds', file, witness], {
          stdio: 'inherit',
        }),
        'close',
      ),
    )
    expect((await Promise.all(ends)).map(([code]) => code)).toEqual([0, 0, 0])
  },
  60_000,
)
