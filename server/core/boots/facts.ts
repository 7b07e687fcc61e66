import type { FailureKind } from '../failure.ts'
import type { BootPurpose } from './boot.ts'
import type { LogWords } from './log-line.ts'
import type { FileRole } from './roles.ts'

/** By what a machine is known. MACs and UUID are canonical. */
export interface Who {
  readonly guest?: string
  readonly macs: readonly string[]
  readonly uuid?: string
  readonly address?: string
}

/** What a boot configuration told the machine. */
export interface Told {
  readonly purpose: BootPurpose
  /** For people: `install fedora-40`. */
  readonly summary: string
  readonly loader: string
  readonly tree?: string
  readonly kernel?: string
}

export interface DhcpFact {
  readonly kind: 'dhcp'
  readonly who: Who
  readonly step: 'offered' | 'silent' | 'confirmed' | 'leased'
  readonly xid: number
  readonly ms: number
  readonly firmware?: string
  readonly file?: string
  readonly detail?: string
  readonly server?: string
}

/** A request for a file has ended. */
export interface FileFact {
  readonly kind: 'file'
  readonly who: Who
  readonly role: FileRole
  readonly path: string
  readonly outcome: 'complete' | 'aborted' | 'failed'
  readonly failure?: FailureKind
  /** What we say of a failure, or the client of an abort. */
  readonly detail?: string
  readonly bytes: number
  readonly ms: number
  /** HEAD, LOOKUP: nothing was fetched. */
  readonly isQuestion: boolean
  readonly isTftp: boolean
  readonly retries: number
  readonly blksize?: number
  readonly isSilent: boolean
  readonly agent?: string
  readonly told?: Told
  /** The request came from the machine that treeboot runs on: a person looks. */
  readonly isOwnHost: boolean
}

/** A large file begins to be sent. */
export interface SendingFact {
  readonly kind: 'sending'
  readonly who: Who
  readonly role: FileRole
  readonly path: string
}

/** Packages that one address fetched whole, in a fraction of a second. */
export interface PackagesFact {
  readonly kind: 'packages'
  readonly who: Who
  /** The last one. */
  readonly path: string
  readonly count: number
  readonly bytes: number
  /** From the beginning of the first to the end of the last. */
  readonly ms: number
}

export interface ReportFact {
  readonly kind: 'report'
  readonly who: Who
  readonly report: string
  readonly detail?: string
}

/** What a machine logged in a fraction of a second, with secrets starred. */
export interface LogFact {
  readonly kind: 'log'
  readonly who: Who
  /** Lines. */
  readonly count: number
  /** From the first line to the last one. */
  readonly ms: number
  readonly log: LogWords
}

/** What happened, as far as it tells something about a boot. */
export type Fact = DhcpFact | FileFact | PackagesFact | SendingFact | ReportFact | LogFact
