import { z } from 'zod'
import { whyNotAllowed } from '../../core/access/access.ts'
import { Failure } from '../../core/failure.ts'
import { cleanPath } from '../../files/path.ts'
import type { VersionView } from '../../versions/version-store.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext } from '../context.ts'
import { dryRun } from '../definition-resource.ts'
import { segments } from '../input.ts'
import { listQuery, pageOf, wholeList } from '../lists.ts'
import { neededByMachines, neededVersions, type PublishedTree, publishedTree } from '../published-trees.ts'
import { type Call, json, needs, route } from '../route.ts'
import {
  treeFilePage,
  treeRemoval,
  treeUserPage,
  treeVersionPage,
  treeVersion as versionSchema,
} from '../schemas/trees.ts'
import { filesOfTree } from '../tree-files.ts'
import { removeTree } from '../tree-removal.ts'
import { usersOfTree } from '../tree-users.ts'
import { treeVersionView } from '../tree-version-view.ts'

const one = '/api/v1/trees/*id'
const params = z.object({ id: segments })
const numberText = 'the number of a version'
const number = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, numberText)
  .transform(Number)
  .meta({ type: 'integer', description: numberText })
const versionParams = z.object({ id: segments, version: number })
/** Without a scope: a token that is narrowed to uploads adds trees, and takes none away. */
const writes = needs('operator')
const admin = needs('admin', 'admin')

const removeQuery = z.object({
  ...dryRun,
  'replace-by': z
    .string()
    .min(1, 'the id of a tree')
    .optional()
    .meta({ description: 'the id of another tree' }),
  versions: z
    .literal('all', 'all')
    .optional()
    .meta({ description: '`all`: delete all its versions, which nothing brings back' }),
})
type RemoveQuery = z.output<typeof removeQuery>

/** Versions of published trees, who uses a tree, and its removal. They come before `/trees/*id`, which takes any path. */
export const treeVersionRoutes = [
  route({
    method: 'GET',
    path: `${one}/versions`,
    operation: 'listTreeVersions',
    summary: 'the versions of a published tree, newest first',
    access: needs('viewer'),
    params,
    answers: { 200: json(treeVersionPage) },
    async handle(call, context) {
      const tree = await publishedTree(context, call.params.id)
      return { json: wholeList((await viewsOf(tree, context)).toReversed()) }
    },
  }),
  route({
    method: 'GET',
    path: `${one}/versions/:version`,
    operation: 'getTreeVersion',
    summary: 'one version of a published tree',
    access: needs('viewer'),
    params: versionParams,
    answers: { 200: json(versionSchema) },
    async handle(call, context) {
      const tree = await publishedTree(context, call.params.id)
      versionIn(tree, call.params.version)
      return { json: await viewOf(tree, call.params.version, context) }
    },
  }),
  route({
    method: 'POST',
    path: `${one}/rollback`,
    operation: 'rollBackTree',
    summary: 'switches a tree back to an earlier version, at once',
    description:
      'Without `version` to the one before. A tree that was removed is offered again. Machines that are being installed stay with the version that they began with.',
    access: writes,
    failures: ['conflict'],
    params,
    body: z
      .object({ version: z.int(numberText).min(1, numberText).max(999_999_999, numberText).optional() })
      .default({})
      .meta({ id: 'Rollback' }),
    answers: { 200: json(versionSchema) },
    async handle(call, context) {
      const { store, id, versions } = await publishedTree(context, call.params.id)
      const actor = actorOf(call)
      const before = versions.find(({ current }) => current)?.version ?? null
      const { version } = await store.rollback(id, call.body.version, actor.account)
      await context.accounts.audit.write(actor, {
        action: 'trees.rollback',
        target: id,
        before,
        after: version,
      })
      await context.catalog.lookNow([id])
      return { json: await viewOf(await publishedTree(context, id), version, context) }
    },
  }),
  route({
    method: 'DELETE',
    path: `${one}/versions/:version`,
    operation: 'deleteTreeVersion',
    summary: 'deletes an earlier version of a tree',
    description:
      'Not the current one, and none that a machine may still be installing from. The last one, and the one that was offered last, need the role admin.',
    access: writes,
    failures: ['conflict'],
    params: versionParams,
    answers: { 204: {} },
    readsGuests: true,
    async handle(call, context) {
      const tree = await publishedTree(context, call.params.id)
      await removeVersion(tree, versionIn(tree, call.params.version), { call, context })
      return { status: 204 }
    },
  }),
  route({
    method: 'GET',
    path: `${one}/users`,
    operation: 'listTreeUsers',
    summary: 'the guests, profiles and mirrors that a tree is there for',
    access: needs('viewer', 'guests:read'),
    readsGuests: true,
    params,
    query: listQuery(['name', 'kind'], {}),
    answers: { 200: json(treeUserPage) },
    async handle(call, context) {
      const { id } = await publishedTree(context, call.params.id)
      const { snapshot, machines } = context
      const all = usersOfTree(snapshot(), machines, id)
      const page = pageOf(all, call.query, {
        idOf: ({ kind, name, how }) => `${name} ${kind} ${how}`,
        keys: { kind: ({ kind }) => kind },
      })
      return { json: page }
    },
  }),
  route({
    method: 'GET',
    path: `${one}/files`,
    operation: 'listTreeFiles',
    summary: 'the files in a folder of a tree, with the digests that are known',
    access: needs('viewer'),
    params,
    query: listQuery(['path', 'bytes'], {
      folder: z
        .string()
        .default('')
        .meta({ description: 'a folder of the tree; the tree itself when left out' }),
      boot: z
        .literal('only', 'only')
        .optional()
        .meta({ description: '`only`: all images that boot, wherever they lie in the tree' }),
    }),
    answers: { 200: json(treeFilePage) },
    async handle(call, context) {
      const { id } = call.params
      const tree = context.snapshot().trees.byId(id)
      if (!tree) throw new Failure('not-found', `no tree ${id}; /api/v1/trees lists them`)
      const { folder, boot } = call.query
      const files = await filesOfTree(context.source, tree, {
        folder: cleanPath(folder),
        bootOnly: boot !== undefined,
        who: call.who,
      })
      return {
        json: pageOf(files, call.query, { idOf: ({ path }) => path, keys: { bytes: ({ bytes }) => bytes } }),
      }
    },
  }),
  route({
    method: 'DELETE',
    path: one,
    operation: 'deleteTree',
    summary: 'takes a tree away from clients; its versions stay, and a rollback offers it again',
    description:
      'Refused while a guest, profile or mirror uses it. With `replace-by`, all that name it by its id name that tree then. With `versions=all` its files are deleted, too, which needs the role admin.',
    access: writes,
    failures: ['conflict', 'invalid-data', 'read-only'],
    params,
    readsGuests: true,
    query: removeQuery,
    answers: { 200: json(treeRemoval) },
    handle: (call, context) => removeWholeTree({ call, context }, call.params.id, call.query),
  }),
] as const

