import type { ProblemView, TemplateChangeBody } from '../api/types.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { shownTemplateDifference } from '../definitions/shown-difference.ts'
import { TemplateDefinitions, type TemplateSetChange } from '../definitions/template-definitions.ts'
import { requireConfigHere } from './config-here.ts'
import { type Happened, noteTo, type ShownChange, shownOf } from './definition-change.ts'
import { type CommonOptions, readSnapshot, withoutVerify } from './options.ts'
import type { CliIo } from './output/io.ts'
import { sortedBy } from './output/table.ts'
import type { ApiClient } from './remote/client.ts'
import { serverOf } from './remote/connect.ts'
import { shownAt } from './remote/definitions.ts'
import { templateCheck } from './template-check.ts'

/** A template in a list. */
export interface ListedTemplate {
  readonly name: string
  readonly guests: number
  readonly file: string
  readonly etag: string | null
  readonly readOnly: string | null
}

export interface ShownTemplate {
  readonly name: string
  readonly file: string
  readonly etag: string | null
  /** Null for what is no UTF-8 text. */
  readonly text: string | null
}

/** A change of templates, with the problems in spite of which it was made. */
export type ShownTemplateChange = ShownChange & { readonly problems: readonly ProblemView[] }

interface Change {
  readonly dryRun?: boolean
  /** Why it is made in spite of a problem that it adds. */
  readonly reason?: string
}

/** The templates of this machine, or of a server. A change is made of what is there at that moment. */
export interface Templates {
  list(): Promise<readonly ListedTemplate[]>
  read(name: string): Promise<ShownTemplate>
  save(name: string, text: string, change: Change): Promise<ShownTemplateChange>
  remove(name: string, change: Change & { readonly replaceBy?: string }): Promise<ShownTemplateChange>
  rename(name: string, newName: string, change: Pick<Change, 'dryRun'>): Promise<ShownTemplateChange>
}

export async function templatesOf(options: CommonOptions, io: CliIo): Promise<Templates> {
  const server = await serverOf(options, io)
  return server ? templatesAt(server) : templatesHere(options, io)
}

async function templatesHere(options: CommonOptions, io: CliIo): Promise<Templates> {
  await requireConfigHere(options, io)
  const check = templateCheck(() => readSnapshot(withoutVerify(options), io), io)
  const place = defined({ file: options.config, cwd: io.cwd })
  const templates = new TemplateDefinitions(place, { check, note: noteTo(io) })
  const etagOf = async (name: string) => (await templates.read(name)).etag
  return {
    async list() {
      const { guests } = await readSnapshot(options, io)
      const all = (await templates.list()).map(({ name, where, etag, readOnly }) => ({
        name,
        guests: guests.all.filter(({ settings }) => settings.template?.value === name).length,
        file: where,
        etag: etag ?? null,
        readOnly: readOnly ?? null,
      }))
      return sortedBy(all, ({ name }) => name)
    },
    async read(name) {
      const { text, etag, where } = await templates.read(name)
      return { name, file: where, etag: etag ?? null, text: text ?? null }
    },
    async save(name, text, change) {
      const expected = await etagOf(name).catch(ifMissing)
      return shownHere(await templates.write(name, text, { ...change, ...defined({ expected }) }), change)
    },
    async remove(name, change) {
      const expected = await etagOf(name)
      return shownHere(await templates.remove(name, { ...change, ...defined({ expected }) }), change)
    },
    async rename(name, newName, change) {
      const expected = await etagOf(name)
      const made = await templates.rename(name, newName, { ...change, ...defined({ expected }) })
      return shownHere({ ...made, problems: [] }, change)
    },
  }
}

function shownHere(
  { problems, others, ...made }: TemplateSetChange,
  { dryRun }: Pick<Change, 'dryRun'>,
): ShownTemplateChange {
  const shown = shownOf(made, shownTemplateDifference)
  return {
    ...shown,
    changed: shown.changed && dryRun !== true,
    others: others.map((other) => shownOf(other, shownTemplateDifference)),
    problems,
  }
}

function templatesAt(server: ApiClient): Templates {
  const read = (name: string) => server.exchange('getTemplate', { params: { name } })
  const tagOf = async (name: string) => (await read(name)).headers.get('etag') ?? '*'
  const query = ({ dryRun, reason }: Change) => ({
    ...(dryRun && { 'dry-run': 'true' }),
    ...defined({ reason }),
  })
  return {
    async list() {
      const all = await server.all('listTemplates', {})
      return all.map(({ name, guests, where, etag, readOnly }) => ({
        name,
        guests,
        file: where,
        etag,
        readOnly,
      }))
    },
    async read(name) {
      const found = (await server.all('listTemplates', { query: { q: name } })).find(
        (each) => each.name === name,
      )
      if (found?.bytes === null) return { name, file: found.where, etag: found.etag, text: null }
      const { answer, headers } = await read(name)
      return { name, file: found?.where ?? name, etag: headers.get('etag'), text: answer }
    },
    async save(name, text, change) {
      const params = { name }
      const tag = await tagOf(name).catch(ifMissing)
      const condition = tag === undefined ? { ifNoneMatch: '*' } : { ifMatch: tag }
      const made = await server.call('putTemplate', {
        params,
        body: text,
        query: query(change),
        ...condition,
      })
      return shownThere(made, tag === undefined ? 'made' : 'changed')
    },
    async remove(name, { replaceBy, ...change }) {
      const asked = { ...query(change), ...(replaceBy !== undefined && { 'replace-by': replaceBy }) }
      const removal = { params: { name }, query: asked, ifMatch: await tagOf(name) }
      return shownThere(await server.call('deleteTemplate', removal), 'removed')
    },
    async rename(name, newName, change) {
      const wanted = {
        params: { name },
        body: { to: newName },
        query: query(change),
        ifMatch: await tagOf(name),
      }
      const made = await server.call('renameTemplate', wanted)
      return shownThere(made, 'made', name)
    },
  }
}

/** @param goes The name of the template that goes when another one is made of it. */
function shownThere(
  { problems, others, ...made }: TemplateChangeBody,
  happened: Happened,
  goes?: string,
): ShownTemplateChange {
  const isSame = happened === 'changed' && made.difference === ''
  const shown = others.map((other) => ({
    ...other,
    happened:
      goes !== undefined && other.where.endsWith(`/${goes}`) ? ('removed' as const) : ('changed' as const),
  }))
  return { ...shownAt(made, isSame ? 'it was so already' : happened), others: shown, problems }
}

function ifMissing(error: unknown): undefined {
  if (error instanceof Failure && error.kind === 'not-found') return undefined
  throw error
}
