import { z } from 'zod'
import { jobKinds, jobRequest, jobStates, reason, treeReport, vmFirmwareList } from '../../jobs/job.ts'
import { bootTestProgress } from './boot-tests.ts'
import { listOf, pageOf, text, time } from './common.ts'

export { jobKinds, jobRequest, jobStates }

const progress = z.object({
  stage: z.enum(['reading', 'fetching', 'verifying', 'testing']),
  bytes: z.int().meta({ description: 'done in this stage' }),
  totalBytes: z.int().nullable().meta({ description: 'of this stage, as far as it is known' }),
  files: z.int().nullable().meta({ description: 'how many were read or fetched' }),
  file: text.nullable().meta({ description: 'the one that is worked on' }),
  rate: z.int().nullable().meta({ description: 'bytes a second, over the last seconds' }),
  secondsLeft: z.int().nullable(),
  retry: z
    .object({ why: text, until: time })
    .nullable()
    .meta({ description: 'why it waits before it asks the upstream again' }),
  bootTest: bootTestProgress.nullable().meta({ description: 'while `testing`: how far the boot test is' }),
})

export const job = z
  .object({
    number: z.int(),
    kind: z.enum(jobKinds),
    state: z.enum(jobStates).meta({
      description:
        '`paused`: by a person. `quarantined`: it arrived, but not as it was published, so nobody sees it; `start` with `accept` publishes it all the same',
    }),
    subject: text.meta({ description: 'the URL, path, mirror, tree or upload that it is about' }),
    by: text,
    created: time,
    started: time.nullable(),
    ended: time.nullable(),
    place: z.int().nullable().meta({ description: 'how many jobs are before it; null unless it waits' }),
    progress: progress.nullable().meta({ description: 'null unless it runs' }),
    lines: listOf(text).meta({ description: 'what became of it, for people: trees, faults, notes' }),
    trees: listOf(
      z.object({
        id: text,
        version: z.int().nullable().meta({ description: 'null when it was not published' }),
        report: treeReport.nullable().meta({ description: 'what was found of it; null of a boot test' }),
      }),
    ),
    notes: listOf(text).meta({ description: 'of an import: what was left out, and why' }),
    problem: z.object({ error: text, detail: text }).nullable().meta({ description: 'why it failed' }),
    request: jobRequest,
  })
  .meta({ id: 'Job' })

export const jobPage = pageOf(job, 'JobPage')

export const startAgain = z
  .object({
    accept: reason.optional().meta({ description: 'publish in spite of its faults, for this reason' }),
  })
  .default({})
  .meta({ id: 'StartAgain' })

const usualFirmware = vmFirmwareList.parse(undefined)

export const bootTestOrder = z
  .object({ firmware: vmFirmwareList })
  .default({ firmware: usualFirmware })
  .meta({ id: 'BootTestOrder' })
