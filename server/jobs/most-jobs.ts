import { Failure } from '../core/failure.ts'
import { isOpen, type JobRecord } from './job.ts'

/** The most jobs that wait, run or are paused. */
const mostOpen = 100
/** Of them, the most boot tests, each of which may take half an hour. */
const mostBootTests = 10

/** @throws Failure `too-many` when no other job of this kind may be added. */
export function refuseTooMany(jobs: Iterable<JobRecord>, kind: JobRecord['request']['kind']): void {
  const open = [...jobs].filter(isOpen)
  const tests = open.filter(({ request }) => request.kind === 'boot-test')
  if (kind === 'boot-test' && tests.length >= mostBootTests)
    throw new Failure('too-many', `${mostBootTests} boot tests wait or run already; cancel some, or wait`)
  if (open.length >= mostOpen)
    throw new Failure('too-many', `${mostOpen} jobs wait or run already; cancel some, or wait`)
}
