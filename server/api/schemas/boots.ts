import { z } from 'zod'
import { bootStates, stepKinds } from '../../core/boots/boot.ts'
import { reasonIds } from '../../core/boots/reason-ids.ts'
import { listOf, pageOf, text, time } from './common.ts'

export const bootState = z.enum(bootStates, `one of ${bootStates.join(', ')}`).meta({
  id: 'BootState',
  description:
    'running: something happens. stalled: quiet for longer than usual after the kernel was loaded. done: installed, or sent to its own disk. failed: its installer said so. gone: it went quiet before anything was installed.',
})

export const stepKind = z.enum(stepKinds).meta({ id: 'BootStepKind' })

export const bootStep = z
  .object({
    kind: stepKind,
    status: z.enum(['running', 'done', 'missing', 'broken-off', 'failed']),
    start: time,
    end: time,
    bytes: z.int().meta({ description: 'of files that the machine got' }),
    rate: z.int().meta({ description: 'bytes in a second; for packages those of the last seconds' }),
    count: z.int().meta({ description: 'files, packages, packets, reports or lines' }),
    retries: z.int().meta({ description: 'packets and files that were sent again' }),
    folded: z.int().meta({ description: 'usual side effects, such as HEAD before GET' }),
    what: text.meta({
      description: 'the newest file; what was decided, offered or reported; the stage that a log names',
    }),
    words: text.nullable().meta({ description: 'what the machine said, as it said it' }),
    fault: text.nullable().meta({ description: 'the newest line of the log that names a fault' }),
    lost: text.nullable().meta({ description: 'the newest name that was asked for and is not there' }),
  })
  .meta({ id: 'BootStep' })

const summary = {
  id: z.int(),
  machine: text.meta({ description: 'its guest, MAC, UUID or address' }),
  guest: text.nullable(),
  macs: listOf(text),
  uuid: text.nullable(),
  addresses: listOf(text).meta({ description: 'the newest last' }),
  firmware: text.nullable(),
  loader: text.nullable(),
  tree: text.nullable().meta({ description: 'the id of the tree that it was offered' }),
  purpose: z.enum(['install', 'menu', 'local-disk', 'refuse', 'other']).nullable(),
  state: bootState,
  reason: z
    .object({
      id: z.enum(reasonIds),
      seen: text.meta({ description: 'one sentence about this boot' }),
      means: text,
      try: text,
    })
    .nullable()
    .meta({ description: 'why it does not go on; null where nothing is wrong, or nobody knows' }),
  step: stepKind.nullable().meta({ description: 'how far it came' }),
  where: text.meta({ description: 'where it is, in a few words' }),
  start: time,
  last: time.meta({ description: 'when the machine was last heard of' }),
  end: time.nullable().meta({ description: 'null while something may still be added' }),
}

export const bootSummary = z.object(summary).meta({ id: 'BootSummary' })

export const bootPage = pageOf(bootSummary, 'BootPage')

const comparison = z.object({
  boot: z.int(),
  start: time,
  differences: listOf(
    z.object({
      step: stepKind,
      change: z.enum(['slower', 'later', 'missing']).meta({
        description: 'it took longer; it began longer after the step before it; it did not come',
      }),
      ms: z.int().nullable(),
      goodMs: z.int().nullable().meta({ description: 'the same of the other boot' }),
    }),
  ),
})

export const bootDetail = z
  .object({
    ...summary,
    kernel: text.nullable().meta({ description: 'the path of the kernel that it was offered' }),
    after: z.int().nullable().meta({ description: 'the id of the boot that installed this machine' }),
    steps: listOf(bootStep),
    comparison: comparison.nullable().meta({
      description:
        'beside the last boot of this guest and firmware that ended well; null where there is none',
    }),
  })
  .meta({ id: 'Boot' })

/** Of the stream of events, and of what has happened. */
export const bootEvent = z
  .object({
    type: z.literal('boots'),
    at: time,
    boot: z.int(),
    machine: text.meta({ description: 'its guest, MAC, UUID or address' }),
    guest: text.nullable(),
    state: bootState,
    reason: z
      .enum(reasonIds)
      .nullable()
      .meta({ description: 'why it does not go on; its words are in the boot' }),
    removed: z.boolean().meta({ description: 'it turned out to be a part of another boot, and is gone' }),
    steps: listOf(bootStep).meta({ description: 'those that are new or have changed' }),
  })
  .meta({ id: 'BootEvent' })

export const bootEventPage = pageOf(bootEvent, 'BootEventPage')
