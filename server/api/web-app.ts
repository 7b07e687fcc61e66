import type { IncomingMessage, ServerResponse } from 'node:http'
import express from 'express'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { ServerUrls } from '../core/boot/plan.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { failureMessage } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { type GuestState, whyLocalDisk } from '../core/guest/state.ts'
import { plainAddress } from '../core/net/address.ts'
import type { Requester } from '../core/net/requester.ts'
import type { TreeIndex } from '../core/select/select.ts'
import type { EventSink } from '../events/bus.ts'
import type { Metrics } from '../events/metrics.ts'
import { below, type CleanPath, cleanPath } from '../files/path.ts'
import { bootInputs } from '../machines/decide.ts'
import type { GuestHistory } from '../machines/history.ts'
import type { TreeViews } from '../machines/views.ts'
import { apiRouter } from './api.ts'
import { sendFailure } from './failures.ts'
import { frontPage } from './front-page.ts'
import { lookupRoute } from './resources/lookup.ts'
import { type UploadParts, uploadsRouter } from './uploads/uploads.ts'
import { guestSummary, identityText } from './views.ts'

export interface WebParts extends UploadParts {
  readonly version: string
  readonly snapshot: () => Snapshot
  readonly services: () => OpenServices
  readonly serviceLines: () => readonly ShownService[]
  readonly events: EventSink
  readonly metrics: Metrics
  readonly history: GuestHistory
  readonly views: TreeViews
}

export interface ShownService {
  readonly name: string
  readonly open: boolean
  readonly host?: string
  readonly port?: number
  readonly note: string
}

const appFolder = cleanPath('/api')
const appPaths = new Set(['/', '/healthz', '/metrics'])

/** What the API and the pages answer; every other path is the namespace's. */
export function isAppPath(path: CleanPath): boolean {
  return appPaths.has(path) || below(appFolder, path) !== undefined
}

/** REST API and pages on Express. It never sees a file of the namespace. */
export function webApp(parts: WebParts): (req: IncomingMessage, res: ServerResponse) => void {
  const app = express()
  const onFault = (error: unknown, where: string): void =>
    parts.events({ type: 'trouble', where, message: failureMessage(error) })
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('trust proxy', false)

  app.use(async (_req, _res, next) => {
    await parts.history.fresh()
    next()
  })
  app.get('/', (req, res) => void res.type('html').send(frontPage(viewOf(parts, inputsOf(parts, req).urls))))
  app.get('/healthz', (_req, res) => void res.json(health(parts)))
  app.get('/metrics', async (_req, res) => {
    res.set('Content-Type', parts.metrics.contentType).send(await parts.metrics.text())
  })
  app.use('/api/v1/uploads', uploadsRouter(parts))
  app.use('/api/v1', apiRouter({ ...parts, inputs: (req) => inputsOf(parts, req), requester: whoAsks }))
  app.use(
    (_req, res) =>
      void res.status(404).json({ error: 'not-found', message: 'no such path in the API; see /api/v1/' }),
  )
  app.use(sendFailure(onFault))
  const lookup = lookupRoute({ ...parts, whoAsks, inputsOf: (req) => inputsOf(parts, req), onFault })
  return (req, res) => {
    if (!lookup(req, res)) app(req, res)
  }
}

function whoAsks({ headers, socket }: IncomingMessage): Requester {
  return {
    protocol: 'http',
    address: plainAddress(socket.remoteAddress ?? ''),
    ...(headers.host !== undefined && { host: headers.host }),
    ...(socket.localAddress !== undefined && { localAddress: plainAddress(socket.localAddress) }),
    connection: socket,
  }
}

function inputsOf({ snapshot, services, history, views }: WebParts, req: IncomingMessage): BootInputs {
  return bootInputs(snapshot(), services(), whoAsks(req), history.stateOf, views)
}

/** Alive, and what for. A mirror with a broken tree still serves the others, so that is no ill health. */
function health({ snapshot, version }: WebParts) {
  const { trees, generation } = snapshot()
  const ready = trees.all.filter((tree) => tree.state === 'ready').length
  return { status: 'ok', version, generation, trees: { ready, all: trees.all.length } }
}

function viewOf(parts: WebParts, urls: ServerUrls) {
  const { trees, guests, problems } = parts.snapshot()
  return {
    version: parts.version,
    url: urls.http,
    trees: trees.all,
    problems,
    guests: guests.all.map((guest) => ({
      name: guest.name,
      identity: identityText(guest),
      plan: frontPlan(guest, trees, parts.history.stateOf(guest.name)),
    })),
    services: parts.serviceLines().map((service) => ({
      name: service.name,
      open: service.open,
      where: service.open ? `${service.host}:${service.port}` : 'shut',
      note: service.note,
    })),
  }
}

function frontPlan(guest: Guest, trees: TreeIndex, life: GuestState | undefined): string {
  const { state, tree } = guestSummary(guest, trees, life)
  const disk = life && whyLocalDisk(guest, life)
  return disk ?? `${state}: ${tree ?? 'no tree that fits'}`
}
