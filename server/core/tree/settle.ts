import type { Digest, TreeState } from './tree.ts'

/**
 * What is known of a tree at one moment, to judge whether it is complete. All times are milliseconds of the
 * same clock.
 */
export interface SettleFacts {
  readonly nowMs: number
  /** When something below the tree was last seen to change. */
  readonly lastChangeMs: number
  /** The file or folder that changed last, relative to the tree, for people. */
  readonly moving?: string
  /** The file that names the images: `.treeinfo`. */
  readonly namedBy?: string
  /** Required boot files that are missing or empty: `cp` and `scp` first create a file of length 0. */
  readonly missing: readonly string[]
  /** Boot files that are there, and that this process may not open. */
  readonly unreadable: readonly string[]
  /** What is wrong with a kernel that is for another architecture than the tree, `path message`. */
  readonly foreign?: readonly string[]
  /** Files whose digest is in the descriptor and was not checked yet. */
  readonly unverified: readonly string[]
  readonly damaged: readonly DamagedFile[]
  /** Set when the tree is read from an image that has fewer bytes than its own header states. */
  readonly cutShort?: { readonly image: string; readonly missingBytes: number }
  /** Set when nothing can be read from the image of the tree. `why` also says what to do. */
  readonly unreadableImage?: { readonly image: string; readonly why: string }
}

/** A file that does not have the digest that the descriptor names (`found` is lower-case hex), or cannot be read. */
export type DamagedFile =
  | { readonly path: string; readonly expected: Digest; readonly found: string }
  | { readonly path: string; readonly error: string }

/** How long `judgeTree` waits before it is sure. */
export interface SettleTimes {
  /** A copy is over when nothing changed for this long. */
  readonly quietMs: number
  /** How long a quiet tree may lack a boot file before it counts as broken: copies pause, disks spin up. */
  readonly missingGraceMs: number
}

export const settleTimes: SettleTimes = { quietMs: 1000, missingGraceMs: 30_000 }

/** The state that `judgeTree` gives a tree, and why. */
export interface TreeVerdict {
  readonly state: TreeState
  readonly reasons: readonly string[]
  /** What an operator can do about a broken tree, where the reasons do not say it. */
  readonly remedy?: string
  /** After this time the verdict may change, even if no file does. */
  readonly lookAgainInMs?: number
}

const copyAgain = 'copy that file again'
/** A kernel's header does not err; a name or a descriptor that was copied along may. */
const rightArch =
  'put the kernel of this tree there, or correct what says its architecture: the descriptor or the name'

/**
 * The state of a tree, from facts alone. A tree is `incoming` while anything below it changes, and for a
 * while when a boot file is still missing; then its digests decide. Reasons hold no times, so that the same
 * situation gives the same words and is reported once.
 */
export function judgeTree(facts: SettleFacts, times: SettleTimes): TreeVerdict {
  const quietFor = facts.nowMs - facts.lastChangeMs
  if (quietFor < times.quietMs) {
    const what = facts.moving === undefined ? '' : `: ${facts.moving} changed`
    return {
      state: 'incoming',
      reasons: [`a copy seems to be under way${what}`],
      lookAgainInMs: times.quietMs - quietFor,
    }
  }
  const badImage = whyBadImage(facts)
  if (badImage)
    return quietFor < times.missingGraceMs
      ? {
          state: 'incoming',
          reasons: [`waiting for the rest of ${badImage.image}`],
          lookAgainInMs: times.missingGraceMs - quietFor,
        }
      : { state: 'broken', reasons: [badImage.why] }
  if (facts.missing.length > 0) {
    if (quietFor < times.missingGraceMs)
      return {
        state: 'incoming',
        reasons: [`waiting for ${facts.missing.join(', ')}${namedBy(facts)}`],
        lookAgainInMs: times.missingGraceMs - quietFor,
      }
    return {
      state: 'broken',
      reasons: facts.missing.map((path) => `${path} is missing or empty${namedBy(facts)}`),
      remedy: copyAgain,
    }
  }
  if (facts.unreadable.length > 0)
    return {
      state: 'broken',
      reasons: facts.unreadable.map(
        (path) => `${path} cannot be read by this user: change its mode or owner`,
      ),
    }
  if (facts.foreign !== undefined && facts.foreign.length > 0)
    return { state: 'broken', reasons: facts.foreign, remedy: rightArch }
  if (facts.damaged.length > 0)
    return { state: 'broken', reasons: facts.damaged.map(damageReason), remedy: copyAgain }
  if (facts.unverified.length > 0)
    return { state: 'verifying', reasons: [`checking the digest of ${facts.unverified.join(', ')}`] }
  return { state: 'ready', reasons: [] }
}

/** An image that is being copied has neither its end nor, in the first moment, a byte. */
function whyBadImage({ cutShort, unreadableImage }: SettleFacts): SettleFacts['unreadableImage'] {
  if (!cutShort) return unreadableImage
  const { image, missingBytes } = cutShort
  return { image, why: `${image} lacks its last ${missingBytes} bytes: copy it again` }
}

function namedBy(facts: SettleFacts): string {
  return facts.namedBy === undefined ? '' : ` (named by ${facts.namedBy})`
}

function damageReason(file: DamagedFile): string {
  if ('error' in file) return `${file.path} cannot be read: ${file.error}`
  const { path, expected, found } = file
  return `${path} is damaged: ${expected.algorithm} expected ${expected.hex}, found ${found}`
}
