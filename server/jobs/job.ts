import { z } from 'zod'
import { vmFirmwares } from '../core/boot/test-firmware.ts'
import type { TreeReport } from '../intake/tree-report.ts'

/**
 * The states of jobs. `waiting`: for its turn. `paused`: by a person, and it goes on where it stopped. `quarantined`: it
 * arrived, but not as it was published, so nobody sees it.
 */
export const jobStates = [
  'waiting',
  'running',
  'paused',
  'quarantined',
  'done',
  'failed',
  'cancelled',
] as const
export type JobState = (typeof jobStates)[number]

export const jobKinds = ['import', 'mirror', 'verify', 'publish', 'boot-test'] as const
export type JobKind = (typeof jobKinds)[number]

const idText = 'the id of a tree'
const reasonText = 'a reason of 1 to 500 characters'
const id = z.string(idText).min(1, idText).max(500, idText)
const place = z.string('a text').min(1, 'a text').max(4096, 'at most 4096 characters')
const yesOrNo = z.boolean('true or false')
export const reason = z.string(reasonText).min(1, reasonText).max(500, reasonText)
const publishing = {
  replace: yesOrNo
    .optional()
    .meta({ description: 'a folder that a person put at this id becomes an earlier version' }),
  accept: reason.optional().meta({ description: 'publish in spite of faults, for this reason' }),
}

const firmwareText = `one of ${vmFirmwares.join(', ')}`
export const vmFirmwareList = z
  .array(z.enum(vmFirmwares, firmwareText), `a list of ${vmFirmwares.join(', ')}`)
  .min(1, 'at least one kind of firmware')
  .max(vmFirmwares.length, `at most ${vmFirmwares.length} kinds of firmware`)
  .default(['bios', 'uefi-x64'])
  .meta({
    description:
      'what the machines have; those that the architecture of the tree does not have are passed over, and where nothing is left, it is its own',
  })

/** What a job is to do, as it is asked for. */
export const jobRequest = z
  .discriminatedUnion(
    'kind',
    [
      z.object({
        kind: z.literal('import'),
        source: place
          .optional()
          .meta({ description: 'a URL, or an absolute path on the server, that `imports.allow` lists' }),
        upload: place.optional().meta({
          description:
            'in the place of a source: the path of an uploaded file, which is removed when it was published',
        }),
        id: id.optional().meta({ description: 'default: made from what the tree says it is' }),
        unpack: yesOrNo.optional().meta({ description: 'unpack a disc image into a folder' }),
        ...publishing,
      }),
      z.object({
        kind: z.literal('mirror'),
        mirror: id.optional().meta({ description: 'a mirror that is defined; or give `urls`' }),
        urls: z
          .array(place, 'a list of URLs')
          .min(1, 'at least one URL')
          .max(20, 'at most 20 URLs')
          .optional()
          .meta({ description: 'mirrors of one tree, the preferred one first; `imports.allow` lists each' }),
        id: id.optional(),
        bootOnly: yesOrNo
          .optional()
          .meta({ description: 'only what boots; the packages stay with the upstream' }),
        ...publishing,
      }),
      z.object({
        kind: z.literal('verify'),
        tree: id,
        packages: yesOrNo.optional().meta({ description: 'down to the packages; the default' }),
      }),
      z.object({
        kind: z.literal('publish'),
        upload: place.meta({ description: 'the path of an upload' }),
        ...publishing,
      }),
      z.object({ kind: z.literal('boot-test'), tree: id, firmware: vmFirmwareList }),
    ],
    `one of ${jobKinds.join(', ')} as kind`,
  )
  .meta({ id: 'NewJob' })

export type JobRequest = z.output<typeof jobRequest>

const finding = z.object({
  severity: z.enum(['error', 'warning']),
  path: z.string(),
  message: z.string(),
  with: z.string().optional(),
})
const signature = z.object({
  document: z.string(),
  signature: z.string(),
  outcome: z.enum(['good', 'bad', 'unchecked']),
  key: z.string().optional(),
  signer: z.string().optional(),
})
/** A `TreeReport` of which the first findings, documents and signatures are kept. */
export const treeReport = z.object({
  system: z.string(),
  files: z.int(),
  bytes: z.int(),
  errors: z.int().meta({ description: 'of all findings; those that are here are the first' }),
  warnings: z.int(),
  accepted: z.boolean().meta({ description: 'published in spite of its faults' }),
  documents: z.array(z.string()).meta({ description: 'that name its files' }),
  findings: z.array(finding),
  signatures: z.array(signature),
})

export const jobTree = z.object({
  id: z.string(),
  version: z.int().nullable(),
  /** Absent in records of an earlier treeboot, and of boot tests. */
  report: treeReport.optional(),
})
export type JobTree = Pick<z.output<typeof jobTree>, 'id' | 'version'> & { readonly report?: TreeReport }

/** A job as it is on the disk. */
export const jobRecord = z.object({
  number: z.int().min(1),
  request: jobRequest,
  by: z.string(),
  state: z.enum(jobStates),
  createdMs: z.number(),
  startedMs: z.number().optional(),
  endedMs: z.number().optional(),
  lines: z.array(z.string()),
  trees: z.array(jobTree),
  notes: z.array(z.string()).optional(),
  problem: z.object({ kind: z.string(), message: z.string() }).optional(),
})
export type JobRecord = z.output<typeof jobRecord>

/** What became of the work of a job. Secrets are starred. */
export interface JobOutcome extends Pick<JobRecord, 'lines' | 'problem'> {
  readonly trees: readonly JobTree[]
  /** Of an import: what was left out, and why. They are among the lines, too. */
  readonly notes?: readonly string[]
  readonly state: 'done' | 'quarantined' | 'failed'
}

/** Whether a job still waits for something. */
export function isOpen({ state }: Pick<JobRecord, 'state'>): boolean {
  return state === 'waiting' || state === 'running' || state === 'paused'
}

/** What it is about, for people and to find two jobs that do the same. */
export function subjectOf(request: JobRequest): string {
  switch (request.kind) {
    case 'import':
      return request.source ?? request.upload ?? ''
    case 'mirror':
      return request.mirror ?? request.urls?.[0] ?? ''
    case 'verify':
    case 'boot-test':
      return request.tree
    case 'publish':
      return request.upload
  }
}
