import { z } from 'zod'
import { whyNotAllowed } from '../../core/access/access.ts'
import { Failure } from '../../core/failure.ts'
import type { DefinitionChange } from '../../definitions/definitions.ts'
import { InUse } from '../../definitions/in-use.ts'
import { cleanPath } from '../../files/path.ts'
import type { VersionView } from '../../versions/version-store.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext } from '../context.ts'
import { segments } from '../input.ts'
import { listQuery, pageOf, wholeList } from '../lists.ts'
import { neededVersions, type PublishedTree, publishedTree } from '../published-trees.ts'
import { type Call, json, needs, route } from '../route.ts'
import {
  treeFilePage,
  treeUserPage,
  treeVersionPage,
  treeVersion as versionSchema,
} from '../schemas/trees.ts'
import { filesOfTree } from '../tree-files.ts'
import { userDetails, usersLeft, usersOfTree } from '../tree-users.ts'
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
      'Refused while a guest, profile or mirror uses it. With `replace-by`, all that name it by its id name that tree then.',
    access: writes,
    failures: ['conflict', 'invalid-data', 'read-only'],
    params,
    readsGuests: true,
    query: z.object({
      'replace-by': z
        .string()
        .min(1, 'the id of a tree')
        .optional()
        .meta({ description: 'the id of another tree' }),
    }),
    answers: { 200: json(versionSchema) },
    handle: (call, context) => removeTree({ call, context }, call.params.id, call.query['replace-by']),
  }),
] as const

interface Request {
  readonly call: Pick<Call, 'caller' | 'from'>
  readonly context: ApiContext
}

async function removeTree(request: Request, name: string, other: string | undefined) {
  const { call, context } = request
  const { snapshot, machines, accounts, catalog } = context
  const tree = await publishedTree(context, name)
  const { store, id, versions } = tree
  if (versions.length === 0)
    throw new Failure(
      'conflict',
      `${id} was put into trees/ by a person, and treeboot keeps no version of it; remove it there`,
    )
  if (!versions.some(({ current }) => current))
    throw new Failure('conflict', `${id} is not offered; its versions are below /api/v1/trees/${id}/versions`)
  const users = usersOfTree(snapshot(), machines, id)
  if (other === undefined) refuseUsers(id, users)
  else {
    refuseUsers(id, usersLeft(snapshot(), users, { id, other: await replacementOf(context, id, other) }))
    const changes = await replaceNames(context, id, other)
    if (changes.length > 0) {
      const done = {
        action: 'trees.replace',
        target: id,
        after: { by: other, in: changes.map(({ where }) => where) },
      }
      await accounts.audit.write(actorOf(call), done)
      await catalog.readConfig()
    }
    // Somebody may have come meanwhile.
    refuseUsers(
      id,
      usersOfTree(snapshot(), machines, id).filter(({ how }) => how !== 'traits'),
    )
  }
  const { version } = await store.withdraw(id)
  await accounts.audit.write(actorOf(call), { action: 'trees.remove', target: id, before: version })
  await catalog.lookNow([id])
  return { json: await viewOf(await publishedTree(context, id), version, context) }
}

/**
 * Lets all that name the tree, or one of those that were published with it, name the other one.
 *
 * @throws Failure `conflict` with those that only a person changes.
 */
async function replaceNames(
  { snapshot, definitions }: ApiContext,
  id: string,
  other: string,
): Promise<readonly DefinitionChange[]> {
  const together = snapshot().trees.all.filter(({ release }) => release?.id === id)
  const changes: DefinitionChange[] = []
  try {
    // Nothing is written before all of them are known to be possible.
    for (const dryRun of [true, false])
      for (const name of new Set([id, ...together.map((tree) => tree.id)])) {
        const made = await definitions.replaceTree(name, other, { dryRun })
        if (!dryRun) changes.push(...made)
      }
  } catch (error) {
    if (!(error instanceof InUse) || error.details.length > 0) throw error
    const details = error.users.map(({ kind, name, where }) => ({
      field: `${kind} ${name}`,
      found: where,
      expected: `${other} in place of ${id}, which only a person can write there`,
    }))
    throw new Failure('conflict', error.message, { details })
  }
  return changes
}

/** @throws Failure `bad-request` for the tree itself, and for one that is not ready: guests would have none. */
async function replacementOf({ snapshot }: ApiContext, id: string, other: string): Promise<string> {
  const tree = snapshot().trees.byId(other)
  const why =
    (tree?.release?.id ?? other) === id
      ? 'it cannot take its own place'
      : tree?.state !== 'ready' && `it is ${tree?.state ?? 'not there'}`
  if (!why) return tree?.id ?? other
  const expected = 'the id of another tree that is ready'
  throw new Failure('bad-request', `replace-by=${other.slice(0, 60)}: ${why}; expected ${expected}`, {
    details: [{ field: 'query.replace-by', found: other.slice(0, 60), expected }],
  })
}

function refuseUsers(id: string, users: ReturnType<typeof usersOfTree>): void {
  if (users.length === 0) return
  const shown = users.slice(0, 20).map(({ kind, name }) => `${kind} ${name}`)
  const more = users.length > shown.length ? ` and ${users.length - shown.length} more` : ''
  throw new Failure('conflict', `tree ${id} is used by ${shown.join(', ')}${more}`, {
    details: userDetails(users),
  })
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
