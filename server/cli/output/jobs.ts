import type { JobBody } from '../../api/types.ts'
import { duration, bytes as size } from '../../events/units.ts'
import { waitText } from '../remote/follow-job.ts'
import type { CliIo } from './io.ts'
import { stateCell, stateText } from './states.ts'
import { count, localTimeOf, printable, table } from './table.ts'

/** Jobs of a server as the terminal shows them. */

export function jobsTable(jobs: readonly JobBody[], io: Pick<CliIo, 'color'>): string {
  const rows = jobs.map((job) => [
    String(job.number),
    stateCell('job', job.state, io),
    job.kind,
    job.subject,
    whatOf(job),
    job.by,
    localTimeOf(job.created),
  ])
  return table([['ID', 'STATE', 'KIND', 'ABOUT', 'WHAT', 'BY', 'SINCE'], ...rows])
}

/** How far it is, or what became of it, in a few words. */
function whatOf({ state, place, progress, problem, trees }: JobBody): string {
  if (state === 'waiting') return waitText(place)
  if (progress) return progressText(progress)
  if (problem) return problem.detail.split('\n')[0] ?? ''
  return trees.map(treeText).join(', ') || '-'
}

/** `fetching  42 %  1.2 GiB of 2.9 GiB  88 MiB/s  19.4 s left` */
function progressText({ stage, bytes, totalBytes, rate, secondsLeft, retry, bootTest }: Progress): string {
  if (bootTest) return bootTest.words
  if (retry) return `waits: ${retry.why}`
  const share =
    totalBytes === null || totalBytes === 0
      ? size(bytes)
      : `${Math.floor((100 * bytes) / totalBytes)} %  ${size(bytes)} of ${size(totalBytes)}`
  const parts = [
    stage,
    share,
    rate !== null && rate > 0 && `${size(rate)}/s`,
    secondsLeft !== null && secondsLeft > 0 && `${duration(secondsLeft * 1000)} left`,
  ]
  return parts.filter(Boolean).join('  ')
}

type Progress = NonNullable<JobBody['progress']>

function treeText({ id, version, report }: JobBody['trees'][number]): string {
  if (version !== null) return `${id} version ${version}`
  if (!report) return id
  return `${id}: ${report.errors === 0 ? 'whole' : count(report.errors, 'fault')}`
}

/** One job: a line that names it, and what is known of it. */
export function jobText(job: JobBody, io: Pick<CliIo, 'color'>): string {
  const { number, kind, subject, state, by, created, started, ended, problem, lines } = job
  const took = started !== null && ended !== null ? Date.parse(ended) - Date.parse(started) : undefined
  const facts = [
    ['by', by],
    ['since', localTimeOf(created)],
    ...(ended === null ? [] : [['ended', localTimeOf(ended)]]),
    ...(took === undefined ? [] : [['took', duration(took)]]),
    ...(ended === null ? [['now', whatOf(job)]] : []),
    ...(problem ? [['why', problem.detail]] : []),
    ...lines.map((line) => ['result', line]),
    ...nextOf(job).map((text) => ['next', text]),
  ]
  const head = `job ${number}  ${kind} of ${printable(subject)}  ${stateText('job', state, io)}`
  return `${head}\n${table(facts.map(([what = '', value = '']) => [`  ${what}`, value]))}`
}

/** What a person may do with it now. */
function nextOf({ number, state, kind }: JobBody): string[] {
  const again = `treeboot jobs start ${number}`
  if (state === 'quarantined') return [`${again} --accept "reason" publishes it all the same`]
  const isOver = state === 'paused' || state === 'failed' || state === 'cancelled'
  if (!isOver) return []
  return [
    kind === 'import' || kind === 'mirror' ? `${again} goes on where it stopped` : `${again} begins again`,
  ]
}
