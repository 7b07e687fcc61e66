import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../server/core/failure.ts'
import type { JobOutcome } from '../../server/jobs/job.ts'
import { type JobRun, Jobs, type JobsOptions } from '../../server/jobs/jobs.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const done: JobOutcome = { state: 'done', lines: ['it is there'], trees: [{ id: 'x', version: 1 }] }

/** Jobs whose work ends when the test says so, or when it is broken off. */
function jobsIn(folder: string, options: Partial<JobsOptions> = {}) {
  const running = new Map<string, JobRun & { end(outcome: JobOutcome | Error): void }>()
  const troubles: unknown[] = []
  const jobs = new Jobs({
    folder: () => folder,
    onTrouble: (error) => troubles.push(error),
    run: (run) =>
      new Promise((resolve, reject) => {
        const name = run.request.kind === 'verify' ? run.request.tree : ''
        const end = (outcome: JobOutcome | Error) => {
          running.delete(name)
          if (outcome instanceof Error) reject(outcome)
          else resolve(outcome)
        }
        run.signal.addEventListener('abort', () => end(run.signal.reason))
        running.set(name, { ...run, end })
      }),
    ...options,
  })
  const verify = (tree: string) => jobs.start({ kind: 'verify', tree }, 'anna')
  return { jobs, running, troubles, verify }
}

const stateOf = (jobs: Jobs, number: number) => jobs.read(number).state

describe('jobs', () => {
  test('run two at once, in the order in which they came', async () => {
    const { jobs, running, verify } = jobsIn(temporaryFolder())
    await jobs.open()
    for (const tree of ['a', 'b', 'c', 'd']) await verify(tree)
    await eventually(() => expect([...running.keys()]).toEqual(['a', 'b']))
    expect(jobs.list().map(({ number, state, place }) => [number, state, place])).toEqual([
      [4, 'waiting', 1],
      [3, 'waiting', 0],
      [2, 'running', undefined],
      [1, 'running', undefined],
    ])
    running.get('b')?.end(done)
    await eventually(() => expect([...running.keys()]).toEqual(['a', 'c']))
    expect(jobs.read(2)).toMatchObject({ state: 'done', lines: ['it is there'], trees: [{ id: 'x' }] })
    await jobs.close()
  })

  test('keep the first findings of their trees, the errors before the warnings, and how many there were', async () => {
    const folder = temporaryFolder()
    const { jobs, running, verify } = jobsIn(folder)
    await jobs.open()
    await verify('a')
    await eventually(() => expect(running.size).toBe(1))
    const finding = (severity: 'error' | 'warning', n: number) => ({
      severity,
      path: `f${n}`,
      message: 'x'.repeat(999),
    })
    const findings = [
      ...Array.from({ length: 9000 }, (_, n) => finding('warning', n)),
      ...Array.from({ length: 9000 }, (_, n) => finding('error', n)),
    ]
    const counts = { files: 1, bytes: 1, errors: 9000, warnings: 9000, accepted: false, system: 'x' }
    const report = { ...counts, documents: [], signatures: [], findings }
    running
      .get('a')
      ?.end({ state: 'failed', lines: [], trees: [1, 2].map((version) => ({ id: 'a', version, report })) })
    await jobs.whenSettled(1)
    await jobs.close()
    const again = jobsIn(folder).jobs
    await again.open()
    const [first, second] = again.read(1).trees
    expect(first?.report).toMatchObject(counts)
    expect(first?.report?.findings).toHaveLength(50)
    expect(first?.report?.findings.every(({ severity }) => severity === 'error')).toBe(true)
    expect(first?.report?.findings[0]?.message).toHaveLength(300)
    expect(second?.report?.findings).toEqual([])
    await again.close()
  })

  test('that do the same are refused until the first has ended', async () => {
    const { jobs, running, verify } = jobsIn(temporaryFolder())
    await jobs.open()
    await verify('a')
    await expect(verify('a')).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('job 1'),
    })
    await eventually(() => expect(running.size).toBe(1))
    running.get('a')?.end(done)
    await jobs.whenSettled(1)
    expect((await verify('a')).number).toBe(2)
    await jobs.close()
  })

  test('say how fast they are, and how long it takes', async () => {
    let nowMs = 1_000_000
    const { jobs, running, verify } = jobsIn(temporaryFolder(), { clock: () => nowMs })
    await jobs.open()
    await verify('a')
    await eventually(() => expect(running.size).toBe(1))
    const { onProgress, onRetry } = running.get('a') as JobRun
    for (const bytes of [0, 100, 200, 300]) {
      onProgress({ stage: 'fetching', doneBytes: bytes, totalBytes: 1000, files: bytes / 100, file: 'x' })
      nowMs += 2000
    }
    // 300 bytes in the eight seconds since the first.
    expect(jobs.read(1).progress).toMatchObject({ doneBytes: 300, files: 3, rate: 38, secondsLeft: 19 })
    onRetry({ why: 'busy', waitMs: 5000 })
    expect(jobs.read(1).progress?.retry).toEqual({ why: 'busy', untilMs: nowMs + 5000 })
    onProgress({ stage: 'verifying', doneBytes: 0 })
    const { progress } = jobs.read(1)
    expect(progress).toEqual({ stage: 'verifying', doneBytes: 0 })
    await jobs.close()
  })

  test('are paused, go on, and are cancelled; those that wait, too', async () => {
    const { jobs, running, verify } = jobsIn(temporaryFolder())
    await jobs.open()
    for (const tree of ['a', 'b', 'c']) await verify(tree)
    await eventually(() => expect(running.size).toBe(2))
    expect((await jobs.pause(1)).state).toBe('paused')
    await eventually(() => expect([...running.keys()]).toEqual(['b', 'c']))
    await expect(jobs.pause(1)).rejects.toMatchObject({ kind: 'conflict' })
    expect((await jobs.again(1, 'ben')).state).toBe('waiting')
    expect((await jobs.cancel(1)).state).toBe('cancelled')
    expect((await jobs.cancel(2)).state).toBe('cancelled')
    await expect(jobs.cancel(2)).rejects.toMatchObject({ kind: 'conflict' })
    expect((await jobs.again(2, 'ben')).by).toBe('ben')
    await eventually(() => expect([...running.keys()].sort()).toEqual(['b', 'c']))
    await jobs.close()
  })

  test('fail with the words of a failure, and without those of a fault of ours', async () => {
    const { jobs, running, troubles, verify } = jobsIn(temporaryFolder())
    await jobs.open()
    await verify('a')
    await verify('b')
    await eventually(() => expect(running.size).toBe(2))
    running.get('a')?.end(new Failure('unavailable', 'ftp://u:hush@host/ is away'))
    running.get('b')?.end(new TypeError('/srv/secret is undefined'))
    await Promise.all([jobs.whenSettled(1), jobs.whenSettled(2)])
    expect(jobs.read(1).problem).toEqual({ kind: 'unavailable', message: 'ftp://u:***@host/ is away' })
    expect(jobs.read(2).problem?.message).not.toContain('/srv')
    expect(troubles).toHaveLength(1)
    await jobs.close()
  })
})

