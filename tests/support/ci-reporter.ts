import { appendFileSync } from 'node:fs'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

/**
 * What a run under CI prints after vitest's own summary: which tests were skipped and why, and which passed
 * only when they were tried again. The counts go to the file that `.ci/run` names, which adds up those of all
 * its parts.
 */
export default class CiReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const outcomes = [
      ...modules.flatMap(outcomesOf),
      ...unhandledErrors.map((_, at) => ({ name: `unhandled error ${at + 1}`, state: 'failed' }) as const),
    ]
    const { lines, passed, failed, skipped } = summarize(outcomes)
    process.stdout.write(lines.map((line) => `${line}\n`).join(''))
    const { CI_COUNTS } = process.env
    if (CI_COUNTS) appendFileSync(CI_COUNTS, `${passed} ${failed} ${skipped}\n`)
  }
}

/** How one test ended. A file or a group whose hooks failed counts as one failed test. */
export interface Outcome {
  readonly name: string
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending'
  /** Why the test was skipped, if it said so. */
  readonly note?: string | undefined
  /** How often the test was tried again. */
  readonly retries?: number | undefined
}

interface Summary {
  readonly lines: readonly string[]
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export function summarize(outcomes: readonly Outcome[]): Summary {
  const inState = (...states: readonly Outcome['state'][]) =>
    outcomes.filter(({ state }) => states.includes(state))
  const skipped = inState('skipped')
  const failed = inState('failed', 'pending')
  const retried = outcomes.filter(({ retries = 0 }) => retries > 0)
  const lines = [
    ...section('Skipped', skipped, ({ note }) => note ?? 'no reason given'),
    ...section('Tried again', retried, ({ state, retries }) => `${state} after ${retries} more`),
    ...section('Failed', failed, ({ state }) => state),
  ]
  return { lines, passed: inState('passed').length, failed: failed.length, skipped: skipped.length }
}

function section(
  title: string,
  outcomes: readonly Outcome[],
  reason: (outcome: Outcome) => string,
): readonly string[] {
  if (outcomes.length === 0) return []
  return [`${title}:`, ...outcomes.map((each) => `  ${each.name}: ${reason(each)}`)]
}

function outcomesOf(module: TestModule): readonly Outcome[] {
  const broken = [module, ...module.children.allSuites()].filter((each) => each.errors().length > 0)
  return [
    ...[...module.children.allTests()].map((test) => outcomeOf(module, test)),
    ...broken.map((each) => ({
      name: `${module.relativeModuleId} > ${nameOf(each)}`,
      state: 'failed' as const,
    })),
  ]
}

function nameOf(broken: TestModule | TestSuite): string {
  return broken.type === 'suite' ? `hooks of ${broken.fullName}` : 'the file or its hooks'
}

function outcomeOf(module: TestModule, test: TestCase): Outcome {
  const result = test.result()
  return {
    name: `${module.relativeModuleId} > ${test.fullName}`,
    state: result.state,
    note: result.state === 'skipped' ? result.note : undefined,
    retries: test.diagnostic()?.retryCount,
  }
}
