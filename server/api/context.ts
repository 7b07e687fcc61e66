import type { Accounts } from '../accounts/accounts.ts'
import type { BootTests } from '../boottest/boot-tests.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { TemplateHistory } from '../catalog/template-history.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Definitions } from '../definitions/definitions.ts'
import type { TemplateDefinitions } from '../definitions/template-definitions.ts'
import type { EventSink } from '../events/bus.ts'
import type { Metrics } from '../events/metrics.ts'
import type { Feed } from '../feed/feed.ts'
import type { FileSource } from '../files/source.ts'
import type { MirrorRunner } from '../intake/mirror/mirror-runner.ts'
import type { Uploads } from '../intake/uploads/uploads.ts'
import type { Jobs } from '../jobs/jobs.ts'
import { bootInputs } from '../machines/decide.ts'
import type { Machines } from '../machines/machines.ts'
import type { Answers } from '../namespace/answers.ts'
import type { GuestChecks } from '../namespace/guest-checks.ts'
import type { SpareRenderer } from '../templates/spare-renderer.ts'
import type { Boots } from '../timeline/boots.ts'
import type { PublicKeys } from '../verify/signatures/public-keys.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { EventStreams } from './event-streams.ts'
import type { GuestSummaries } from './guest-summaries.ts'
import type { ServerHealth } from './health.ts'
import type { LookupResponses } from './lookup-responses.ts'
import type { Turns } from './turns.ts'

/** The parts of the server that route handlers use. */
export interface ApiContext {
  readonly version: string
  readonly snapshot: () => Snapshot
  readonly services: () => OpenServices
  readonly serviceLines: () => readonly ShownService[]
  readonly events: EventSink
  readonly metrics: Metrics
  readonly machines: Machines
  readonly boots: Boots
  readonly feed: Feed
  readonly streams: EventStreams
  readonly webhooks: Pick<Webhooks, 'list' | 'deliveries'>
  /** The whole namespace. */
  readonly source: FileSource
  readonly answers: Answers
  readonly guestChecks: GuestChecks
  /** Renders what people look at, apart from what machines wait for. */
  readonly spare: SpareRenderer
  readonly health: ServerHealth
  readonly lookupCache: LookupResponses
  readonly guestSummaries: GuestSummaries
  readonly publicKeys: PublicKeys
  readonly turns: Turns
  readonly uploads: Uploads
  readonly jobs: Jobs
  readonly bootTests: Pick<BootTests, 'list'>
  readonly mirrors: Pick<MirrorRunner, 'lastRun' | 'dueMs'>
  readonly definitions: Definitions
  readonly templates: TemplateDefinitions
  readonly templateHistory: TemplateHistory
  readonly catalog: Pick<Catalog, 'readConfig' | 'readTemplates' | 'lookNow'>
  readonly accounts: Accounts
  /** The names by which the machine knows itself. */
  readonly machineNames: () => readonly string[]
}

/** One service as the front page shows it: a `ServiceLine` of `protocols`, which this room may not import. */
export interface ShownService {
  readonly name: string
  readonly open: boolean
  readonly host?: string
  readonly port?: number
  /** Why the service is closed or on an unusual port, and what its clients need to know; '' when nothing. */
  readonly note: string
}

/** The inputs of a boot decision for the client of this request. */
export function inputsFor({ snapshot, services, machines }: ApiContext, who: Requester): BootInputs {
  return bootInputs({ snapshot: snapshot(), services: services(), who, machines })
}

/** The same for one guest, whose answer file is tried out: without one it is not sent into an installer. */
export function inputsForGuest(context: ApiContext, who: Requester, guest: Guest): Promise<BootInputs> {
  return context.answers.inputsFor(inputsFor(context, who), { guest, who, snapshot: context.snapshot() })
}
