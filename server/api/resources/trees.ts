import { z } from 'zod'
import { Failure } from '../../core/failure.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { segments } from '../input.ts'
import { listQuery, pageOf } from '../lists.ts'
import { json, needs, route } from '../route.ts'
import { treePage, treeDetail as treeSchema } from '../schemas/trees.ts'
import { shownState, treeDetail, treeSummary } from '../views.ts'

const trees = '/api/v1/trees'

/** The id of a tree has slashes: it is the path of the tree below `trees/`. */
const treeParams = z.object({ id: segments })

const filters = {
  state: z.enum(['incoming', 'verifying', 'ready', 'broken'], 'a state of trees').optional(),
  distro: z.string().optional().meta({ description: 'the id of a distribution: fedora' }),
  arch: z.string().optional(),
  q: z.string().optional().meta({ description: 'a part of the id, family or version' }),
}

function isWanted(query: { readonly [Key in keyof typeof filters]?: string | undefined }) {
  const { state, distro, arch, q } = query
  return (tree: Tree): boolean =>
    (state === undefined || shownState(tree) === state) &&
    (distro === undefined || tree.distro === distro) &&
    (arch === undefined || tree.arch === arch) &&
    (q === undefined || `${tree.id} ${tree.family} ${tree.version}`.toLowerCase().includes(q.toLowerCase()))
}

export const treeRoutes = [
  route({
    method: 'GET',
    path: trees,
    operation: 'listTrees',
    summary: 'the installation trees and their states',
    access: needs('viewer'),
    query: listQuery(['id', 'state', 'distro', 'modified'], filters),
    answers: { 200: json(treePage) },
    handle({ query }, { snapshot }) {
      const { items, ...page } = pageOf(snapshot().trees.all, query, {
        idOf: ({ id }) => id,
        keys: { state: shownState, distro: ({ distro }) => distro, modified: ({ modifiedMs }) => modifiedMs },
        isWanted: isWanted(query),
      })
      return { json: { items: items.map(treeSummary), ...page } }
    },
  }),
  route({
    method: 'GET',
    path: `${trees}/*id`,
    operation: 'getTree',
    summary: 'everything that is known about one tree',
    access: needs('viewer'),
    params: treeParams,
    answers: { 200: json(treeSchema) },
    handle({ params }, { snapshot }) {
      const tree = snapshot().trees.byId(params.id)
      if (!tree) throw new Failure('not-found', `no tree ${params.id}; ${trees} lists them`)
      return { json: treeDetail(tree) }
    },
  }),
] as const
