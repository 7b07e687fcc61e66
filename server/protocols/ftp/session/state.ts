import { type CleanPath, rootPath } from '../../../files/path.ts'
import { type FactName, factNames } from '../data/listing.ts'

export type Login = 'anonymous' | 'administrator'

/**
 * What a session remembers from one command to the next. A verb reads it, and returns the fields that change.
 */
export interface SessionState {
  /** The name of USER, once it was accepted. */
  readonly user: string | undefined
  /** Undefined until PASS was accepted. */
  readonly login: Login | undefined
  /** Wrong passwords so far. */
  readonly loginTries: number
  /** Whether the control connection is encrypted. */
  readonly isSecure: boolean
  /** After `PROT P`: data connections are encrypted too. */
  readonly protectsData: boolean
  readonly folder: CleanPath
  readonly type: 'A' | 'I'
  /** The offset of REST, for the next transfer. */
  readonly restartAt: number
  /** The length in bytes that ALLO gave for the next upload. */
  readonly announcedBytes: number | undefined
  /** The path of RNFR inside the upload area, for an RNTO that follows at once. */
  readonly renameFrom: CleanPath | undefined
  /** After `EPSV ALL` no other command may arrange a data connection (RFC 2428 section 4). */
  readonly onlyEpsv: boolean
  /** The facts that MLSD and MLST show. */
  readonly facts: readonly FactName[]
}

export type StateChange = Partial<SessionState>

export const initialState: SessionState = {
  user: undefined,
  login: undefined,
  loginTries: 0,
  isSecure: false,
  protectsData: false,
  folder: rootPath,
  type: 'A',
  restartAt: 0,
  announcedBytes: undefined,
  renameFrom: undefined,
  onlyEpsv: false,
  facts: factNames,
}
