import { z } from 'zod'
import { definitionKinds } from '../../config/definition-files.ts'
import {
  type DefinitionResource,
  dryRun,
  etagHeader,
  expectedState,
  inForce,
  locationOf,
  pathsOf,
} from '../definition-resource.ts'
import { movedView, triedView } from '../definition-views.ts'
import { json, route } from '../route.ts'
import { moved, renamed } from '../schemas/definitions.ts'

const newPlace = { ...etagHeader, Location: 'the path of the definition from now on' }

export function renameRoute<Word extends string>({
  kind,
  word,
  writes,
  beforeRename,
}: Pick<DefinitionResource<Word>, 'kind' | 'word' | 'writes' | 'beforeRename'>) {
  const { one, params } = pathsOf(kind)
  return route({
    method: 'POST',
    path: `${one}/rename`,
    operation: `rename${word}`,
    summary: `gives a ${kind} another name, with all that name it`,
    access: writes,
    changes: true,
    makes: true,
    failures: ['conflict', 'invalid-data', 'read-only'],
    params,
    query: z.object(dryRun),
    body: z.object({ to: z.string('a name') }).meta({ id: 'Rename' }),
    answers: { 200: json(renamed, newPlace) },
    async handle(call, context) {
      const { name } = call.params
      const { to } = call.body
      const { expected } = await expectedState({ kind, name, call }, context.definitions)
      let note: string | undefined
      const before = async (): Promise<void> => {
        note = await beforeRename?.(name, to, context)
      }
      const options = { expected, dryRun: call.query['dry-run'], before }
      const changed = await context.definitions.rename(kind, name, to, options)
      if (options.dryRun) return { json: { ...triedView(to, changed), note: null } }
      const also = changed.others.map(({ where }) => where)
      const deed = { action: 'rename', before: { name }, after: { name: to, also } }
      const reply = await inForce({ kind, name, call }, changed, context, deed)
      return {
        json: { ...triedView(to, changed), changed: true, note: note ?? null },
        headers: { ...reply.headers, Location: locationOf(kind, to) },
      }
    },
  })
}

export function moveRoute<Word extends string>({
  kind,
  word,
  writes,
}: Pick<DefinitionResource<Word>, 'kind' | 'word' | 'writes'>) {
  const { one, params } = pathsOf(kind)
  return route({
    method: 'POST',
    path: `${one}/move`,
    operation: `move${word}`,
    summary: `writes the file of a ${kind} that stands in config.yaml, in ${definitionKinds[kind].folder}`,
    description:
      'config.yaml itself is never written: `delete` names the lines that a person deletes there. Until then they count, and the file does not.',
    access: writes,
    makes: true,
    failures: ['conflict', 'invalid-data', 'read-only', 'unsupported'],
    params,
    query: z.object(dryRun),
    answers: { 200: json(moved), 201: json(moved, newPlace) },
    async handle(call, context) {
      const { name } = call.params
      const isDryRun = call.query['dry-run']
      const made = await context.definitions.move(kind, name, { dryRun: isDryRun })
      const json = movedView(name, made, isDryRun)
      if (isDryRun) return { json }
      const { headers } = await inForce({ kind, name, call }, made, context)
      return { status: 201, json, headers: { ...headers, Location: locationOf(kind, name) } }
    },
  })
}
