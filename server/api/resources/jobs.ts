import { z } from 'zod'
import { jobKinds, jobStates, subjectOf } from '../../jobs/job.ts'
import type { Job } from '../../jobs/jobs.ts'
import type { JobProgress } from '../../jobs/meter.ts'
import { checkRequest } from '../../jobs/run-job.ts'
import { actorOf } from '../actor.ts'
import { bootTestProgressView } from '../boot-test-views.ts'
import type { ApiContext } from '../context.ts'
import { segments } from '../input.ts'
import { listQuery, pageOf, wholeList } from '../lists.ts'
import type { Reply } from '../reply.ts'
import { type Call, json, needs, route } from '../route.ts'
import { openBootTestPage } from '../schemas/boot-tests.ts'
import { bootTestOrder, jobPage, jobRequest, job as jobSchema, startAgain } from '../schemas/jobs.ts'
import { timeText } from '../views.ts'

const jobs = '/api/v1/jobs'
const one = `${jobs}/:number`
const numberText = 'the number of a job'
const params = z.object({
  number: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, numberText)
    .transform(Number)
    .meta({ type: 'integer', description: numberText }),
})
const reads = needs('viewer')
/** Whoever may upload trees may let them be fetched from what is listed. */
const writes = needs('operator', 'uploads')
export const location = { Location: 'the path of the job' }

