/**
 * The shapes of the JSON that the API sends. They are a contract with its clients: a field never changes its
 * name or meaning. This file imports only types of `core/`.
 */
import type { Explanation } from '../core/boot/explain.ts'
import type { BootPlan } from '../core/boot/plan.ts'
import type { FailureKind } from '../core/failure.ts'
import type { InstallState, ReleaseId } from '../core/guest/state.ts'
import type { LookupResultJson } from '../core/lookup/result.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { Tree, TreeState } from '../core/tree/tree.ts'

/** `GET /api/v1` */
export interface PathList {
  readonly paths: readonly string[]
}

/** The body of every failed request. */
export interface ErrorBody {
  readonly error: FailureKind
  /** For people: what was found, what was expected, what to do. */
  readonly message: string
}

/** `GET /api/v1/lookup` that found something. */
export type LookupBody = LookupResultJson

/** `GET /api/v1/lookup` that found nothing; status 404. */
export interface LookupMiss extends ErrorBody {
  /** The ids of trees, or names of guests, that are most similar to what was asked for. */
  readonly nearest: readonly string[]
}

/** One element of `GET /api/v1/trees`. */
export interface TreeSummary {
  readonly id: string
  /** A server never shows `not verified`; a command does, with `--no-verify`. */
  readonly state: TreeState | 'not verified'
  /** Why it is `broken` or still `incoming`; empty when ready. */
  readonly reasons: readonly string[]
  /** As the descriptor spells it: `AlmaLinux`. */
  readonly family: string
  /** The id of the distribution: `alma`. */
  readonly distro: string
  readonly version: string
  readonly variant: string
  readonly arch: string
  readonly era: string
  readonly origin: 'folder' | 'iso'
  readonly platforms: readonly string[]
  /** How many mistakes were found in its descriptors. */
  readonly problems: number
}

/** `GET /api/v1/trees/<id>` */
export interface TreeDetail extends Omit<Tree, 'origin' | 'checksums' | 'release' | 'unverified'> {
  readonly origin: 'folder' | 'iso'
  /** The version, for a tree that treeboot published. */
  readonly release?: ReleaseId
  /** `sha256:<hex>` by path. */
  readonly checksums: Readonly<Record<string, string>>
}

/**
 * One element of `GET /api/v1/guests`. Variables are left out: they may hold
 * password hashes.
 */
export interface GuestSummary {
  readonly name: string
  readonly state: InstallState
  /** ISO 8601; null for a guest that has no history yet. */
  readonly since: string | null
  /** The reason that the installer last reported for its failure. */
  readonly failure: string | null
  /** Why it is `held`: `new store`, `old store`, `renamed` or `by ...`. */
  readonly hold: string | null
  readonly macs: readonly string[]
  readonly uuid: string | null
  readonly serial: string | null
  readonly ip: string | null
  readonly profiles: readonly string[]
  /** The id of the tree that the guest would install; null when no tree fits. */
  readonly tree: string | null
  readonly template: string | null
  /** `config.yaml:12` */
  readonly definedAt: string
}

/** `GET /api/v1/guests/<name>`, and the reply to an order for that guest. */
export interface GuestDetail extends GuestSummary {
  /** What its next network boot does. `why` is the reason that it installs nothing; null when it installs. */
  readonly nextBoot: { readonly plan: BootPlan['kind']; readonly why: string | null }
}

/** One element of `GET /api/v1/guests/<name>/story`. */
export interface StoryStep {
  /** ISO 8601. */
  readonly at: string
  /** The number of the guest's installation. */
  readonly install: number
  /** What happened: the kind of a `HistoryEntry`. */
  readonly step: string
  /** The tree of an offer, the words of a report; '' when there is nothing to add. */
  readonly detail: string
  /** The address of the machine; '' for the operator. */
  readonly client: string
}

/** One element of `GET /api/v1/guests/<name>/explain`. */
export type ExplainedStep = Explanation

/** One element of `GET /api/v1/inbox`: a machine that asked for boot and is not a guest. */
export interface UnknownMachineView {
  readonly id: string
  readonly mac: string | null
  readonly uuid: string | null
  readonly serial: string | null
  readonly firmware: string | null
  readonly vendor: string | null
  readonly address: string | null
  /** ISO 8601. */
  readonly first: string
  readonly last: string
  /** How many times the machine asked. */
  readonly count: number
}

/** One element of `GET /api/v1/problems`. */
export type ProblemView = SnapshotProblem

/** `GET /api/v1/uploads/<name>`, and one element of `GET /api/v1/uploads`. */
export interface UploadView {
  readonly name: string
  /** `waiting`: nothing arrives now. `refused`: the last attempt to publish it failed. */
  readonly state: 'receiving' | 'verifying' | 'waiting' | 'refused'
  /** Files that are not complete, relative to the upload area. */
  readonly partial: readonly string[]
  /** Why the last attempt to publish it was refused; empty when it was not. */
  readonly lines: readonly string[]
}

/** `PUT /api/v1/uploads/<path>` */
export interface UploadReceipt {
  readonly path: string
  /** Bytes of this request. */
  readonly received: number
  /** Bytes that the file has now. */
  readonly size: number
}

/** `POST /api/v1/uploads/<id>/publish` */
export interface PublishResult {
  readonly outcome: 'published' | 'refused'
  /** One line for each published tree, or one for each reason of the refusal. */
  readonly lines: readonly string[]
}

/** `GET /readyz`; with reasons the status is 503. */
export interface Readiness {
  readonly status: 'ready' | 'not ready'
  /** One line each, for people. */
  readonly reasons: readonly string[]
}

/** `GET /healthz` */
export interface Health {
  readonly status: 'ok'
  readonly version: string
  /** How many snapshots were made since the start. */
  readonly generation: number
  /** `refused`: config.yaml has errors, and the last good one is in force. */
  readonly config: 'ok' | 'refused'
  readonly trees: { readonly ready: number; readonly all: number }
}
