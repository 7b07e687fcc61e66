import { z } from 'zod'
import { Failure } from '../../core/failure.ts'
import { segments } from '../input.ts'
import type { ApiContext, Reply } from '../route.ts'
import type { TreeDetail, TreeSummary } from '../types.ts'
import { treeDetail, treeSummary } from '../views.ts'

/** The id of a tree has slashes: it is the path of the tree below `trees/`. */
export const treeParams = z.object({ id: segments })

export function list(_: unknown, { snapshot }: ApiContext): Reply {
  const json: readonly TreeSummary[] = snapshot().trees.all.map(treeSummary)
  return { json }
}

export function show({ params }: { params: z.output<typeof treeParams> }, { snapshot }: ApiContext): Reply {
  const tree = snapshot().trees.byId(params.id)
  if (!tree) throw new Failure('not-found', `no tree ${params.id}; /api/v1/trees lists them`)
  const json: TreeDetail = treeDetail(tree)
  return { json }
}
