import type { ChangeBody, DefinitionBody } from '../../api/types.ts'
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
  readonly remove: (server: ApiClient, input: Changing) => Promise<ChangeBody>
}

const operations: Readonly<Record<DefinitionKind, KindOperations>> = {
  guest: {
    read: (server, input) => server.call('getGuestDefinition', input),
    make: (server, { body, query }) =>
      server.call('createGuest', { body: { ...body, firstBoot: 'local' }, query }),
    put: (server, input) => server.call('putGuestDefinition', input),
    remove: (server, input) => server.call('deleteGuest', input),
  },
  profile: {
    read: (server, input) => server.call('getProfileDefinition', input),
    make: (server, input) => server.call('createProfile', input),
    put: (server, input) => server.call('putProfileDefinition', input),
    remove: (server, input) => server.call('deleteProfile', input),
  },
  mirror: {
    read: (server, input) => server.call('getMirrorDefinition', input),
    make: (server, input) => server.call('createMirror', input),
    put: (server, input) => server.call('putMirrorDefinition', input),
    remove: (server, input) => server.call('deleteMirror', input),
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

export async function removeAt(server: ApiClient, { kind, name, dryRun }: Which): Promise<ShownChange> {
  const params = { name }
  const ifMatch = tagOf(await operations[kind].read(server, { params }))
  const query = dryRunQuery(dryRun)
  return shownAt(await operations[kind].remove(server, { params, ifMatch, query }), 'removed')
}

/** @throws Failure `forbidden` for what may not be changed. */
function tagOf({ etag, readOnly }: Pick<DefinitionBody, 'etag' | 'readOnly'>): string {
  if (readOnly !== null) throw new Failure('forbidden', readOnly)
  return etag ?? '*'
}

export function shownAt({ where, etag, changed, difference }: ChangeBody, happened: Happened): ShownChange {
  return { where, etag, changed, difference, happened }
}

export function dryRunQuery(dryRun: boolean | undefined): { readonly 'dry-run'?: string } {
  return dryRun ? { 'dry-run': '1' } : {}
}
