/**
 * The shapes of the JSON that the API sends, made from its schemas. They are a contract with its clients: a field never
 * changes its name or meaning.
 */
import type { z } from 'zod'
import type { LookupResultJson } from '../core/lookup/result.ts'
import type * as access from './schemas/access.ts'
import type * as boots from './schemas/boots.ts'
import type { Problem } from './schemas/common.ts'
import type * as definitions from './schemas/definitions.ts'
import type * as guests from './schemas/guests.ts'
import type * as jobs from './schemas/jobs.ts'
import type * as server from './schemas/server.ts'
import type * as templates from './schemas/templates.ts'
import type * as trees from './schemas/trees.ts'
import type * as uploads from './schemas/uploads.ts'

export type { Problem }

/** `GET /api/v1/lookup` that found something. */
export type LookupBody = LookupResultJson

/** `GET /api/v1/lookup` that found nothing; status 404. */
export interface LookupMiss extends Problem {
  /** The ids of trees, or names of guests, that are most similar to what was asked for. */
  readonly nearest: readonly string[]
}

export type TreeSummary = z.infer<typeof trees.treeSummary>
export type TreeVersionBody = z.infer<typeof trees.treeVersion>
export type TreeRemovalBody = z.infer<typeof trees.treeRemoval>
export type TreeDetail = z.infer<typeof trees.treeDetail>
export type GuestSummary = z.infer<typeof guests.guestSummary>
export type GuestDetail = z.infer<typeof guests.guestDetail>
export type Forgotten = z.infer<typeof guests.forgotten>
export type BootBody = z.infer<typeof boots.bootSummary>
export type BootDetailBody = z.infer<typeof boots.bootDetail>
export type BootEventBody = z.infer<typeof boots.bootEvent>
export type StoryStep = z.infer<typeof guests.storyStep>
export type UnknownMachineView = z.infer<typeof guests.unknownMachine>
export type JobBody = z.infer<typeof jobs.job>
export type UploadView = z.infer<typeof uploads.upload>
export type UploadReceipt = z.infer<typeof uploads.uploadReceipt>
export type ProblemView = z.infer<typeof server.problemView>
export type AccountBody = z.infer<typeof access.account>
export type SessionBody = z.infer<typeof access.accountSession>
export type TokenBody = z.infer<typeof access.token>
export type AuditBody = z.infer<typeof access.auditLine>
export type ProfileBody = z.infer<typeof definitions.profileSummary>
export type MirrorBody = z.infer<typeof definitions.mirror>
export type DefinitionBody = z.infer<typeof definitions.definition>
export type ChangeBody = z.infer<typeof definitions.setChange>
export type TemplateChangeBody = z.infer<typeof templates.templateChange>
export type RenamedBody = z.infer<typeof definitions.renamed>
export type MovedBody = z.infer<typeof definitions.moved>
