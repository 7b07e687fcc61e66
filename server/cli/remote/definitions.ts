import type { ChangeBody, DefinitionBody, MovedBody, RenamedBody } from '../../api/types.ts'
import type { DefinitionKind } from '../../config/definition-files.ts'
import type { YamlMapping } from '../../config/yaml.ts'
import { Failure } from '../../core/failure.ts'
import type { Happened, ShownChange } from '../definition-change.ts'
import type { ApiClient } from './client.ts'

/** Definitions that a server reads and writes. */

interface Named {
  readonly params: { readonly name: string }
}
interface Changing extends Named {
  readonly ifMatch: string
  readonly query: { readonly 'dry-run'?: string }
}

interface Removing extends Omit<Changing, 'query'> {
  readonly query: Changing['query'] & { readonly 'replace-by'?: string }
}

/** The operations of one kind. */
interface KindOperations {
  readonly read: (server: ApiClient, input: Named) => Promise<DefinitionBody>
  readonly make: (
    server: ApiClient,
    input: Pick<Changing, 'query'> & {
      readonly body: { readonly name: string; readonly definition: YamlMapping }
    },
  ) => Promise<ChangeBody>
  readonly put: (server: ApiClient, input: Changing & { readonly body: YamlMapping }) => Promise<ChangeBody>
  readonly remove: (server: ApiClient, input: Removing) => Promise<ChangeBody>
  /** Absent for a kind whose names cannot change. */
  readonly rename?: (
    server: ApiClient,
    input: Changing & { readonly body: { readonly to: string } },
  ) => Promise<RenamedBody>
  readonly move: (server: ApiClient, input: Omit<Changing, 'ifMatch'>) => Promise<MovedBody>
}

const operations: Readonly<Record<DefinitionKind, KindOperations>> = {
  guest: {
    read: (server, input) => server.call('getGuestDefinition', input),
    make: (server, { body, query }) =>
      server.call('createGuest', { body: { ...body, firstBoot: 'local' }, query }),
    put: (server, input) => server.call('putGuestDefinition', input),
    remove: (server, { query, ...input }) =>
      server.call('deleteGuest', { ...input, query: dryRunQuery(query['dry-run'] !== undefined) }),
    rename: (server, input) => server.call('renameGuest', input),
    move: (server, input) => server.call('moveGuest', input),
  },
  profile: {
    read: (server, input) => server.call('getProfileDefinition', input),
    make: (server, input) => server.call('createProfile', input),
    put: (server, input) => server.call('putProfileDefinition', input),
    remove: (server, input) => server.call('deleteProfile', input),
    rename: (server, input) => server.call('renameProfile', input),
    move: (server, input) => server.call('moveProfile', input),
  },
  mirror: {
    read: (server, input) => server.call('getMirrorDefinition', input),
    make: (server, input) => server.call('createMirror', input),
    put: (server, input) => server.call('putMirrorDefinition', input),
    remove: (server, { query, ...input }) =>
      server.call('deleteMirror', { ...input, query: dryRunQuery(query['dry-run'] !== undefined) }),
    move: (server, input) => server.call('moveMirror', input),
  },
}

interface Which {
  readonly kind: DefinitionKind
  readonly name: string
  readonly dryRun?: boolean | undefined
}

export async function makeAt(
  server: ApiClient,
  { kind, name, dryRun }: Which,
  definition: YamlMapping,
): Promise<ShownChange> {
  const made = await operations[kind].make(server, { body: { name, definition }, query: dryRunQuery(dryRun) })
  return shownAt(made, 'made')
}

/**
 * Changes what is there now. Its secrets come as stars, which the server takes for the secrets that it has.
 *
 * @throws Failure `conflict` when somebody else was quicker.
 */
export async function changeAt(
  server: ApiClient,
  { kind, name, dryRun }: Which,
  wanted: (present: YamlMapping) => YamlMapping,
): Promise<ShownChange> {
  const params = { name }
  const { data, where, ...present } = await operations[kind].read(server, { params })
  const ifMatch = tagOf(present)
  if (data === null) throw new Failure('invalid-data', `${where} cannot be read; correct it by hand`)
  const body = wanted(data as YamlMapping)
  const changed = await operations[kind].put(server, { params, ifMatch, body, query: dryRunQuery(dryRun) })
  return shownAt(changed, changed.changed ? 'changed' : 'it was so already')
}

/** @param replaceBy The one that takes its place in all that name it. */
export async function removeAt(
  server: ApiClient,
  { kind, name, dryRun }: Which,
  replaceBy?: string,
): Promise<ShownChange> {
  const params = { name }
  const ifMatch = tagOf(await operations[kind].read(server, { params }))
  const query = { ...dryRunQuery(dryRun), ...(replaceBy !== undefined && { 'replace-by': replaceBy }) }
  const removed = await operations[kind].remove(server, { params, ifMatch, query })
  return { ...shownAt(removed, 'removed'), ...othersAt(removed, () => 'changed') }
}

/** @throws Failure `unsupported` for a kind whose names cannot change. */
export async function renameAt(
  server: ApiClient,
  { kind, name, dryRun }: Which,
  to: string,
): Promise<ShownChange & { readonly isHeld: boolean }> {
  const params = { name }
  const { rename, read } = operations[kind]
  if (!rename) throw new Failure('unsupported', `the name of a ${kind} cannot change`)
  const present = await read(server, { params })
  const ifMatch = tagOf(present)
  const renamed = await rename(server, { params, ifMatch, body: { to }, query: dryRunQuery(dryRun) })
  const others = othersAt(renamed, (where) => (where === present.where ? 'removed' : 'changed'))
  return { ...shownAt(renamed, 'made'), ...others, isHeld: renamed.note !== null }
}

/** Writes the file of what stands in config.yaml. `toDelete`: what a person is to delete there. */
export async function moveAt(
  server: ApiClient,
  { kind, name, dryRun }: Which,
): Promise<{ readonly made: ShownChange; readonly toDelete: MovedBody['delete'] }> {
  const moved = await operations[kind].move(server, { params: { name }, query: dryRunQuery(dryRun) })
  return { made: shownAt(moved, 'made'), toDelete: moved.delete }
}

/** The other files of a change, in the order in which they are changed. */
function othersAt(
  { others }: Pick<ChangeBody, 'others'>,
  happenedTo: (where: string) => Happened,
): Pick<ShownChange, 'others'> {
  return { others: others.map((other) => ({ ...other, happened: happenedTo(other.where) })) }
}

/** @throws Failure `forbidden` for what may not be changed. */
function tagOf({ etag, readOnly }: Pick<DefinitionBody, 'etag' | 'readOnly'>): string {
  if (readOnly !== null) throw new Failure('forbidden', readOnly)
  return etag ?? '*'
}

export function shownAt(
  { where, etag, changed, difference }: Omit<ChangeBody, 'others'>,
  happened: Happened,
): ShownChange {
  return { where, etag, changed, difference, happened }
}

export function dryRunQuery(dryRun: boolean | undefined): { readonly 'dry-run'?: string } {
  return dryRun ? { 'dry-run': '1' } : {}
}
