import { z } from 'zod'
import { listOf, pageOf, text } from './common.ts'

/** `GET /readyz`; with reasons the status is 503. */
export const readiness = z
  .object({
    status: z.enum(['ready', 'not ready']),
    reasons: listOf(text).optional().meta({ description: 'one line each; only for callers who may read' }),
  })
  .meta({ id: 'Readiness' })

export const health = z
  .object({
    status: z.literal('ok'),
    version: text,
    generation: z.int().meta({ description: 'how many snapshots were made since the start' }),
    config: z
      .enum(['ok', 'refused'])
      .meta({ description: 'refused: config.yaml has errors, and the last good one is in force' }),
    trees: z.object({ ready: z.int(), all: z.int() }),
  })
  .meta({ id: 'Health' })

export const problemView = z
  .object({
    severity: z.enum(['error', 'warning']),
    where: text.meta({ description: 'config.yaml:12:5, kickstart-templates/fedora.ks:40, trees/fedora-40' }),
    message: text,
    remedy: text.optional(),
  })
  .meta({ id: 'FoundProblem' })

export const problemPage = pageOf(problemView, 'FoundProblemPage')

export const keyPage = pageOf(
  z
    .object({
      kind: z
        .enum(['openpgp'])
        .meta({ description: 'what the key is for: openpgp verifies documents of trees' }),
      fingerprint: text,
      users: listOf(text).meta({ description: 'who it belongs to, as the key says it' }),
      armored: text.meta({ description: 'the certificate in ASCII armour' }),
    })
    .meta({ id: 'PublicKey' }),
  'PublicKeyPage',
)

export const service = z
  .object({
    name: text,
    open: z.boolean(),
    host: text.nullable(),
    port: z.int().nullable(),
    note: text.meta({
      description: 'why it is closed or on an unusual port, and what its clients need to know',
    }),
  })
  .meta({ id: 'Service' })

export const servicePage = pageOf(service, 'ServicePage')

export const pathList = z.object({ paths: listOf(text) }).meta({ id: 'PathList' })

export const version = z.object({ name: z.literal('treeboot'), version: text }).meta({ id: 'Version' })