/** Imports, mirrors, verifications, publications and boot tests that take minutes. */
export const jobRoutes = [
  route({
    method: 'GET',
    path: jobs,
    operation: 'listJobs',
    summary: 'what runs, what waits, and what has ended in the last seven days, newest first',
    access: reads,
    query: listQuery(['newest', 'created', 'state', 'kind'], {
      state: z.enum(jobStates, 'a state of jobs').optional(),
      kind: z.enum(jobKinds, 'a kind of jobs').optional(),
    }),
    answers: { 200: json(jobPage) },
    handle({ query }, context) {
      const { items, ...page } = pageOf(context.jobs.list(), query, {
        idOf: ({ number }) => String(number).padStart(15, '0'),
        keys: {
          newest: ({ number }) => -number,
          created: ({ createdMs }) => createdMs,
          state: ({ state }) => state,
          kind: ({ request }) => request.kind,
        },
        isWanted: ({ state, request }) =>
          (query.state === undefined || query.state === state) &&
          (query.kind === undefined || query.kind === request.kind),
      })
      return { json: { items: items.map(jobView), ...page } }
    },
  }),
  route({
    method: 'POST',
    path: jobs,
    operation: 'createJob',
    summary: 'starts an import, a mirror, a verification, a publication or a boot test',
    description:
      'Two run at once and one boot test beside them, the others wait; ten boot tests at most. What is imported must be listed in `imports.allow` of the configuration. A job of the same kind about the same thing that has not ended is a conflict.',
    access: writes,
    failures: ['conflict', 'not-found'],
    makes: true,
    body: jobRequest,
    answers: { 202: json(jobSchema, location) },
    handle: (call, context) => startJob(call, context, call.body),
  }),
  route({
    method: 'GET',
    path: one,
    operation: 'getJob',
    summary: 'one job: its state, how far it is, and what became of it',
    access: reads,
    params,
    answers: { 200: json(jobSchema) },
    handle: (call, context) => ({ json: jobView(context.jobs.read(call.params.number)) }),
  }),
  route({
    method: 'POST',
    path: `${one}/cancel`,
    operation: 'cancelJob',
    summary: 'ends a job; nothing of it is published',
    access: writes,
    failures: ['conflict'],
    params,
    answers: { 200: json(jobSchema) },
    handle: (call, context) =>
      changed(call, context, 'cancel', () => context.jobs.cancel(call.params.number)),
  }),
  route({
    method: 'POST',
    path: `${one}/pause`,
    operation: 'pauseJob',
    summary: 'breaks a job off until it is started again',
    access: writes,
    failures: ['conflict'],
    params,
    answers: { 200: json(jobSchema) },
    handle: (call, context) => changed(call, context, 'pause', () => context.jobs.pause(call.params.number)),
  }),
  route({
    method: 'POST',
    path: `${one}/start`,
    operation: 'startJob',
    summary: 'starts a job again that was paused, failed, cancelled or quarantined',
    description:
      'An import goes on where it stopped. With `accept` it is published in spite of its faults, and the version keeps who wanted that and why.',
    access: writes,
    failures: ['conflict'],
    params,
    body: startAgain,
    answers: { 202: json(jobSchema) },
    async handle(call, context) {
      const { number } = call.params
      await checkRequest(context.jobs.read(number).request, context.snapshot())
      const { account } = actorOf(call)
      const reply = await changed(call, context, 'start', () =>
        context.jobs.again(number, account, call.body.accept),
      )
      return { ...reply, status: 202 }
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/trees/*id/verify',
    operation: 'verifyTree',
    summary: 'checks every file of a tree again, as a job',
    access: writes,
    failures: ['conflict'],
    params: z.object({ id: segments }),
    answers: { 202: json(jobSchema, location) },
    handle: (call, context) => startJob(call, context, { kind: 'verify', tree: call.params.id }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/trees/*id/boot-test',
    operation: 'bootTestTree',
    summary: 'boots emulated machines from a tree, as a job',
    description:
      'One boot test runs at a time. Each machine has no disk and reaches nothing but the tree; its installer ends before it looks for a disk. The job is done when all machines passed.',
    access: writes,
    failures: ['conflict'],
    params: z.object({ id: segments }),
    body: bootTestOrder,
    answers: { 202: json(jobSchema, location) },
    handle: (call, context) =>
      startJob(call, context, { kind: 'boot-test', tree: call.params.id, firmware: call.body.firmware }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/boot-tests',
    operation: 'listBootTests',
    summary: 'the boot tests of this server that wait or run, in the order in which they came',
    description:
      'Of jobs, uploads and mirrors. Tests by commands on the same machine are not listed, and have their places in the same queue. What a version showed before it was published is in its `bootTest`.',
    access: reads,
    answers: { 200: json(openBootTestPage) },
    handle: (_, { bootTests }) => ({
      json: wholeList(
        bootTests.list().map(({ number, sinceMs, ...progress }) => ({
          ...bootTestProgressView(progress),
          number,
          since: timeText(sinceMs),
        })),
      ),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/mirrors/*name/run',
    operation: 'runMirror',
    summary: 'fetches a mirror now, as a job',
    access: writes,
    failures: ['conflict'],
    params: z.object({ name: segments }),
    answers: { 202: json(jobSchema, location) },
    handle: (call, context) => startJob(call, context, { kind: 'mirror', mirror: call.params.name }),
  }),
] as const

export type JobReply = Reply<z.input<typeof jobSchema>>

export async function startJob(call: Call, context: ApiContext, request: Job['request']): Promise<JobReply> {
  await checkRequest(request, context.snapshot())
  const actor = actorOf(call)
  const job = await context.jobs.start(request, actor.account)
  await context.accounts.audit.write(actor, {
    action: 'jobs.start',
    target: String(job.number),
    after: request,
  })
  return { status: 202, json: jobView(job), headers: { Location: `${jobs}/${job.number}` } }
}

async function changed(
  call: Call,
  { jobs: all, accounts }: ApiContext,
  deed: 'cancel' | 'pause' | 'start',
  change: () => Promise<Job>,
): Promise<JobReply> {
  const { number } = call.params as { readonly number: number }
  const before = all.read(number).state
  const job = await change()
  const after = { state: job.state, ...(deed === 'start' && { request: job.request }) }
  await accounts.audit.write(actorOf(call), { action: `jobs.${deed}`, target: String(number), before, after })
  return { json: jobView(job) }
}

function jobView(job: Job) {
  const {
    number,
    request,
    state,
    by,
    createdMs,
    startedMs,
    endedMs,
    place,
    progress,
    lines,
    trees,
    notes = [],
    problem,
  } = job
  return {
    number,
    kind: request.kind,
    state,
    subject: subjectOf(request),
    by,
    created: timeText(createdMs),
    started: startedMs === undefined ? null : timeText(startedMs),
    ended: endedMs === undefined ? null : timeText(endedMs),
    place: place ?? null,
    progress: progress ? progressView(progress) : null,
    lines,
    trees: trees.map(({ id, version, report = null }) => ({ id, version, report })),
    notes,
    problem: problem ? { error: problem.kind, detail: problem.message } : null,
    request,
  }
}

function progressView(progress: JobProgress) {
  const { stage, doneBytes, totalBytes, files, file, rate, secondsLeft, retry, bootTest } = progress
  return {
    stage,
    bytes: doneBytes,
    totalBytes: totalBytes ?? null,
    files: files ?? null,
    file: file ?? null,
    rate: rate ?? null,
    secondsLeft: secondsLeft ?? null,
    retry: retry ? { why: retry.why, until: timeText(retry.untilMs) } : null,
    bootTest: bootTest ? bootTestProgressView(bootTest) : null,
  }
}