describe('after a restart', () => {
  test('what ran has failed, what waited goes on, and what is over is as it was', async () => {
    const folder = temporaryFolder()
    const killed = jobsIn(folder)
    await killed.jobs.open()
    for (const tree of ['a', 'b', 'c', 'd']) await killed.verify(tree)
    await eventually(() => expect(killed.running.size).toBe(2))
    killed.running.get('a')?.end(done)
    await eventually(() => expect([...killed.running.keys()]).toEqual(['b', 'c']))
    // Its process ends here: nothing is closed.
    const next = jobsIn(folder)
    await next.jobs.open()
    expect(next.jobs.read(1)).toMatchObject({ state: 'done', lines: ['it is there'] })
    for (const number of [2, 3])
      expect(next.jobs.read(number)).toMatchObject({
        state: 'failed',
        problem: { message: 'the server was stopped' },
      })
    await eventually(() => expect([...next.running.keys()]).toEqual(['d']))
    await next.jobs.again(2, 'anna')
    await eventually(() => expect([...next.running.keys()]).toEqual(['d', 'b']))
    expect((await next.verify('e')).number).toBe(5)
    await next.jobs.close()
    expect(stateOf(next.jobs, 2)).toBe('failed')
  })

  test('a damaged file is not shown, and its number is not used again', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, '7.json'), '{"number":7')
    writeFileSync(join(folder, '8.json'), '{"number":9}')
    writeFileSync(join(folder, 'x.json'), '{}')
    const { jobs, verify } = jobsIn(folder)
    await jobs.open()
    expect(jobs.list()).toEqual([])
    expect((await verify('a')).number).toBe(9)
    await jobs.close()
  })
})

describe('the bounds', () => {
  test('are a hundred that have not ended, a thousand that have, and seven days', async () => {
    const folder = temporaryFolder()
    let nowMs = 1_000_000
    const run = async () => done
    const { jobs, verify } = jobsIn(folder, { run, clock: () => nowMs })
    await jobs.open()
    for (let n = 0; n < 1010; n++) {
      await verify(`t${n}`)
      await jobs.whenSettled(n + 1)
    }
    await verify('last')
    await jobs.whenSettled(1011)
    expect(jobs.list().length).toBeLessThanOrEqual(1001)
    expect(readdirSync(folder).length).toBe(jobs.list().length)
    expect(() => jobs.read(5)).toThrow('no job 5')
    nowMs += 8 * 86_400_000
    await verify('later')
    await jobs.whenSettled(1012)
    expect(jobs.list().map(({ number }) => number)).toEqual([1012])
    await jobs.close()

    const full = jobsIn(temporaryFolder())
    await full.jobs.open()
    for (let n = 0; n < 100; n++) await full.verify(`t${n}`)
    await expect(full.verify('more')).rejects.toMatchObject({ kind: 'too-many' })
    await full.jobs.close()
  }, 60_000)

  test('of lines and of their length', async () => {
    const folder = temporaryFolder()
    const lines = Array.from({ length: 5000 }, () => 'x'.repeat(10_000))
    const { jobs, verify } = jobsIn(folder, { run: async () => ({ ...done, lines }) })
    await jobs.open()
    await verify('a')
    await jobs.whenSettled(1)
    expect(jobs.read(1).lines).toHaveLength(101)
    expect(readFileSync(join(folder, '1.json')).length).toBeLessThan(300_000)
    await jobs.close()
  })
})

test('a job that cannot be written is none', async () => {
  const folder = temporaryFolder()
  const { jobs, verify } = jobsIn(join(folder, 'jobs'))
  await jobs.open()
  // Also root cannot make a folder where a file is.
  writeFileSync(join(folder, 'jobs'), '')
  await expect(verify('a')).rejects.toThrow()
  expect(jobs.list()).toEqual([])
  rmSync(join(folder, 'jobs'))
  await verify('a')
  expect(jobs.list()).toHaveLength(1)
  await jobs.close()
})
