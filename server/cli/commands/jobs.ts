import { type Command, Option } from 'commander'
import type { JobBody } from '../../api/types.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { type JobKind, type JobState, jobKinds, jobStates } from '../../jobs/job.ts'
import { type CommonOptions, jsonOption, optionsOf } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { jobsTable, jobText } from '../output/jobs.ts'
import { json } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import { failureOfJob, followed } from '../remote/run-job.ts'

interface ListOptions extends CommonOptions {
  readonly state?: JobState
  readonly kind?: JobKind
}

interface StartOptions extends CommonOptions {
  readonly accept?: string
}

/** `treeboot jobs`: what a server imports, mirrors, verifies and tests. */
export function registerJobs(program: Command, io: CliIo): void {
  const jobs = program
    .command('jobs')
    .description('list what a server imports, mirrors, verifies and publishes, and what became of it')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(jobStates))
    .addOption(new Option('--kind <kind>', 'only jobs of this kind').choices(jobKinds))
    .addOption(jsonOption())
    .action((options: ListOptions) => list(options, io))
  const verb = (name: string, description: string): Command =>
    jobs
      .command(name)
      .description(description)
      .argument('<number>', 'as treeboot jobs shows it')
      .addOption(jsonOption())
  const on = (name: string, description: string, act: Act): Command =>
    verb(name, description).action((number: string, _: unknown, command: Command) =>
      onJob(number, act, { options: optionsOf(command), io }),
    )
  on('show', 'show one job: how far it is, and what became of it', (server, params) =>
    server.call('getJob', { params }),
  )
  on('cancel', 'end a job; nothing of it is published', (server, params) =>
    server.call('cancelJob', { params }),
  )
  on('pause', 'break a job off until it is started again', (server, params) =>
    server.call('pauseJob', { params }),
  )
  on('start', 'start a job again that was paused, failed, cancelled or quarantined', startAgain).option(
    '--accept <reason>',
    'publish although files are missing or damaged; the reason and your name are recorded',
  )
  verb('watch', 'follow a job to its end')
    .addHelpText(
      'after',
      `
Ctrl-C leaves the job running. Exit code 0: done; 2: it arrived or was checked, with faults; 1: it failed or was ended.`,
    )
    .action((number: string, _: unknown, command: Command) =>
      watchJob(number, { options: optionsOf(command), io }),
    )
}

interface Asked<Options extends CommonOptions = CommonOptions> {
  readonly options: Options
  readonly io: CliIo
}

type Act = (server: ApiClient, params: { readonly number: string }, options: StartOptions) => Promise<JobBody>

const startAgain: Act = (server, params, { accept }) =>
  server.call('startJob', { params, body: defined({ accept }) })

async function list(options: ListOptions, io: CliIo): Promise<void> {
  const { state, kind } = options
  const jobs = await (await serverFor(options, io)).all('listJobs', { query: defined({ state, kind }) })
  if (options.json) io.out(json(jobs))
  else io.out(jobs.length === 0 ? 'no jobs in the last seven days\n' : jobsTable(jobs, io))
  if (jobs.length === 0) io.exit(exitCodes.notFound)
}

async function onJob(text: string, act: Act, { options, io }: Asked<StartOptions>): Promise<void> {
  const server = await serverFor(options, io)
  const job = await act(server, { number: String(numberIn(text)) }, options)
  io.out(options.json ? json(job) : jobText(job, io))
}

async function watchJob(text: string, { options, io }: Asked): Promise<void> {
  const server = await serverFor(options, io)
  const plain = process.stderr.isTTY ? 'terminal' : 'plain'
  const mode = options.json ? 'json' : plain
  const job = await followed(server, numberIn(text), { options, io, mode })
  if (!job) return
  io.out(options.json ? `${JSON.stringify({ event: 'end', job })}\n` : jobText(job, io))
  if (job.state !== 'done') io.exit(exitOf(job))
}

/** As the command beside the files would end. */
function exitOf(job: JobBody): number {
  if (job.state === 'quarantined') return exitCodes.badInput
  const { kind } = failureOfJob(job)
  if (kind === 'not-found') return exitCodes.notFound
  return kind === 'bad-request' || kind === 'invalid-data' ? exitCodes.badInput : exitCodes.failed
}

async function serverFor(options: CommonOptions, io: CliIo): Promise<ApiClient> {
  const server = await serverOf(options, io)
  if (!server) throw new Failure('internal', 'jobs are asked of a server')
  return server
}

function numberIn(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new Failure('bad-request', `${JSON.stringify(text)}: expected the number of a job`)
}
