import type { Caller } from '../../core/access/access.ts'
import type { ServerUrls } from '../../core/boot/plan.ts'
import { defined } from '../../core/defined.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { type GuestState, whyLocalDisk } from '../../core/guest/state.ts'
import { retryAfterSeconds } from '../../core/http-status.ts'
import { listenText } from '../../core/net/address.ts'
import { isInNetworks } from '../../core/net/network.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import type { TreeIndex } from '../../core/select/select.ts'
import { stoppedProblem } from '../../definitions/journal.ts'
import { type ApiContext, inputsFor } from '../context.ts'
import { wholeList } from '../lists.ts'
import { pathShortener, shortenProblem } from '../local-paths.ts'
import { type FrontView, frontPage } from '../pages/front-page.ts'
import { json, needs, route } from '../route.ts'
import {
  health,
  keyPage,
  problemPage,
  readiness,
  servicePage,
  version as versionSchema,
} from '../schemas/server.ts'
import { guestSummary, identityText } from '../views.ts'

/** The server itself: its front page, its health, its metrics, and what is wrong. */

/** The page has a style of its own, and nothing else: no script, no form, no file of another place. */
const pageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-cache',
}

const v1 = '/api/v1'

export const serverRoutes = [
  route({
    method: 'GET',
    path: '/',
    access: 'everybody',
    readsGuests: true,
    answers: { 200: { type: 'text/html' } },
    async handle({ who, caller }, context) {
      const shorten = await pathShortener(context.snapshot().config)
      const problems = (await allProblems(context)).map((each) => shortenProblem(each, shorten))
      const view = { ...frontView(context, inputsFor(context, who).urls, shorten), problems }
      return { headers: pageHeaders, text: frontPage(caller ? view : publicView(view)) }
    },
  }),
  // The status is always `ok`: with a broken tree treeboot still serves the others, and with a broken config.yaml the
  // last good one is in force.
  route({
    method: 'GET',
    path: '/healthz',
    operation: 'getHealth',
    summary: 'whether the server runs',
    access: 'everybody',
    answers: { 200: json(health) },
    handle(_, { snapshot, version, health }) {
      const { trees, generation } = snapshot()
      const ready = trees.all.filter((tree) => tree.state === 'ready').length
      const config = health.isConfigRefused() ? 'refused' : 'ok'
      return { json: { status: 'ok', version, generation, config, trees: { ready, all: trees.all.length } } }
    },
  }),
  route({
    method: 'GET',
    path: '/readyz',
    operation: 'getReadiness',
    summary: 'whether installations can begin and trees come in',
    description:
      'For load balancers and monitoring: 503 while no installation can begin, no tree can come in or the configuration is refused.',
    access: 'everybody',
    answers: { 200: json(readiness), 503: json(readiness) },
    async handle({ caller }, context) {
      const reasons = context.health.reasons()
      if (reasons.length === 0) return { json: { status: 'ready', ...(caller && { reasons }) } }
      const shorten = await shortenerFor(caller, context)
      return {
        status: 503,
        headers: { 'Retry-After': String(retryAfterSeconds) },
        json: { status: 'not ready', ...(caller && { reasons: reasons.map(shorten) }) },
      }
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    operation: 'getMetrics',
    summary: 'the metrics, for Prometheus',
    description: 'Addresses of `access.metrics` in config.yaml need no credentials.',
    access: needs('viewer'),
    openTo: (from, { snapshot }) => isInNetworks(from, snapshot().config.access.metrics),
    answers: { 200: { type: 'text/plain' } },
    async handle(_, { metrics }) {
      return { headers: { 'Content-Type': metrics.contentType }, text: await metrics.text() }
    },
  }),
  route({
    method: 'GET',
    path: `${v1}/version`,
    operation: 'getVersion',
    summary: 'which version of treeboot this is',
    access: needs('viewer'),
    answers: { 200: json(versionSchema) },
    handle: (_, { version }) => ({ json: { name: 'treeboot', version } }),
  }),
  route({
    method: 'GET',
    path: `${v1}/problems`,
    operation: 'listProblems',
    summary: 'what is wrong with configuration, trees and templates',
    // They name guests.
    access: needs('viewer', 'guests:read'),
    answers: { 200: json(problemPage) },
    async handle({ caller }, context) {
      const shorten = await shortenerFor(caller, context)
      return { json: wholeList((await allProblems(context)).map((each) => shortenProblem(each, shorten))) }
    },
  }),
  route({
    method: 'GET',
    path: `${v1}/keys`,
    operation: 'listKeys',
    summary: 'the public keys by which trees are verified',
    description:
      'For `rpm --import` and for the keyrings of apt. Also without credentials: there is nothing secret in them.',
    access: 'everybody',
    answers: { 200: json(keyPage, { 'Cache-Control': 'for some minutes' }) },
    async handle(_, { publicKeys, snapshot }) {
      const keys = await publicKeys.of(snapshot().config.verify.keys)
      const items = keys.map(({ users, ...key }) => ({ kind: 'openpgp' as const, ...key, users: [...users] }))
      return { json: wholeList(items), headers: { 'Cache-Control': 'public, max-age=300' } }
    },
  }),
  route({
    method: 'GET',
    path: `${v1}/services`,
    operation: 'listServices',
    summary: 'the services, what each is bound to, and why one is closed',
    access: needs('viewer'),
    answers: { 200: json(servicePage) },
    async handle({ caller }, context) {
      const shorten = await shortenerFor(caller, context)
      const services = context.serviceLines().map(({ name, open, host, port, note }) => ({
        name,
        open,
        host: host ?? null,
        port: port ?? null,
        note: shorten(note),
      }))
      return { json: wholeList(services) }
    },
  }),
] as const

/** Only who may change things sees the paths of this machine. */
async function shortenerFor(caller: Caller | undefined, { snapshot }: ApiContext) {
  const isOperator = caller !== undefined && caller.role !== 'viewer'
  return isOperator ? (text: string): string => text : pathShortener(snapshot().config)
}

/** What everybody may see: the trees. */
function publicView(view: FrontView): FrontView {
  return { ...view, guests: undefined, services: undefined, problems: undefined }
}

/** The problems of the snapshot, those of the running server, and what a change of several files left undone. */
async function allProblems({ snapshot, health }: ApiContext): Promise<readonly SnapshotProblem[]> {
  const { problems, config } = snapshot()
  const stopped = await stoppedProblem(config.paths.data)
  return [...problems, ...health.problems(), ...(stopped ? [stopped] : [])]
}

function frontView(
  context: ApiContext,
  urls: ServerUrls,
  shorten: (text: string) => string,
): Omit<FrontView, 'problems'> {
  const { snapshot, version, machines, guestChecks, serviceLines } = context
  const { trees, guests } = snapshot()
  return {
    version,
    url: urls.http,
    trees: trees.all.map((tree) => ({ ...tree, reasons: tree.reasons.map(shorten) })),
    guests: guests.all.map((guest) => ({
      name: guest.name,
      identity: identityText(guest),
      plan: planText(guest, trees, machines.stateOf(guest.name), guestChecks.whyNot(guest.name)),
    })),
    services: serviceLines().map(({ name, open, host = '', port = 0, note }) => ({
      name,
      open,
      where: open ? listenText(host, port) : 'closed',
      note,
      ...defined({ link: open ? linkOf(name, urls) : undefined }),
    })),
  }
}

/** Browsers open HTTP; desktops open FTP. The others have no address that a page could open. */
function linkOf(name: string, { http, ftp }: ServerUrls): string | undefined {
  if (name === 'http') return `${http}/`
  return name === 'ftp' && ftp !== undefined ? `${ftp}/` : undefined
}

function planText(
  guest: Guest,
  trees: TreeIndex,
  state: GuestState | undefined,
  whyNot: string | undefined,
): string {
  const summary = guestSummary(guest, trees, state)
  const disk = state && whyLocalDisk(guest, state)
  if (disk !== undefined) return disk
  if (summary.tree === null) return `${summary.state}: no tree fits`
  return `${summary.state}: ${whyNot === undefined ? summary.tree : `refused: ${whyNot}`}`
}
