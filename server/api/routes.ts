import { z } from 'zod'
import { below, type CleanPath, cleanPath } from '../files/path.ts'
import { accountRoutes, auditRoutes, tokenRoutes } from './resources/accounts.ts'
import { bootRoutes } from './resources/boots.ts'
import { descriptionRoutes } from './resources/description.ts'
import { eventRoutes } from './resources/events.ts'
import { guestBootRoutes } from './resources/guest-boots.ts'
import { guestFileRoutes } from './resources/guest-files.ts'
import { guestTryRoutes } from './resources/guest-tries.ts'
import { guestRoutes } from './resources/guests.ts'
import { jobRoutes } from './resources/jobs.ts'
import { loaderRoutes } from './resources/loaders.ts'
import { lookupRoutes } from './resources/lookup.ts'
import { mirrorRoutes, profileRoutes } from './resources/profiles.ts'
import { reportRoutes } from './resources/reports.ts'
import { serverRoutes } from './resources/server.ts'
import { sessionRoutes } from './resources/session.ts'
import { oidcRoutes } from './resources/session-oidc.ts'
import { templateTrialRoutes } from './resources/template-trials.ts'
import { templateRoutes } from './resources/templates.ts'
import { treeVersionRoutes } from './resources/tree-versions.ts'
import { treeRoutes } from './resources/trees.ts'
import { unknownMachineRoutes } from './resources/unknown-machines.ts'
import { uploadRoutes } from './resources/uploads.ts'
import { tusRoutes } from './resources/uploads-tus.ts'
import { webhookRoutes } from './resources/webhooks.ts'
import { json, needs, type Route, route } from './route.ts'
import { pathList } from './schemas/server.ts'

const v1 = '/api/v1'

/**
 * The route table: everything that HTTP serves except the files of the namespace. The first row that matches
 * a request handles it, so a fixed name must come before a parameter at the same place. A `GET` row handles
 * `HEAD` too, unless a `HEAD` row comes before it. Validation, access, the description of the API, the list at `/api/v1`
 * and `isAppPath` are derived from these rows.
 */
export const routes: readonly Route[] = [
  ...serverRoutes,
  ...descriptionRoutes(() => routes),
  route({
    method: 'GET',
    path: v1,
    operation: 'listPaths',
    summary: 'the paths of the API',
    access: needs('viewer'),
    answers: { 200: json(pathList) },
    handle: () => ({ json: { paths: shownRoutes() } }),
  }),
  ...lookupRoutes,
  ...jobRoutes,
  ...treeVersionRoutes,
  ...treeRoutes,
  ...guestRoutes,
  ...guestBootRoutes,
  ...guestTryRoutes,
  ...reportRoutes,
  ...profileRoutes,
  ...mirrorRoutes,
  ...templateRoutes,
  ...templateTrialRoutes,
  ...guestFileRoutes,
  ...unknownMachineRoutes,
  ...bootRoutes,
  ...eventRoutes,
  ...loaderRoutes,
  ...sessionRoutes,
  ...oidcRoutes,
  ...accountRoutes,
  ...tokenRoutes,
  ...auditRoutes,
  ...webhookRoutes,
  ...tusRoutes,
  ...uploadRoutes,
]

const apiFolder = cleanPath('/api')
const pagePaths = new Set(routes.map(({ path }) => path).filter((path) => !path.startsWith('/api/')))

/** Whether a path belongs to the route table. All other paths belong to the namespace. */
export function isAppPath(path: CleanPath): boolean {
  return pagePaths.has(path) || below(apiFolder, path) !== undefined
}

/** One line for each described route: `GET /api/v1/guests/<name>/plan?as=  (viewer)`. */
function shownRoutes(): string[] {
  return routes
    .filter(({ operation }) => operation !== undefined)
    .map((each) => `${each.method} ${shownPath(each)}${shownAccess(each)}`)
}

function shownAccess({ access }: Route): string {
  return access === 'everybody' ? '' : `  (${access.role})`
}

function shownPath({ path, params, query }: Route): string {
  const shown = path
    .replace('{', '[')
    .replace('}', ']')
    .replace(/[:*](\w+)/g, (_, name: string) => {
      const options = params && optionsOf(params.shape[name])
      return options ? `{${options.join(',')}}` : `<${name}>`
    })
  const keys = Object.keys(query?.shape ?? {})
  return keys.length === 0 ? shown : `${shown}?${keys.map((key) => `${key}=`).join('&')}`
}

/** The words of a parameter that is one of a closed list. */
function optionsOf(schema: unknown): readonly unknown[] | undefined {
  if (schema instanceof z.ZodPipe) return optionsOf(schema.in)
  return schema instanceof z.ZodEnum ? schema.options : undefined
}
