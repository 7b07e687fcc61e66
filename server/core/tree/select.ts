import type { TreeSelector } from '../guest/guest.ts'
import type { Tree } from './tree.ts'

export type Selection =
  | {
      readonly found: true
      readonly tree: Tree
      /** What else matched, best first: older versions, other variants. */
      readonly others: readonly Tree[]
    }
  | {
      readonly found: false
      /** One line for the operator: what was asked, why nothing fits ("fedora 41 x86_64 is still incoming"). */
      readonly why: string
      /** The closest ready trees, best first, at most five. */
      readonly nearest: readonly Tree[]
    }

/** All trees of a snapshot, arranged for looking up. */
export interface TreeIndex {
  /** Sorted by id, in every state. */
  readonly all: readonly Tree[]
  byId(id: string): Tree | undefined
  /** The ready tree that fits best: the newest version wins, then the better variant, then the newest files. */
  select(selector: TreeSelector): Selection
}
