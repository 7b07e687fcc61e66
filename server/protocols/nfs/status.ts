import { type FailureKind, failureKind } from '../../core/failure.ts'
import type { FileAttributes } from './attributes.ts'

/** `nfsstat3` of RFC 1813 section 2.6: the values that a read-only server uses. */
export const nfsStatus = {
  ok: 0,
  noEntry: 2,
  io: 5,
  access: 13,
  notDirectory: 20,
  isDirectory: 21,
  invalid: 22,
  fileTooBig: 27,
  readOnly: 30,
  nameTooLong: 63,
  stale: 70,
  badHandle: 10001,
  notSupported: 10004,
  tooSmall: 10005,
  serverFault: 10006,
  jukebox: 10008,
} as const

export type NfsStatus = (typeof nfsStatus)[keyof typeof nfsStatus]

/**
 * The NFS status of each kind of failure. JUKEBOX makes every client wait and try again, so it is for
 * failures that pass.
 */
const statusOfKind: Record<FailureKind, NfsStatus> = {
  'bad-request': nfsStatus.invalid,
  'not-found': nfsStatus.noEntry,
  unauthenticated: nfsStatus.access,
  forbidden: nfsStatus.access,
  misdirected: nfsStatus.invalid,
  'precondition-failed': nfsStatus.invalid,
  'precondition-required': nfsStatus.invalid,
  conflict: nfsStatus.jukebox,
  'read-only': nfsStatus.readOnly,
  'too-large': nfsStatus.fileTooBig,
  'wrong-type': nfsStatus.notSupported,
  unsupported: nfsStatus.notSupported,
  'invalid-data': nfsStatus.io,
  'too-many': nfsStatus.jukebox,
  unavailable: nfsStatus.jukebox,
  internal: nfsStatus.serverFault,
}

/**
 * A status other than OK, which ends a procedure. `attributes` are sent if the failed result has room for
 * them.
 */
export class NfsFailure extends Error {
  override readonly name = 'NfsFailure'
  readonly status: NfsStatus
  readonly attributes: FileAttributes | undefined

  constructor(status: NfsStatus, attributes?: FileAttributes) {
    super(`nfsstat3 ${status}`)
    this.status = status
    this.attributes = attributes
  }
}

export function statusOf(error: unknown): NfsStatus {
  return error instanceof NfsFailure ? error.status : statusOfKind[failureKind(error)]
}