interface Request {
  readonly call: Pick<Call, 'caller' | 'from'>
  readonly context: ApiContext
}

async function removeWholeTree({ call, context }: Request, name: string, query: RemoveQuery) {
  const { snapshot, machines, definitions, accounts, catalog } = context
  const tree = await publishedTree(context, name)
  const isAll = query.versions === 'all'
  const refusal = isAll && call.caller ? whyNotAllowed(call.caller, admin) : undefined
  if (refusal !== undefined)
    throw new Failure('forbidden', `this removes the last version of ${tree.id}: ${refusal}`)
  const actor = actorOf(call)
  const wanted = { replaceBy: query['replace-by'], all: isAll, dryRun: query['dry-run'] }
  const removal = await removeTree(tree, wanted, {
    snapshot,
    machines,
    definitions,
    needed: async () => neededByMachines(context, tree),
    async onReplaced(by, changes) {
      const after = { by, in: changes.map(({ where }) => where) }
      await accounts.audit.write(actor, { action: 'trees.replace', target: tree.id, after })
      await catalog.readConfig()
    },
  })
  if (!removal.removed) return { json: removal }
  const deleted = removal.deleted.map(({ version }) => version)
  const done = isAll
    ? { action: 'trees.delete', before: deleted }
    : { action: 'trees.remove', before: removal.version }
  await accounts.audit.write(actor, { ...done, target: tree.id })
  await catalog.lookNow([tree.id])
  return { json: removal }
}

/** @throws Failure `conflict` when a machine may need it, `forbidden` when it is the last one, for all but an admin. */
async function removeVersion(
  tree: PublishedTree,
  { version, current }: VersionView,
  { call, context }: Request,
): Promise<void> {
  const { store, id, versions } = tree
  const what = `version ${version} of ${id}`
  if (current)
    throw new Failure('conflict', `${what} is the current one; roll back first, or remove the tree`)
  const needed = await store.neededVersion(id)
  const isLast = versions.length === 1 || needed?.version === version
  const why = (await neededVersions(context, tree)).get(version)
  if (why !== undefined && why !== needed?.why) throw new Failure('conflict', `${what} stays: ${why}`)
  const refusal = isLast && call.caller ? whyNotAllowed(call.caller, admin) : undefined
  if (refusal !== undefined) throw new Failure('forbidden', `${what} is the last one of its tree: ${refusal}`)
  await store.remove(id, version, { evenLast: isLast })
  await context.accounts.audit.write(actorOf(call), {
    action: 'trees.removeVersion',
    target: id,
    before: version,
  })
  await context.catalog.lookNow([id])
}

function versionIn({ id, versions }: PublishedTree, version: number): VersionView {
  const found = versions.find((each) => each.version === version)
  if (found) return found
  const numbers = versions.map((each) => each.version).join(', ') || 'none'
  throw new Failure('not-found', `${id} has no version ${version}; it has ${numbers}`)
}

async function viewOf(tree: PublishedTree, version: number, context: ApiContext) {
  const found = (await viewsOf(tree, context)).find((each) => each.version === version)
  // It was there a moment ago.
  if (!found) throw new Failure('not-found', `${tree.id} has no version ${version}`)
  return found
}

async function viewsOf(tree: PublishedTree, context: ApiContext) {
  const needed = await neededVersions(context, tree)
  return tree.versions.map((each) => ({
    ...treeVersionView(each),
    needed: needed.get(each.version) ?? null,
  }))
}
