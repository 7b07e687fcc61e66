import { type HoldReason, whyHeld } from './state.ts'

/** Names a store, and says how much it knows. The witness outside of the data folder keeps a copy. */
export interface StoreMark {
  /** Random, made with the store. */
  readonly id: string
  /** Counts every change of a guest's state. */
  readonly changes: number
}

/** What a store says of its own past. */
export interface StorePast {
  readonly mark: StoreMark
  /** False until somebody has decided which guests of a new store may be installed. */
  readonly settled: boolean
  /**
   * Nobody has decided anything of this store, and it never had a record of a guest: when it was settled there was nothing
   * that it could have forgotten. Absent: false.
   */
  readonly unjudged?: boolean
  /** Whether a witness of this store was ever written. */
  readonly witnessed: boolean
  /** Why the store may have forgotten installations; guests that are new to it are then held. */
  readonly doubt?: HoldReason
}

/** What one witness says. `damaged`: there is one, and it cannot be read. */
export type WitnessSays = StoreMark | 'damaged'

export interface StoreEvidence {
  readonly past: StorePast
  /** Must be read before `past`: a commit comes before its witness, so a good store is never behind. */
  readonly witnesses: readonly WitnessSays[]
  /**
   * Whether the configuration has guests, or profiles that make them. A server that begins without any has nothing to
   * forget.
   */
  readonly hasGuests: boolean
  /** Whether a profile installs unknown machines. Default: false. */
  readonly installsUnknown?: boolean
  /** Whether the operator says that a new store may install. It never excuses a lost or an old store. */
  readonly acceptNew: boolean
}

/**
 * Why a store may have forgotten installations; undefined when it is known to be the newest one. Only such a
 * store may send a machine to an installer.
 *
 * A new store beside a witness of another one: the data folder was lost. A store that is behind its witness: an
 * old copy was put back. A new store without a witness, and guests are in the configuration already: nothing
 * distinguishes a first start from a server that was restored from its configuration alone. It is the same when the
 * configuration comes back after that start: a profile that installs unknown machines makes the store one that counts as new.
 */
export function doubtOf(evidence: StoreEvidence): HoldReason | undefined {
  const { past, witnesses, hasGuests, acceptNew, installsUnknown = false } = evidence
  const { mark, settled, witnessed, unjudged = false } = past
  const whyUnjudged = unjudged && installsUnknown && !acceptNew ? 'new store' : undefined
  if (witnesses.length === 0) {
    if (!settled) return hasGuests && !acceptNew ? 'new store' : undefined
    // A store of a release without witnesses never had one.
    return witnessed ? 'old store' : whyUnjudged
  }
  const agrees = (said: WitnessSays): boolean =>
    said !== 'damaged' && said.id === mark.id && said.changes <= mark.changes
  if (witnesses.every(agrees)) return whyUnjudged
  return settled ? 'old store' : 'new store'
}

/** What an operator must know of a store in doubt: one line for the start of the server and for commands. */
export function heldText({
  reason,
  held,
}: {
  readonly reason: HoldReason
  readonly held: readonly string[]
}): string {
  const why = whyHeld({ hold: reason })
  const [first] = held
  if (first === undefined)
    return `${why}: guests that are defined from now on are held until "treeboot install --held"`
  const who =
    held.length === 1
      ? `${first} is held and boots from disk`
      : `${first} and ${held.length - 1} more are held and boot from disk`
  return `${who}: ${why}; ${howToInstall}`
}

const howToInstall =
  '"treeboot install --held" installs the guests that are held, "treeboot install NAME" one of them'

/** The same before the start that would hold them. */
export function willBeHeldText({
  reason,
  held,
}: {
  readonly reason: HoldReason
  readonly held: readonly [string, ...string[]]
}): string {
  const [first] = held
  const who = held.length === 1 ? first : `${first} and ${held.length - 1} more`
  return `the next start of the server holds ${who}, and they boot from disk: ${whyHeld({ hold: reason })}; ${howToInstall}`
}
