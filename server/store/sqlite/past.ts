import { defined } from '../../core/defined.ts'
import type { StorePast } from '../../core/guest/doubt.ts'
import { isHoldReason } from '../../core/guest/state.ts'

/** Reads what a store says of its past from the rows of the table `meta`. */
export function pastOfMeta(rows: readonly { readonly key: string; readonly value: string }[]): StorePast {
  const meta = new Map(rows.map(({ key, value }) => [key, value]))
  const doubt = meta.get('doubt')
  return {
    mark: { id: meta.get('store-id') ?? '', changes: Number(meta.get('changes')) },
    settled: meta.has('settled'),
    witnessed: meta.has('witnessed'),
    ...(meta.get('unjudged') === '1' && { unjudged: true }),
    ...defined({ doubt: isHoldReason(doubt) ? doubt : undefined }),
  }
}
