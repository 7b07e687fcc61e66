import { z } from 'zod'
import { below, type CleanPath, cleanPath } from '../files/path.ts'
import * as guests from './resources/guests.ts'
import * as lookup from './resources/lookup.ts'
import * as reports from './resources/reports.ts'
import * as server from './resources/server.ts'
import * as trees from './resources/trees.ts'
import * as unknownMachines from './resources/unknown-machines.ts'
import * as uploads from './resources/uploads.ts'
import * as tus from './resources/uploads-tus.ts'
import { type Route, route } from './route.ts'

const access = 'anyone'
const readsGuests = true
const operator = { access: 'administrator' } as const
/** For uploads: curl and browsers send the token only after a response that asks for it. */
const uploader = { access: 'administrator', challenge: true } as const

const v1 = '/api/v1'
const guest = `${v1}/guests/:name`
const upload = `${v1}/uploads`
const tusUpload = `${upload}/tus/:length/*path`

/**
 * The route table: everything that HTTP serves except the files of the namespace. The first row that matches
 * a request handles it, so a fixed name must come before a parameter at the same place. A `GET` row handles
 * `HEAD` too, unless a `HEAD` row comes before it. Validation, the list at `/api/v1` and `isAppPath` are
 * derived from these rows.
 */
export const routes: readonly Route[] = [
  route({ method: 'GET', path: '/', access, readsGuests, handle: server.frontPage }),
  route({ method: 'GET', path: '/healthz', access, handle: server.health }),
  route({ method: 'GET', path: '/readyz', access, handle: server.readiness }),
  route({ method: 'GET', path: '/metrics', access, handle: server.metrics }),
  route({ method: 'GET', path: v1, access, handle: () => ({ json: { paths: shownRoutes() } }) }),
  route({
    method: 'GET',
    path: lookup.lookupPath,
    summary: 'kernel, initrd and arguments of a tree or a guest',
    access,
    query: lookup.lookupQuery,
    handle: lookup.lookUpRouted,
  }),
  route({
    method: 'GET',
    path: `${v1}/trees`,
    summary: 'the installation trees and their states',
    access,
    handle: trees.list,
  }),
  route({
    method: 'GET',
    path: `${v1}/trees/*id`,
    summary: 'everything that is known about one tree',
    access,
    params: trees.treeParams,
    handle: trees.show,
  }),
  route({
    method: 'GET',
    path: `${v1}/guests`,
    summary: 'the guests and their states',
    access,
    readsGuests,
    handle: guests.list,
  }),
  route({
    method: 'GET',
    path: guest,
    summary: 'one guest',
    access,
    readsGuests,
    params: guests.guestParams,
    handle: guests.show,
  }),
  route({
    method: 'GET',
    path: `${guest}/explain`,
    summary: 'every setting of the guest, and the rule that it comes from',
    access,
    readsGuests,
    params: guests.guestParams,
    handle: guests.explain,
  }),
  route({
    method: 'GET',
    path: `${guest}/plan`,
    summary: 'what the guest boots, in any format',
    access,
    readsGuests,
    params: guests.guestParams,
    query: guests.planQuery,
    handle: guests.plan,
  }),
  route({
    method: 'GET',
    path: `${guest}/story`,
    summary: 'the last installation of the guest, step by step',
    access,
    readsGuests,
    params: guests.guestParams,
    handle: guests.story,
  }),
  // These three need no `readsGuests`: `order` and `report` read what other processes wrote before they write.
  route({
    method: 'POST',
    path: `${guest}/install`,
    summary: 'the next network boot of the guest installs it, once',
    ...operator,
    params: guests.guestParams,
    handle: guests.install,
  }),
  route({
    method: 'POST',
    path: `${guest}/local`,
    summary: 'the guest boots its own disk from now on',
    ...operator,
    params: guests.guestParams,
    handle: guests.keepLocal,
  }),
  route({
    method: 'POST',
    path: `${guest}/:report{/:token}`,
    summary: 'an installer reports how far it is',
    access,
    params: reports.reportParams,
    query: reports.reportQuery,
    body: reports.reportBody,
    handle: reports.report,
  }),
  route({
    method: 'GET',
    path: `${v1}/inbox`,
    summary: 'machines that asked for network boot and are not guests',
    access,
    readsGuests,
    handle: unknownMachines.list,
  }),
  route({
    method: 'GET',
    path: `${v1}/problems`,
    summary: 'what is wrong with configuration, trees and templates',
    access,
    handle: server.problems,
  }),
  // tus clients ask for the server's features without credentials, as browsers do before each cross-origin
  // request.
  route({ method: 'OPTIONS', path: `${upload}/tus{/*rest}`, access, handle: tus.abilities }),
  route({
    method: 'POST',
    path: `${upload}/tus`,
    summary: 'begins a resumable upload (tus 1.0.0)',
    ...uploader,
    handle: tus.create,
  }),
  route({ method: 'HEAD', path: tusUpload, ...uploader, params: tus.tusParams, handle: tus.offset }),
  route({ method: 'PATCH', path: tusUpload, ...uploader, params: tus.tusParams, handle: tus.append }),
  route({ method: 'DELETE', path: tusUpload, ...uploader, params: tus.tusParams, handle: tus.remove }),
  // No upload may be named `tus`: the rows above would match its files.
  route({ method: 'PUT', path: `${upload}/tus/*rest`, ...uploader, handle: tus.refuseName }),
  route({
    method: 'GET',
    path: upload,
    summary: 'what was uploaded and is not published yet',
    ...uploader,
    handle: uploads.list,
  }),
  route({
    method: 'HEAD',
    path: `${upload}/*path`,
    ...uploader,
    params: uploads.uploadParams,
    handle: uploads.offset,
  }),
  route({
    method: 'GET',
    path: `${upload}/:name`,
    ...uploader,
    params: uploads.showParams,
    handle: uploads.show,
  }),
  route({
    method: 'PUT',
    path: `${upload}/*path`,
    summary: 'uploads a file, or the next part of one',
    ...uploader,
    params: uploads.uploadParams,
    handle: uploads.put,
  }),
  route({
    method: 'POST',
    path: `${upload}/*id/publish`,
    summary: 'verifies and publishes an upload',
    ...uploader,
    params: uploads.publishParams,
    query: uploads.publishQuery,
    handle: uploads.publish,
  }),
  route({
    method: 'DELETE',
    path: `${upload}/*path`,
    summary: 'deletes an upload, or a part of one',
    ...uploader,
    params: uploads.uploadParams,
    handle: uploads.remove,
  }),
]

const apiFolder = cleanPath('/api')
const pagePaths = new Set(routes.map(({ path }) => path).filter((path) => !path.startsWith('/api/')))

/** Whether a path belongs to the route table. All other paths belong to the namespace. */
export function isAppPath(path: CleanPath): boolean {
  return pagePaths.has(path) || below(apiFolder, path) !== undefined
}

/** One line for each route with a summary: `GET /api/v1/guests/<name>/plan?as=`. */
function shownRoutes(): string[] {
  return routes
    .filter(({ summary }) => summary !== undefined)
    .map(
      (each) =>
        `${each.method} ${shownPath(each)}${each.access === 'administrator' ? '  (administrator)' : ''}`,
    )
}

function shownPath({ path, params, query }: Route): string {
  const shown = path
    .replace('{', '[')
    .replace('}', ']')
    .replace(/[:*](\w+)/g, (_, name: string) => {
      const schema = params?.shape[name]
      return schema instanceof z.ZodEnum ? `{${schema.options.join(',')}}` : `<${name}>`
    })
  const keys = Object.keys(query?.shape ?? {})
  return keys.length === 0 ? shown : `${shown}?${keys.map((key) => `${key}=`).join('&')}`
}
