import type { IncomingMessage } from 'node:http'
import type { ServerUrls } from '../../core/boot/plan.ts'
import { defined } from '../../core/defined.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { type GuestState, whyLocalDisk } from '../../core/guest/state.ts'
import { retryAfterSeconds } from '../../core/http-status.ts'
import { listenText } from '../../core/net/address.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import type { TreeIndex } from '../../core/select/select.ts'
import { whyNotAdmin } from '../admin.ts'
import { pathShortener, shortenProblem } from '../local-paths.ts'
import { type FrontView, frontPage as frontPageHtml } from '../pages/front-page.ts'
import { type ApiContext, inputsFor, type Reply } from '../route.ts'
import type { Health, ProblemView, Readiness } from '../types.ts'
import { guestSummary, identityText } from '../views.ts'

/** The server itself: its front page, its health, its metrics, and what is wrong. */

/** The page has a style of its own, and nothing else: no script, no form, no file of another place. */
const pageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-cache',
}

export async function frontPage({ who }: { who: Requester }, context: ApiContext): Promise<Reply> {
  const shorten = await pathShortener(context.snapshot().config)
  return {
    headers: pageHeaders,
    text: frontPageHtml(frontView(context, inputsFor(context, who).urls, shorten)),
  }
}

/**
 * The status is always `ok`: with a broken tree treeboot still serves the others, and with a broken config.yaml the
 * last good one is in force.
 */
export function health(_: unknown, { snapshot, version, health }: ApiContext): Reply {
  const { trees, generation } = snapshot()
  const ready = trees.all.filter((tree) => tree.state === 'ready').length
  const config = health.isConfigRefused() ? 'refused' : 'ok'
  const json: Health = { status: 'ok', version, generation, config, trees: { ready, all: trees.all.length } }
  return { json }
}

/** For load balancers and monitoring: 503 while no installation can begin, no tree can come in or the configuration is refused. */
export async function readiness({ req }: { req: IncomingMessage }, context: ApiContext): Promise<Reply> {
  const reasons = context.health.reasons()
  if (reasons.length === 0) return { json: { status: 'ready', reasons } satisfies Readiness }
  const isAdmin = whyNotAdmin(req, context.isAdmin) === undefined
  const shorten = isAdmin ? (text: string) => text : await pathShortener(context.snapshot().config)
  const json: Readiness = { status: 'not ready', reasons: reasons.map(shorten) }
  return { status: 503, headers: { 'Retry-After': String(retryAfterSeconds) }, json }
}

export async function metrics(_: unknown, context: ApiContext): Promise<Reply> {
  return {
    headers: { 'Content-Type': context.metrics.contentType },
    text: await context.metrics.text(),
  }
}

/** Only the administrator sees the paths of this machine. */
export async function problems({ req }: { req: IncomingMessage }, context: ApiContext): Promise<Reply> {
  const found = allProblems(context)
  if (whyNotAdmin(req, context.isAdmin) === undefined) return { json: found }
  const shorten = await pathShortener(context.snapshot().config)
  const json: readonly ProblemView[] = found.map((each) => shortenProblem(each, shorten))
  return { json }
}

/** The problems of the snapshot, and those of the running server. */
function allProblems({ snapshot, health }: ApiContext): readonly SnapshotProblem[] {
  return [...snapshot().problems, ...health.problems()]
}

function frontView(context: ApiContext, urls: ServerUrls, shorten: (text: string) => string): FrontView {
  const { snapshot, version, machines, guestChecks, serviceLines } = context
  const { trees, guests } = snapshot()
  return {
    version,
    url: urls.http,
    trees: trees.all.map((tree) => ({ ...tree, reasons: tree.reasons.map(shorten) })),
    problems: allProblems(context).map((each) => shortenProblem(each, shorten)),
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
